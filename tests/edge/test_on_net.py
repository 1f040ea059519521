"""On-net calls and service codes through the real edge."""

from __future__ import annotations

from tests.edge.sip_message import user
from tests.edge.test_forwarding import ready
from tests.edge.town import Town
from tests.support.world import PROVISIONING, until

FAR = "+34600999888"


def test_a_neighbour_answers_and_both_have_a_record(town: Town) -> None:
    """No INVITE leaves; the caller pays, the called one does not."""
    caller, called = town.home(), town.home()
    phone, other = town.phone(caller), town.answering(called)
    ready(town, called, "target", "device")
    placed, answer = phone.dial(called.number[3:])
    assert answer.status == 200
    leg = other.next_leg()
    assert user(leg.invite.header("From")) == caller.number[3:]
    until(lambda: [c["state"] for c in called.live_calls()] == ["answered"], "the called side talks")
    leg.hang_up()
    placed.wait_ended()
    until(lambda: caller.records() and called.records(), "both records")
    [out], [arrived] = caller.records(), called.records()
    assert (out["direction"], arrived["direction"]) == ("outbound", "inbound")
    assert (out["cause"], arrived["cause"], out["carrier_id"]) == ("normal", "normal", None)
    assert out["duration_s"] == arrived["duration_s"]
    assert town.first.invites() == town.second.invites() == []
    town.assert_nothing_left()


def test_a_neighbour_who_is_away_is_the_callers_answer(town: Town) -> None:
    """480 not_registered; the outbound call is undone and says why."""
    caller, called = town.home(), town.home()
    phone = town.phone(caller)
    town.answering(called).register(expires=0)
    until(lambda: town.simulated(called)["decision"] == "deny", "the phone has left")
    _, answer = phone.dial(called.number[3:])
    assert (answer.status, answer.header("X-Landline-Reason")) == (480, "not_registered")
    until(caller.records, "the record")
    [out] = caller.records()
    assert (out["cause"], out["price"]) == ("onnet_refused", "0.00")
    town.assert_nothing_left()


def test_a_busy_neighbours_forward_is_the_neighbours_call(town: Town) -> None:
    """Three calls in one dialog: out, in, and out again; each client pays for its own."""
    caller, called = town.home(), town.home()
    phone, other = town.phone(caller), town.answering(called)
    town.forward(called, "busy", FAR)
    ready(town, called, "target", "device")
    other.when_called = lambda leg: leg.refuse(486, "Busy Here")
    placed, answer = phone.dial(called.number[3:])
    assert answer.status == 200
    leg = town.first.next_leg()
    assert user(leg.invite.header("From")) == caller.number
    until(lambda: len(called.live_calls()) == 2, "in and out")
    until(lambda: {c["state"] for c in called.live_calls()} == {"answered"}, "both talk")
    placed.hang_up()
    leg.wait_ended()
    until(lambda: len(called.records()) == 2 and len(caller.records()) == 1, "three records")
    assert {each["cause"] for each in (*called.records(), *caller.records())} == {"normal"}
    town.assert_nothing_left()


def test_a_code_is_dialled_and_heard(town: Town) -> None:
    """*80 and a number: provisioning has the forward, the media endpoint says so, nothing is admitted."""
    home = town.home()
    phone = town.phone(home)
    placed, answer = phone.dial("*80600999888")
    assert answer.status == 200
    leg = town.media.next_leg()
    assert user(f"<{leg.invite.uri}>") == "ann+forward-set"
    placed.hang_up()
    leg.wait_ended()
    [made] = town.platform.api.items(f"{PROVISIONING}/call-forwards", device_id=home.device_id)
    assert (made["kind"], made["number"]) == ("unconditional", FAR)
    assert phone.dial("*80")[1].status == 200
    assert list(town.platform.api.items(f"{PROVISIONING}/call-forwards", device_id=home.device_id)) == []
    assert home.records() == []
    town.media.next_leg().hang_up()
    town.assert_nothing_left()
