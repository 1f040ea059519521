"""Limits that end or refuse real calls."""

from __future__ import annotations

from landline.kernel.money import to_micros

from tests.edge.phone import Placed
from tests.edge.town import Town
from tests.support.world import MOBILE, SATELLITE, until


def test_a_third_call_of_two(town: Town) -> None:
    """max_calls=2: 403 for the third; a slot is free again when one ends."""
    home = town.home(max_calls=2)
    phone = town.phone(home)
    calls: list[Placed] = []
    for _ in range(2):
        placed, answer = phone.dial(MOBILE)
        assert answer.status == 200
        calls.append(placed)
    _, refused = phone.dial(MOBILE)
    assert (refused.status, refused.header("X-Landline-Reason")) == (403, "max_calls_reached")
    calls[0].hang_up()
    until(lambda: home.usage()["active_calls"] == 1, "the slot is free")
    third, answer = phone.dial(MOBILE)
    assert answer.status == 200
    for each in (calls[1], third):
        each.hang_up()
    town.settled(home)
    assert len(home.records()) == 3
    town.assert_nothing_left()


def test_a_prepaid_call_ends_with_the_money(town: Town) -> None:
    """Three euros at one a second: both sides get a BYE after three seconds, and nothing is overspent."""
    home = town.home(billing_method="prepaid", balance="3.00")
    phone = town.phone(home)
    placed, answer = phone.dial(SATELLITE)
    assert answer.status == 200
    leg = town.first.next_leg()
    placed.wait_ended()
    leg.wait_ended()
    record = town.only_record(home)
    assert (record["duration_s"], record["price"]) == (3, "3.00"), record
    assert record["ended_by"] == "system"
    assert town.settled(home)["settled"] == "0.00"
    _, refused = phone.dial(SATELLITE)
    assert (refused.status, refused.header("X-Landline-Reason")) == (402, "no_credit")
    town.assert_nothing_left()


def test_the_days_limit(town: Town) -> None:
    """Two euros a day at one a second: cut at two, then refused; the day's spend is the limit."""
    home = town.home(max_daily_usage="2.00")
    phone = town.phone(home)
    placed, answer = phone.dial(SATELLITE)
    assert answer.status == 200
    placed.wait_ended()
    town.settled(home)
    assert to_micros(home.usage()["day_spend"]) <= 2_000_000
    _, refused = phone.dial(SATELLITE)
    assert (refused.status, refused.header("X-Landline-Reason")) == (403, "daily_limit_reached")
    town.assert_nothing_left()
