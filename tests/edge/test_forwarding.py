"""Forwards of each kind, boxes, 302 and withheld callers, through the real edge."""

from __future__ import annotations

import time

from tests.edge.dialog import Leg
from tests.edge.phone import Phone
from tests.edge.sip_message import user
from tests.edge.town import Row, Town
from tests.support.world import Home, until

FAR = "+34600999888"


def ready(town: Town, home: Home, step: str, words: str) -> None:
    """Wait until call-control decides the home's calls so."""

    def told() -> bool:
        lines = town.simulated(home)["trace"]
        return any(line["step"] == step and words in line["detail"] for line in lines)

    until(told, f"{step}: {words}")


def records(town: Town, home: Home, count: int) -> dict[str, Row]:
    """The home's records by direction, once they are all there and paid."""
    until(lambda: len(home.records()) == count, f"{count} records")
    town.settled(home)
    return {str(each["direction"]): each for each in home.records()}


def rings_before_it_answers(leg: Leg) -> None:
    """As people do: whoever else rings has said so by then, and can be cancelled (RFC 3261 section 9.1)."""
    leg.ring()
    time.sleep(0.5)
    leg.pick_up()


def test_an_unconditional_forward_goes_out_at_once(town: Town) -> None:
    """The carrier gets the original caller and the number that forwards (RFC 5806); the client pays."""
    home = town.home()
    phone = town.answering(home)
    town.forward(home, "unconditional", FAR)
    ready(town, home, "target", "forward to")
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = town.first.next_leg()
    assert user(f"<{leg.invite.uri}>") == FAR
    assert user(leg.invite.header("From")) == "+34600123123"
    assert leg.invite.header("Diversion").startswith(f"<sip:{home.number}@")
    assert ";reason=unconditional;counter=1" in leg.invite.header("Diversion")
    until(lambda: home.usage()["active_calls"] == 2, "two calls are counted")
    assert {call["state"] for call in home.live_calls()} <= {"answered", "ringing", "admitted"}
    until(lambda: {call["state"] for call in home.live_calls()} == {"answered"}, "both talk")
    time.sleep(1.2)
    placed.hang_up()
    leg.wait_ended()
    found = records(town, home, 2)
    assert found["inbound"]["price"] in (None, "0.00")
    assert float(str(found["outbound"]["price"])) >= 0.01
    assert found["outbound"]["callee"] == FAR
    assert phone.invites() == []
    town.assert_nothing_left()


def test_a_busy_phone_forwards(town: Town) -> None:
    """486 at the device, and the caller is talking at the far end."""
    home = town.home()
    phone = town.answering(home)
    town.forward(home, "busy", FAR)
    ready(town, home, "target", "device")
    phone.when_called = lambda leg: leg.refuse(486, "Busy Here")
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = town.first.next_leg()
    assert ";reason=user-busy" in leg.invite.header("Diversion")
    until(lambda: {call["state"] for call in home.live_calls()} == {"answered"}, "both talk")
    leg.hang_up()
    placed.wait_ended()
    found = records(town, home, 2)
    assert {each["cause"] for each in found.values()} == {"normal"}
    town.assert_nothing_left()


def test_a_phone_that_rings_in_vain_forwards_to_voicemail(town: Town) -> None:
    """After the forward's own time; the box is told which call it is."""
    home = town.home(features=["voicemail"])
    phone = town.answering(home)
    town.forward(home, "no_answer", no_answer_timeout_s=2)
    ready(town, home, "target", "device")
    phone.when_called = Leg.ring
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = town.media.next_leg()
    assert user(f"<{leg.invite.uri}>") == f"vm+{home.device_id}"
    [call] = home.live_calls()
    assert leg.invite.header("X-Landline-Call") == call["call_id"]
    rung = phone.next_leg()
    until(rung.cancelled.is_set, "the phone no longer rings")
    placed.hang_up()
    leg.wait_ended()
    assert records(town, home, 1)["inbound"]["cause"] == "normal"
    town.assert_nothing_left()


def test_nobody_registered_forwards_without_ringing(town: Town) -> None:
    """Known before anything is tried."""
    home = town.home()
    town.answering(home).register(expires=0)
    town.forward(home, "not_registered", FAR)
    ready(town, home, "target", "forward to")
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = town.first.next_leg()
    assert ";reason=unavailable" in leg.invite.header("Diversion")
    placed.hang_up()
    leg.wait_ended()
    records(town, home, 2)
    town.assert_nothing_left()


def test_a_302_of_the_phone_is_an_outbound_call_of_the_client(town: Town) -> None:
    """To the number of its Contact, and to no other place that it names."""
    home = town.home()
    phone = town.answering(home)
    ready(town, home, "target", "device")
    phone.when_called = lambda leg: redirect(leg, "<sip:600999888@192.0.2.1>")
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = town.first.next_leg()
    assert user(f"<{leg.invite.uri}>") == FAR
    assert ";reason=deflection" in leg.invite.header("Diversion")
    placed.hang_up()
    leg.wait_ended()
    assert records(town, home, 2)["outbound"]["callee"] == FAR
    town.assert_nothing_left()


def redirect(leg: Leg, contact: str) -> None:
    """302 with another Contact than ours."""
    leg.peer.reply(leg.invite, 302, "Moved Temporarily", ("Contact", contact))
    leg.ended.set()


def test_without_a_forward_the_caller_hears_the_phone(town: Town) -> None:
    """486, with the reason; one record of an unanswered call."""
    home = town.home()
    phone = town.answering(home)
    ready(town, home, "target", "device")
    phone.when_called = lambda leg: leg.refuse(486, "Busy Here")
    _, answer = town.provider.dial(home.number)
    assert (answer.status, answer.header("X-Landline-Reason")) == (486, "busy")
    assert records(town, home, 1)["inbound"]["cause"] == "busy"
    town.assert_nothing_left()


def test_a_forward_whose_far_end_is_busy_ends_both_calls(town: Town) -> None:
    """And both say so."""
    home = town.home()
    town.answering(home)
    town.forward(home, "unconditional", FAR)
    ready(town, home, "target", "forward to")
    town.first.when_called = lambda leg: leg.refuse(486, "Busy Here")
    _, answer = town.provider.dial(home.number)
    assert answer.status == 486
    found = records(town, home, 2)
    assert {each["cause"] for each in found.values()} == {"busy"}
    town.assert_nothing_left()


def test_who_withholds_is_unknown_to_phone_and_far_end(town: Town) -> None:
    """Privacy: id from the provider: anonymous on the forwarded leg, and to the client in its records."""
    home = town.home()
    town.answering(home)
    town.forward(home, "unconditional", FAR)
    ready(town, home, "target", "forward to")
    placed, answer = town.provider.dial(home.number, ("Privacy", "id"))
    assert answer.status == 200
    leg = town.first.next_leg()
    assert "anonymous@anonymous.invalid" in leg.invite.header("From")
    assert leg.invite.header("Privacy") == "id"
    assert "34600123123" not in leg.invite.encoded().decode()
    placed.hang_up()
    leg.wait_ended()
    records(town, home, 2)
    town.assert_nothing_left()


def test_an_operator_ends_a_forwarded_call(town: Town) -> None:
    """By the leg that costs money: the one dialog ends for everybody, and so do both calls."""
    home = town.home()
    town.answering(home)
    town.forward(home, "unconditional", FAR)
    ready(town, home, "target", "forward to")
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = town.first.next_leg()
    until(lambda: {call["state"] for call in home.live_calls()} == {"answered"}, "both talk")
    [out] = [call for call in home.live_calls() if call["direction"] == "outbound"]
    town.platform.api.post(f"/api/call-control/v1/calls/{out['call_id']}/hangup", {})
    placed.wait_ended()
    leg.wait_ended()
    found = records(town, home, 2)
    assert found["outbound"]["cause"] == "operator"
    town.assert_nothing_left()


def test_two_phones_that_answer_at_once(town: Town) -> None:
    """One has the call; the other one is told so, whether it had answered or only rung. Twenty times."""
    home = town.home()
    first = town.answering(home)
    second = Phone(f"{town.net}.96", town.edge.address, home.device, home.brand.domain, first.password)
    both = (first, second)
    try:
        assert second.register().status == 200
        ready(town, home, "target", "2 contacts")
        for n in range(20):
            first.when_called, second.when_called = (
                (Leg.answer, Leg.answer) if n % 2 else (Leg.ring, Leg.answer)
            )
            placed, answer = town.provider.dial(home.number)
            assert answer.status == 200
            legs = [phone.next_leg() for phone in both]
            until(lambda: [leg for leg in legs if leg.is_free] != [], f"{n}: the loser knows", within_s=5)  # noqa: B023
            assert [leg.is_free for leg in legs].count(False) == 1
            placed.hang_up()
            for leg in legs:
                until(lambda: leg.is_free, f"{n}: both are free", within_s=5)  # noqa: B023
            until(lambda: not home.live_calls(), "the call is over")
        records(town, home, 20)
    finally:
        second.close()
    town.assert_nothing_left()


def test_all_contacts_ring_and_the_first_answer_wins(town: Town) -> None:
    """Two phones of one device; the other one is cancelled."""
    home = town.home()
    first = town.answering(home)
    second = Phone(f"{town.net}.97", town.edge.address, home.device, home.brand.domain, first.password)
    try:
        assert second.register().status == 200
        ready(town, home, "target", "2 contacts")
        first.when_called, second.when_called = Leg.ring, rings_before_it_answers
        placed, answer = town.provider.dial(home.number)
        assert answer.status == 200
        until(first.next_leg().cancelled.is_set, "the first phone no longer rings")
        placed.hang_up()
        second.next_leg().wait_ended()
        records(town, home, 1)
    finally:
        second.close()
    town.assert_nothing_left()


def test_every_forward_made_before_counts(town: Town) -> None:
    """Several Diversion headers, and several in one: their counters are added, and five are the most."""
    home = town.home()
    town.answering(home)
    town.forward(home, "unconditional", FAR)
    ready(town, home, "target", "forward to")
    first, *more = (f"<sip:+3460055500{n}@telco.example>;reason=user-busy;counter=2" for n in range(3))
    placed, answer = town.provider.dial(home.number, ("Diversion", first))
    assert answer.status == 200
    placed.hang_up()
    until(lambda: not home.live_calls(), "the call is over")
    for headers in (
        [("Diversion", ", ".join((first, *more)))],
        [("Diversion", one) for one in (first, *more)],
    ):
        _, refused = town.provider.dial(home.number, *headers)
        assert (refused.status, refused.header("X-Landline-Reason")) == (483, "too_many_forwards")
    town.assert_nothing_left()
