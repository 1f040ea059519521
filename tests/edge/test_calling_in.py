"""Calls from outside, to a phone that registered."""

from __future__ import annotations

from tests.edge.phone import Phone
from tests.edge.sip_message import user
from tests.edge.town import Town
from tests.support.world import PROVISIONING, Home, until


def answering(town: Town, home: Home) -> Phone:
    """The home's device, registered, with the home's number leading to it."""
    ddi = {"target": "device", "device_id": home.device_id}
    town.platform.api.patch(f"{PROVISIONING}/ddis/{home.ddi_id}", ddi)
    phone = town.phone(home)
    assert phone.register().status == 200
    return phone


def test_a_call_reaches_the_registered_device(town: Town) -> None:
    """At its contact, with the caller as the home writes numbers; counted, and without a price."""
    home = town.home(max_calls=1)
    phone = answering(town, home)
    until(lambda: town.provider.dial(home.number)[1].status != 404, "the number leads somewhere")
    until(lambda: not home.live_calls(), "no call")
    before = len(home.records())
    phone.seen.clear()
    while not phone.legs.empty():
        phone.legs.get().hang_up()
    placed, answer = town.provider.dial(home.number)
    assert answer.status == 200
    leg = phone.next_leg()
    assert user(f"<{leg.invite.uri}>") == home.device
    assert user(leg.invite.header("From")) == "600123123"
    until(lambda: home.usage()["active_calls"] == 1, "the call is counted")
    _, busy = town.provider.dial(home.number)
    assert (busy.status, busy.header("X-Landline-Reason")) == (486, "max_calls_reached")
    placed.hang_up()
    leg.wait_ended()
    until(lambda: len(home.records()) == before + 1, "its record")
    record = max(home.records(), key=lambda each: str(each["started_at"]))
    assert (record["direction"], record["caller"]) == ("inbound", "+34600123123")
    assert record["price"] in (None, "0.00")
    town.assert_nothing_left()


def test_numbers_that_lead_nowhere(town: Town) -> None:
    """Unknown, unassigned, not registered: each with its code."""
    home = town.home()
    _, unknown = town.provider.dial("+34911999999")
    assert (unknown.status, unknown.header("X-Landline-Reason")) == (404, "unknown_number")
    ddi = {"target": "device", "device_id": home.device_id}
    town.platform.api.patch(f"{PROVISIONING}/ddis/{home.ddi_id}", ddi)
    until(lambda: town.provider.dial(home.number)[1].status == 480, "the device is not registered")
    town.assert_nothing_left()


def test_a_phone_that_left_is_not_called(town: Town) -> None:
    """Expires: 0 takes the contact away at once."""
    home = town.home()
    phone = answering(town, home)
    phone.when_called = lambda leg: leg.refuse(486)
    until(lambda: town.provider.dial(home.number)[1].status == 486, "it is called")
    assert phone.register(expires=0).status == 200
    assert town.provider.dial(home.number)[1].status == 480
    town.assert_nothing_left()


def test_a_stranger_is_no_provider(town: Town) -> None:
    """From another address a call to the number needs a digest like any other."""
    home = town.home()
    stranger = Phone(f"{town.net}.98", town.edge.address, "600123123", "telco.example", None)
    try:
        _, answer = stranger.dial(home.number)
        assert answer.status == 407
    finally:
        stranger.close()
    town.assert_nothing_left()
