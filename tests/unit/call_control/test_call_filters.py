"""Call filters and spoofed callers, as tables (domain.md section 5)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from call_control.app.answers import deny_answer
from call_control.domain.denials import Denial
from call_control.domain.match_list import MatchList

from tests.support import configured as c
from tests.support.decided import Decision
from tests.unit.call_control.test_calls_from_outside import arrived

FRIEND = "+34611222333"
WEEKDAYS = [{"weekdays": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "18:00"}]


async def filtered(fields: dict[str, Any], **asked: Any) -> Decision:
    """A call to the number whose filter has these fields. LIST holds c.MOBILE and 900 numbers; ALLOW, FRIEND.

    The moment is a Sunday noon in Madrid.
    """
    rows = [
        c.ddi(target="device", device_id=c.DEVICE, call_filter_id=c.FILTER),
        c.call_filter(**fields),
        c.listed(c.MOBILE),
        c.listed(r"^\+34900"),
        c.listed(FRIEND, c.ALLOW, owner=None),
    ]
    return await arrived(*rows, **asked)


BLOCK, ALLOW = {"block_list_ids": [c.LIST]}, {"allow_list_ids": [c.ALLOW]}
TO_NUMBER = {"forward_target": "number", "forward_number": "+34699000111"}
ANONYMOUS = {"privacy": "id"}


@pytest.mark.parametrize(
    ("fields", "asked", "outcome"),
    [
        ({}, {}, "allow"),
        (BLOCK, {}, "rejected_by_filter"),
        (BLOCK, {"from_user": "34900111222"}, "rejected_by_filter"),
        (BLOCK, {"from_user": FRIEND}, "allow"),
        (BLOCK, {"from_user": "34611900111"}, "allow"),
        (BLOCK, ANONYMOUS, "rejected_by_filter"),  # a block list beats everything, withheld or not
        (BLOCK, {"from_user": "anonymous"}, "allow"),
        ({"reject_anonymous": True}, {}, "allow"),
        ({"reject_anonymous": True}, ANONYMOUS, "anonymous_rejected"),
        ({"reject_anonymous": True}, {"from_user": "anonymous"}, "anonymous_rejected"),
        ({"reject_anonymous": True, **ALLOW}, {**ANONYMOUS, "from_user": FRIEND}, "anonymous_rejected"),
        ({**ALLOW, "allow_only": True}, {}, "rejected_by_filter"),
        ({**ALLOW, "allow_only": True}, {"from_user": FRIEND}, "allow"),
        ({"schedule": WEEKDAYS}, {}, "rejected_by_filter"),
        ({"schedule": WEEKDAYS, **ALLOW}, {"from_user": FRIEND}, "allow"),
        ({"schedule": WEEKDAYS, "out_of_schedule": "forward", **TO_NUMBER}, {}, "schedule"),
        ({"closed_on": ["2026-11-22"]}, {}, "rejected_by_filter"),
        ({"closed_on": ["2026-11-22"], "timezone": "Pacific/Kiritimati"}, {}, "allow"),
        ({"unconditional_forward": True, **TO_NUMBER}, {}, "unconditional"),
        ({"unconditional_forward": True, **TO_NUMBER, **ALLOW}, {"from_user": FRIEND}, "allow"),
        ({"unconditional_forward": True, **TO_NUMBER, **BLOCK}, {}, "rejected_by_filter"),
    ],
)
async def test_a_filter_is_asked_in_its_order(
    fields: dict[str, Any], asked: dict[str, Any], outcome: str
) -> None:
    """Block lists, anonymous, allow lists, hours, unconditional forward."""
    done = await filtered(fields, **asked)
    diverted = done.case.diverted if done.refusal is None else None
    assert (diverted.reason if diverted else done.code) == outcome


async def test_the_codes_of_a_filter() -> None:
    """603 declines, 433 asks for a number (RFC 5079 section 4)."""
    assert (await filtered(BLOCK)).sip_code == 603
    assert (await filtered({"reject_anonymous": True}, **ANONYMOUS)).sip_code == 433


async def test_a_filter_may_lead_to_a_voicemail_box() -> None:
    """Of any device of the client; the device does not ring."""
    fields = {
        "unconditional_forward": True,
        "forward_target": "voicemail",
        "forward_device_id": c.OTHER_DEVICE,
    }
    done = await filtered(fields)
    assert done.box_uri == f"sip:vm+{c.OTHER_DEVICE}@default"
    assert ("filter", "Quiet forwards: unconditional") in [(s.step, s.detail) for s in done.trace]


@pytest.mark.parametrize(
    ("brand", "asked", "code"),
    [
        ({"reject_spoofed": True}, {"from_user": c.NUMBER_2}, "spoofed_caller"),
        ({"reject_spoofed": True}, {"asserted_identity": f"<sip:{c.NUMBER_2}@x>"}, "spoofed_caller"),
        ({"reject_spoofed": True}, {}, "allow"),
        ({}, {"from_user": c.NUMBER_2}, "allow"),
        ({"reject_spoofed": True}, {"from_user": c.NUMBER_2, "diversion": [{"number": c.NUMBER_2}]}, "allow"),
    ],
)
async def test_nobody_outside_is_one_of_us(brand: dict[str, Any], asked: dict[str, Any], code: str) -> None:
    """Where the brand asks for it; a call that was diverted by that number may show it."""
    done = await arrived(c.brand(**brand), **asked)
    assert done.code == code
    if code != "allow":
        assert done.sip_code == 403


async def test_a_number_in_the_pool_is_announced_while_it_is_active() -> None:
    """The caller hears that nobody has it; one in quarantine does not exist."""
    pooled = "+34944048199"
    done = await arrived(c.ddi(c.DDI_2, pooled, owner=None), request_user=pooled)
    assert isinstance(done.refusal, Denial)
    assert b'"announcement":"sip:ann+unassigned-number@default"' in deny_answer(done.refusal, "a")
    quiet = await arrived(c.ddi(c.DDI_2, pooled, owner=None, state="quarantine"), request_user=pooled)
    assert quiet.code == "unknown_number"


@pytest.mark.parametrize(
    ("target", "uri"), [("fax", "sip:fax+box@as7"), ("voicemail", f"sip:vm+{c.DEVICE}@as7")]
)
async def test_a_number_may_lead_to_a_box(target: str, uri: str) -> None:
    """Of the client's own application server; nobody need be registered."""
    ddi = c.ddi(target=target, device_id=c.DEVICE if target == "voicemail" else None, fax_id="box")
    servers = c.row("application_server_set", "s1", {"name": "Set", "servers": ["as7"]}, brand_id=None)
    done = await arrived(ddi, servers, c.client(application_server_set_id="s1"), registered=())
    assert done.box_uri == uri


def test_an_expression_that_explodes_elsewhere_is_linear_here() -> None:
    """(a|a)* and friends: a minute in a backtracking engine."""
    nasty = MatchList(regexes=[r"^(\+?[0-9]+)+$x", r"(([0-9])+)+b", "(", "^.*.*.*.*=$"])
    began = time.perf_counter()
    assert not nasty.has("+" + "1" * 15)
    assert time.perf_counter() - began < 0.5
