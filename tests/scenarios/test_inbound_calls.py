"""Calls from outside told as stories: every kind of target, every way to be refused (domain section 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from call_control.adapters.placement import Change
from landline.contracts.call_control.events import CallRejected

from tests.support import configured as c
from tests.support.inbound_story import PROVIDER_IP, STRANGER, House, at_home, neighbour
from tests.support.outbound_story import API, operator
from tests.support.stores import TestStores

POOLED = "+34944048199"


@pytest_asyncio.fixture(loop_scope="session")
async def house(stores: TestStores, tmp_path: Path) -> AsyncIterator[House]:
    """Casa, called by a provider."""
    async with at_home(stores.redis_url, tmp_path) as told:
        yield told


def led(version: int = 3, **changes: Any) -> Change:
    """Casa's number, leading to its device unless told otherwise."""
    return c.ddi(version=version, **{"target": "device", "device_id": c.DEVICE, **changes})


FILTERED = led(call_filter_id=c.FILTER)
OTHER = c.PROVIDER_ADDRESS[:-1] + "8"

REFUSALS: dict[str, tuple[list[Change], dict[str, Any], str, int]] = {
    "a stranger's address": ([], {"source_ip": "203.0.113.200"}, "unknown_provider", 403),
    "a provider switched off": ([c.provider(version=2, enabled=False)], {}, "unknown_provider", 403),
    "a number of nobody": ([], {"number": "+34911000000"}, "unknown_number", 404),
    "a number still porting in": ([led(state="porting_in")], {}, "unknown_number", 404),
    "a number ported out": ([led(state="ported_out")], {}, "unknown_number", 404),
    "a number in quarantine": ([led(state="quarantine")], {}, "unknown_number", 404),
    "a number only shown": ([led(kind="out")], {}, "unknown_number", 404),
    "a number in the pool": (
        [c.ddi(c.DDI_2[:-1] + "9", POOLED, owner=None)],
        {"number": POOLED},
        "unassigned_number",
        404,
    ),
    "a client switched off": ([c.client(3, enabled=False)], {}, "disabled", 403),
    "a device switched off": ([c.device(version=3, enabled=False)], {}, "disabled", 403),
    "a spoofed caller": (
        [c.brand(2, reject_spoofed=True)],
        {"from_user": c.NUMBER_2[1:]},
        "spoofed_caller",
        403,
    ),
    "a blocked caller": (
        [FILTERED, c.call_filter(block_list_ids=[c.LIST]), c.listed(STRANGER)],
        {},
        "rejected_by_filter",
        603,
    ),
    "an anonymous caller": (
        [FILTERED, c.call_filter(reject_anonymous=True)],
        {"privacy": "id"},
        "anonymous_rejected",
        433,
    ),
    "nobody but friends": (
        [FILTERED, c.call_filter(allow_list_ids=[c.ALLOW], allow_only=True), c.listed(c.MOBILE, c.ALLOW)],
        {},
        "rejected_by_filter",
        603,
    ),
    "a closed day": ([FILTERED, c.call_filter(closed_on=["2026-11-22"])], {}, "rejected_by_filter", 603),
    "a number that leads nowhere": ([led(target="none", device_id=None)], {}, "no_destination", 404),
    "a device that is away": ([led(device_id=c.OTHER_DEVICE)], {}, "not_registered", 480),
}


@pytest.mark.parametrize(("rows", "asked", "reason", "sip_code"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_says_why_and_counts_nothing(
    house: House, rows: list[Change], asked: dict[str, Any], reason: str, sip_code: int
) -> None:
    """Code, SIP code, sentence; the rejection with its trace on the stream; no counter moved."""
    await house.register()
    await house.story.configure(*rows)
    refused = await house.arrives(**asked)
    assert (refused["decision"], refused["reason"], refused["sip_code"]) == ("deny", reason, sip_code)
    assert refused["sentence"]
    events = await house.story.events("call.rejected.v1")
    if reason != "unknown_provider":
        told = events[-1].read(CallRejected)
        assert (told.reason, told.trace[-1]["outcome"], told.direction) == (reason, "deny", "inbound")
        assert told.remedy
        assert refused["sentence"].endswith(told.remedy)
    await house.nothing_left()


NEXT_DOOR: Any = {"from_domain": "sip.Next.example", "from_user": "next1"}


@pytest.mark.parametrize("direction", ["inbound", None])
async def test_a_providers_network_does_not_swallow_the_calls_of_another_brands_homes(
    house: House, direction: str | None
) -> None:
    """Any brand may say that its provider stands where another's homes are; they go on calling, 112 too.

    What the edge says comes from the same addresses, so it is no better informed.
    """
    asked = await house.arrives("112", direction=direction, **NEXT_DOOR)
    assert asked == {"decision": "challenge"}
    [_, _, device, _] = neighbour()
    fixed = {**(device.data or {}), "direct_connectivity": True, "ip": PROVIDER_IP, "port": 5060}
    await house.story.configure(replace(device, version=2, data=fixed))
    direct = await house.arrives(c.MOBILE, direction=direction, **NEXT_DOOR)
    assert direct["reason"] == "no_presentation_number"  # it came as far as any outbound call of that home


async def test_a_call_for_a_number_of_the_providers_brand_comes_in_whatever_from_says(house: House) -> None:
    """A carrier may leave From as another brand's edge wrote it; and a brand's own name proves nothing."""
    await house.register()
    passed_on = await house.arrives(**NEXT_DOOR)
    assert (passed_on["decision"], passed_on["client_id"]) == ("allow", c.CLIENT)
    await house.story.talk(passed_on, 1)
    own = await house.arrives("+34911000000", from_domain=c.DOMAIN)
    assert own["reason"] == "unknown_number"


async def test_an_unassigned_number_is_announced(house: House) -> None:
    """The media endpoint tells the caller."""
    await house.story.configure(c.ddi(c.DDI_2[:-1] + "9", POOLED, owner=None))
    assert (await house.arrives(POOLED))["announcement"] == "sip:ann+unassigned-number@default"


async def test_lines_of_brand_and_client_are_busy(house: House) -> None:
    """486, where the home's own calls would get 403; money and daily usage never refuse one that comes in."""
    await house.register()
    await house.story.configure(c.client(3, max_calls=1, max_daily_usage="0.00"))
    await house.story.top_up(0, sequence=2)
    first = await house.arrives()
    assert first["decision"] == "allow"
    second = await house.arrives()
    assert (second["reason"], second["sip_code"]) == ("max_calls_reached", 486)
    await house.story.configure(c.client(4, max_calls=0), c.brand(2, max_calls=1))
    assert (await house.arrives())["detail"] == "brand limit 1, active 1"
    await house.story.talk(first, 3)
    await house.nothing_left()


TARGETS: dict[str, tuple[list[Change], dict[str, Any]]] = {
    "a device, all of its contacts": (
        [led(display_name="Shop")],
        {"kind": "device", "parallel": True, "caller": STRANGER, "caller_name": "Shop", "request_user": None},
    ),
    "a device that wants the number in the request": (
        [c.device(version=3, ddi_in=True, codecs=["g722", "alaw"])],
        {"kind": "device", "request_user": c.NUMBER[3:], "codecs": ["g722", "alaw"]},
    ),
    "a fax box": ([led(target="fax", device_id=None, fax_id="box-1")], {"uri": "sip:fax+box-1@default"}),
    "a voicemail box": ([led(target="voicemail")], {"uri": f"sip:vm+{c.DEVICE}@default"}),
    "a device known by its address": (
        [c.device(version=3, direct_connectivity=True, ip="192.0.2.5", port=5080)],
        {"kind": "device", "aor": f"casa1@{c.DOMAIN}"},
    ),
}


@pytest.mark.parametrize(("rows", "wanted"), TARGETS.values(), ids=TARGETS)
async def test_every_kind_of_target(house: House, rows: list[Change], wanted: dict[str, Any]) -> None:
    """Reached, answered for ten seconds, recorded, never priced."""
    await house.register()
    await house.register(host="192.0.2.10")
    await house.story.configure(*rows)
    call = await house.arrives()
    assert call["decision"] == "allow", call
    [target] = call["targets"]
    # A foreign caller is shown by the client's caller-out: with its international prefix.
    shown = {**wanted, **({"caller": STRANGER[3:]} if "caller" in wanted else {})}
    assert shown.items() <= target.items()
    await house.story.talk(call, 10)
    [came] = (await house.ended()).values()
    assert (came.duration_s, came.charge_micros, came.call.tariff) == (10, 0, None)
    await house.nothing_left()


@pytest.mark.parametrize(("multi_contact", "reached"), [(True, 2), (False, 1)])
async def test_several_contacts_ring_or_the_latest(house: House, multi_contact: bool, reached: int) -> None:
    """As the device is configured."""
    await house.register()
    await house.register(host="192.0.2.10")
    await house.story.configure(c.device(version=3, multi_contact=multi_contact))
    call = await house.arrives()
    assert len(call["targets"][0]["contacts"]) == reached
    assert await house.story.report(call, "ended", sip_code=487) == 204


async def test_who_withholds_is_unknown_to_the_device_and_its_client(house: House) -> None:
    """Kept for operators and lawful requests."""
    await house.register()
    call = await house.arrives(privacy="id", from_display="Ana")
    [target] = call["targets"]
    assert (target["caller"], target["caller_name"], call["caller"]) == (
        "anonymous",
        "Anonymous",
        "anonymous",
    )
    await house.story.talk(call, 1)
    [came] = (await house.ended()).values()
    assert (came.call.caller, came.call.hides_caller) == (STRANGER, True)


@pytest.mark.parametrize("target", ["device", "voicemail", "fax", "number"])
async def test_a_simulation_says_what_the_call_itself_is_told(house: House, target: str) -> None:
    """Wherever it leads to: a box has no device, a device has lines that other calls may have taken."""
    boxes = {"voicemail": led(target="voicemail"), "fax": led(target="fax", device_id=None, fax_id="box-1")}
    await house.register()
    await house.story.configure(boxes.get(target, led()))
    if target == "number":
        await house.story.configure(c.call_forward("unconditional", c.MOBILE))
    for expected in ("allow", "allow", "max_calls_reached" if target == "device" else "allow"):
        body = {"direction": "inbound", "source_ip": PROVIDER_IP, "request_user": c.NUMBER}
        answer = await house.story.http.post(f"{API}/simulate", json=body, headers=operator())
        assert answer.status_code == 200, answer.text
        told = answer.json()
        came = await house.arrives()
        said = (told["denial"] or {}).get("reason") or told["decision"]
        assert said == (came.get("reason") or came["decision"]) == expected
        if expected != "allow":
            assert {k: told["denial"][k] for k in ("sip_code", "detail", "limit", "value")} == {
                k: came[k] for k in ("sip_code", "detail", "limit", "value")
            }


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ({"max_calls": 1}, "max_calls_reached"),
        ({"max_calls": 2}, "allow"),
        ({"max_calls": 0, "max_daily_usage": "1.00"}, "daily_limit_reached"),
    ],
)
async def test_a_simulated_forward_needs_room_beside_the_call_that_came_in(
    house: House, client: dict[str, Any], expected: str
) -> None:
    """The leg has a slot and money of its own: "it is allowed" must hold for the whole way."""
    await house.story.configure(c.client(3, **client), c.call_forward("unconditional", c.MOBILE))
    body = {"direction": "inbound", "source_ip": PROVIDER_IP, "request_user": c.NUMBER}
    answer = await house.story.http.post(f"{API}/simulate", json=body, headers=operator())
    assert answer.status_code == 200, answer.text
    told, came = answer.json(), await house.arrives()
    assert (came.get("reason") or came["decision"]) == expected
    assert ((told["denial"] or {}).get("reason") or told["decision"]) == expected
    if expected != "allow":
        assert told["denial"]["detail"] == came["detail"]
        assert told["trace"][-1]["step"].startswith("leg 1: ")


async def test_a_simulation_tells_how_the_call_would_go_on(house: House) -> None:
    """Forward and neighbour included; nothing is admitted, and nothing kept."""
    await house.story.configure(c.call_forward("unconditional", "+870776123456"))
    body = {"direction": "inbound", "source_ip": "198.51.100.77", "request_user": c.NUMBER}
    answer = await house.story.http.post(f"{API}/simulate", json=body, headers=operator())
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["decision"], told["denial"]["reason"]) == ("deny", "no_rate")
    steps = [line["step"] for line in told["trace"]]
    assert "target" in steps
    assert "leg 1: rate" in steps
    await house.nothing_left()
    assert await house.story.events("call.rejected.v1") == []
