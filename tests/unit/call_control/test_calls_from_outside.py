"""Inbound calls: by provider and number to a registered device (domain.md section 5)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from call_control.adapters.placement import Change
from call_control.app.admit_call import call_facts
from call_control.app.answers import inbound_answer
from call_control.app.counted_denials import denial_of
from call_control.domain.facts import Contact
from call_control.domain.replies import AdmitReply, Status

from tests.support import configured as c
from tests.support.decided import NOW_MS, Decision, decided

HERE = Contact(
    uri="sip:casa1@192.0.2.9:5070", received="sip:192.0.2.9:5070", edge="e1", expires_at_ms=NOW_MS + 1
)
OLD = Contact(uri="sip:casa1@192.0.2.8:5070", expires_at_ms=NOW_MS)
SOURCE = "198.51.100.77"
POOLED = "+34944048199"


async def arrived(*more: Change, registered: tuple[Contact, ...] = (HERE,), **asked: Any) -> Decision:
    """A call from a provider's address to the number of casa1; `more` rows replace."""
    call = {
        "direction": "inbound",
        "source_ip": SOURCE,
        "auth_user": None,
        "auth_realm": None,
        "from_user": "34600123123",
        "from_domain": "telco.example",
        "asserted_identity": None,
        "request_user": c.NUMBER,
    }
    rows = [c.provider(), c.provider_address("198.51.100.64/26"), c.ddi(target="device", device_id=c.DEVICE)]
    return await decided({**call, **asked}, *rows, *more, registered=registered)


async def test_a_known_number_rings_its_device() -> None:
    """With the numbers as the device writes them, no price, and no limit but that of calls."""
    done = await arrived()
    assert done.code == "allow"
    target = done.device_target
    assert (target.aor, target.contacts) == (f"casa1@{c.DOMAIN}", (HERE,))
    assert target.caller == "600123123"
    facts = call_facts(done.case, c.EDGE)
    assert (facts.direction, facts.callee, facts.caller) == ("inbound", c.NUMBER, c.MOBILE)
    assert (facts.tariff, facts.daily_limited, done.case.hold.hold_micros) == (None, False, 0)
    assert [line.step for line in done.trace][:3] == ["provider", "number", "enabled"]


@pytest.mark.parametrize("number", [c.NUMBER, c.NUMBER[1:], "00" + c.NUMBER[1:]])
async def test_without_rules_a_provider_writes_e164(number: str) -> None:
    """With plus, without it, or after 00."""
    assert (await arrived(request_user=number)).code == "allow"


async def test_a_providers_own_writing_is_understood() -> None:
    """Callee-in and caller-in of the provider's transformation set."""
    done = await arrived(
        c.provider(transformation_set_id=c.SET), request_user=c.NUMBER[3:], from_user="600123123"
    )
    assert (done.code, done.case.caller) == ("allow", c.MOBILE)


@pytest.mark.parametrize(
    ("asked", "rows", "code", "sip_code"),
    [
        ({"source_ip": "198.51.100.1"}, [], "unknown_provider", 403),
        ({"request_user": "+34911111111"}, [], "unknown_number", 404),
        ({"request_user": "torture"}, [], "unknown_number", 404),
        ({"request_user": POOLED}, [c.ddi(c.DDI_2, POOLED, owner=None)], "unassigned_number", 404),
        ({}, [c.ddi(state="porting_in")], "unknown_number", 404),
        ({}, [c.ddi(kind="out")], "unknown_number", 404),
        ({}, [c.ddi()], "no_destination", 404),
        ({}, [c.client(enabled=False)], "disabled", 403),
        ({}, [c.provider(enabled=False)], "unknown_provider", 403),
    ],
)
async def test_what_is_refused(asked: dict[str, Any], rows: list[Change], code: str, sip_code: int) -> None:
    """Each with its code."""
    done = await arrived(*rows, **asked)
    assert (done.code, done.sip_code) == (code, sip_code)


async def test_a_device_that_is_not_there_is_told_apart() -> None:
    """An expired contact is none."""
    assert (await arrived(registered=(OLD,))).code == "not_registered"
    assert (await arrived(registered=(OLD, HERE))).device_target.contacts == (HERE,)


async def test_a_direct_device_needs_no_registration() -> None:
    """It is reached at its address."""
    done = await arrived(c.device(direct_connectivity=True, ip="192.0.2.5", port=5080), registered=())
    assert done.device_target.contacts[0].uri == "sip:casa1@192.0.2.5:5080;transport=udp"


async def test_an_untrusted_address_cannot_assert_an_identity() -> None:
    """Its From is all there is."""
    asserted = "sip:+34911222333@telco.example"
    assert (await arrived(asserted_identity=asserted)).case.caller == "+34911222333"
    untrusted = c.provider_address("198.51.100.64/26", trusted=False)
    assert (await arrived(untrusted, asserted_identity=asserted)).case.caller == c.MOBILE


async def test_who_withholds_stays_unknown_to_the_device() -> None:
    """The answer holds nothing of the number, whatever the display name says."""
    done = await arrived(privacy="id", from_display="Ana 600123123")
    answer = inbound_answer(done.case, "17-x")
    assert b"600123123" not in answer
    assert msgspec.json.decode(answer)["targets"][0]["caller_name"] == "Anonymous"


async def test_the_narrowest_network_decides_and_the_linked_provider_wins() -> None:
    """Two providers of a brand at one address: the one the number is linked to."""
    other, theirs = c.PROVIDER[:-1] + "9", c.PROVIDER_ADDRESS[:-1] + "9"
    rows = [c.provider(other, name="Linked"), c.provider_address(SOURCE, other, theirs)]
    linked = c.ddi(target="device", device_id=c.DEVICE, ddi_provider_id=c.PROVIDER)
    assert (await arrived(*rows)).case.arrival.provider.name == "Linked"
    assert (await arrived(*rows, linked)).case.arrival.provider.name == "Telco"


async def test_no_free_line_is_busy_to_the_outside() -> None:
    """486, where the home's own calls get 403 (domain 4.11)."""
    reply = AdmitReply(Status.MAX_CALLS_CLIENT, limit=2, active=2)
    denials = [denial_of(reply, 0, inbound) for inbound in (True, False)]
    assert [(d.code, d.reason.sip_code) for d in denials] == [
        ("max_calls_reached", 486),
        ("max_calls_reached", 403),
    ]


async def test_without_a_direction_the_source_decides() -> None:
    """No digest and a provider's address: it comes in. With a digest it is a device behind that address."""
    assert (await arrived(direction=None)).code == "allow"
    done = await arrived(
        direction=None, auth_user="casa1", auth_realm=c.DOMAIN, from_user="casa1", from_domain=c.DOMAIN
    )
    assert not done.case.facts.inbound
