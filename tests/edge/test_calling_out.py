"""A phone registers and calls: what the callee sees, what it costs, and how it ends."""

from __future__ import annotations

import time

from tests.edge.dialog import Leg
from tests.edge.sip_message import user
from tests.edge.town import Town
from tests.support.world import MOBILE, until


def test_a_phone_registers_and_calls(town: Town) -> None:
    """Digest, the home's own number towards the carrier, two seconds priced, every counter back at zero."""
    home = town.home(billing_method="prepaid", balance="1.00")
    phone = town.phone(home)
    assert phone.register().status == 200
    placed, answer = phone.dial(MOBILE, ("P-Asserted-Identity", "<sip:666@elsewhere.example>"))
    assert answer.status == 200, answer.first
    leg = town.first.next_leg()
    assert user(f"<{leg.invite.uri}>") == "+34600123123"
    assert user(leg.invite.header("From")) == home.number
    assert [user(each) for each in leg.invite.all("P-Asserted-Identity")] == [home.number]
    until(lambda: home.live_calls()[0]["state"] == "answered", "call-control knows of the answer")
    time.sleep(2.2)
    assert placed.hang_up().status == 200
    leg.wait_ended()
    record = town.only_record(home)
    seconds = record["duration_s"]
    assert 2 <= seconds <= 5, record
    assert (record["price"], record["ended_by"]) == (f"0.0{seconds}", "caller"), record
    assert town.settled(home)["settled"] == f"0.9{10 - seconds}"
    town.assert_nothing_left()


def test_the_callee_hangs_up(town: Town) -> None:
    """Told apart from the caller."""
    home = town.home()
    phone = town.phone(home)
    _, answer = phone.dial(MOBILE)
    assert answer.status == 200
    leg = town.first.next_leg()
    time.sleep(1.1)
    assert leg.hang_up().status == 200
    record = town.only_record(home)
    assert record["ended_by"] == "callee"
    assert 1 <= record["duration_s"] <= 4
    town.assert_nothing_left()


def test_a_caller_gives_up_while_it_rings(town: Town) -> None:
    """487 to the caller, CANCEL to the carrier, an unpriced record."""
    town.first.when_called = Leg.ring
    home = town.home()
    phone = town.phone(home)
    placed = phone.call(MOBILE)
    placed.authenticate()
    placed.invite.wait(lambda reply: reply.status == 180)
    leg = town.first.next_leg()
    assert placed.cancel().status == 200
    assert placed.invite.final().status == 487
    assert leg.cancelled.wait(5)
    record = town.only_record(home)
    assert (record["cause"], record["price"], record["duration_s"]) == ("cancelled", "0.00", 0), record
    town.assert_nothing_left()
