"""Inside a call that stands: no second admission, no transfer, and phones that died are noticed."""

from __future__ import annotations

import time

from landline.kernel.money import to_micros

from tests.edge.processes import KEEPALIVE_S
from tests.edge.town import Town
from tests.support.world import MOBILE, SATELLITE


def test_requests_inside_a_call_are_only_passed_on(town: Town) -> None:
    """Hold, session refresh, DTMF: the other side answers; one admission, one record (RFC 3261 14)."""
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    leg = town.first.next_leg()
    again = placed.request("INVITE", ("Contact", placed.peer.contact), body=placed.sdp()).final()
    assert (again.status, placed.audio.remote is not None) == (200, True)
    for method in ("UPDATE", "INFO"):
        assert placed.request(method, ("Contact", placed.peer.contact)).final().status == 200
    assert leg.request("INFO").final().status == 200
    placed.hang_up()
    leg.wait_ended()
    inside = [m.method for m in town.first.seen if ";tag=" in m.header("To")]
    assert [method for method in inside if method != "OPTIONS"] == ["INVITE", "UPDATE", "INFO", "BYE"]
    assert len(town.first.invites()) == 1
    town.only_record(home)
    town.assert_nothing_left()


def test_a_transfer_is_refused(town: Town) -> None:
    """REFER would be a call that nobody admitted; the call itself goes on."""
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    leg = town.first.next_leg()
    for side in (placed, leg):
        refused = side.request("REFER", ("Refer-To", "<sip:+881612345678@example.net>")).final()
        assert refused.status == 403, refused.first
    assert not leg.ended.is_set()
    placed.hang_up()
    leg.wait_ended()
    assert not [m for m in town.first.seen if m.method == "REFER"]
    town.only_record(home)
    town.assert_nothing_left()


def test_a_phone_that_died_is_noticed(town: Town) -> None:
    """It answers no OPTIONS in the call any more: the other side gets a BYE although audio still flows."""
    home = town.home()
    phone = town.phone(home)
    _, answer = phone.dial(MOBILE)
    assert answer.status == 200
    leg = town.first.next_leg()
    leg.audio.send(30 + 2 * KEEPALIVE_S)
    phone.close()
    leg.wait_ended(30 + 2 * KEEPALIVE_S)
    record = town.only_record(home)
    assert (record["cause"], record["ended_by"]) == ("keepalive", "system"), record
    town.assert_nothing_left()


def test_money_that_arrives_lets_the_call_go_on(town: Town) -> None:
    """The edge's own timer was set to what the balance paid at admission; a top-up moves it."""
    home = town.home(billing_method="prepaid", balance="4.00")
    placed, answer = town.phone(home).dial(SATELLITE)
    assert answer.status == 200
    leg = town.first.next_leg()
    for each in (placed, leg):
        each.audio.send(12)
    time.sleep(1)
    home.top_up("4.00", key="second-money")
    placed.wait_ended(20)
    leg.wait_ended()
    record = town.only_record(home)
    assert record["duration_s"] == 8, record
    assert to_micros(town.settled(home)["settled"]) == 0
    town.assert_nothing_left()
