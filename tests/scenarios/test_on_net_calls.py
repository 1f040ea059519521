"""Calls from one number of the platform to another (domain.md section 4.8): two calls, no carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from call_control.app.reap import reap
from landline.kernel.ids import new_id

from tests.support import configured as c
from tests.support.inbound_story import (
    NEXT_BRAND,
    NEXT_CLIENT,
    NEXT_DDI,
    NEXT_DEVICE,
    NEXT_NUMBER,
    NEXT_PARTITION,
    House,
    at_home,
    neighbour,
)
from tests.support.stores import TestStores

DIALLED = NEXT_NUMBER[3:]


@pytest_asyncio.fixture(loop_scope="session")
async def house(stores: TestStores, tmp_path: Path) -> AsyncIterator[House]:
    """Casa, and a neighbour of another brand, whose partition is another too."""
    async with at_home(stores.redis_url, tmp_path) as told:
        yield told


async def test_a_neighbour_is_called_without_a_carrier(house: House) -> None:
    """Priced as any call (0.60 a minute), no server to try, the device of the other brand rings; one report
    of the answer and one of the end do for both."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    call = await house.story.call(request_user=DIALLED)
    assert (call["decision"], call["direction"], call["routes"]) == ("allow", "inbound", [])
    [target] = call["targets"]
    assert (target["aor"], target["caller"]) == ("next1@sip.next.example", c.NUMBER)
    assert (call["brand_id"], call["client_id"]) == (NEXT_BRAND, NEXT_CLIENT)
    assert (await house.story.usage())["held"] == "0.60"
    assert await house.story.report(call, "ringing") == 204
    assert {live.state.value for live in await house.story.parts.store.live_calls()} == {"ringing"}
    assert await house.story.report(call, "answered") == 204
    house.story.clock.advance_s(60)
    assert await house.story.report(call, "ended", ticket=call["ticket"]) == 204
    ended = await house.ended()
    out, arrived = ended[call["call_id"]], ended[call["child_call_id"]]
    assert (out.charge_micros, out.carrier_id, out.call.on_net) == (600_000, None, True)
    assert (arrived.duration_s, arrived.charge_micros, arrived.call.client_id) == (60, 0, NEXT_CLIENT)
    assert arrived.call.parent_call_id == call["call_id"]
    await house.nothing_left()


async def test_a_refusal_of_the_called_side_is_the_callers_answer(house: House) -> None:
    """The outbound call is undone by its end: no hold, no slot, cause onnet_refused; the same again."""
    attempt = new_id()
    refused = await house.story.call(request_user=DIALLED, attempt_id=attempt)
    assert (refused["decision"], refused["reason"], refused["sip_code"]) == ("deny", "not_registered", 480)
    again = await house.story.call(request_user=DIALLED, attempt_id=attempt)
    assert again == refused
    [out] = (await house.ended()).values()
    assert (out.cause, out.sip_code, out.charge_micros) == ("onnet_refused", 480, 0)
    assert (await house.story.usage())["available"] == "10.00"
    [told] = await house.story.events("call.rejected.v1", NEXT_PARTITION)
    assert told.client_id == NEXT_CLIENT
    await house.nothing_left()


async def test_a_full_neighbour_is_busy(house: House) -> None:
    """Refused by the script of the other partition: 486, and undone just the same."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    rows = neighbour(max_calls=1)
    await house.story.configure(
        *(c.row(r.entity, r.entity_id, r.data, 2, brand_id=r.brand_id, client_id=r.client_id) for r in rows)
    )
    first = await house.story.call(request_user=DIALLED)
    second = await house.story.call(request_user=DIALLED)
    assert (second["reason"], second["sip_code"]) == ("max_calls_reached", 486)
    assert (await house.story.usage())["active_calls"] == 1
    assert await house.story.report(first, "ended", sip_code=487) == 204
    await house.nothing_left()


async def test_the_caller_without_money_reaches_nobody(house: House) -> None:
    """The outbound side is admitted first: nothing of the called side is touched."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    await house.story.top_up(0, sequence=2)
    refused = await house.story.call(request_user=DIALLED)
    assert (refused["reason"], refused["sip_code"]) == ("no_credit", 402)
    assert await house.ended() == {}
    await house.nothing_left()


async def test_a_number_that_has_left_goes_out_by_a_carrier(house: House) -> None:
    """Ported away a moment ago, and workers still think of it as ours: it is called outside."""
    ddi = {"number": NEXT_NUMBER, "client_id": NEXT_CLIENT, "kind": "inout", "state": "ported_out"}
    await house.story.configure(c.row("ddi", NEXT_DDI, ddi, 2, brand_id=NEXT_BRAND, client_id=NEXT_CLIENT))
    call = await house.story.call(request_user=DIALLED)
    assert [route["server_id"] for route in call["routes"]] == [c.SERVER, c.SERVER_2]
    await house.story.talk(call, 10)
    [out] = (await house.ended()).values()
    assert not out.call.on_net
    await house.nothing_left()


async def test_who_withholds_is_unknown_next_door(house: House) -> None:
    """To device and client; the operator of the called brand knows."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    call = await house.story.call(request_user=DIALLED, privacy="id")
    assert (call["targets"][0]["caller"], call["targets"][0]["caller_name"]) == ("anonymous", "Anonymous")
    assert await house.story.report(call, "ended", sip_code=487) == 204
    ended = await house.ended()
    assert ended[call["child_call_id"]].call.hides_caller
    assert not ended[call["call_id"]].call.hides_caller
    await house.nothing_left()


async def test_the_neighbours_device_fails_and_its_forward_is_the_neighbours(house: House) -> None:
    """`/failed` on the first call of the dialog: the called side moves on; out again, and billed to Casa's
    neighbour, who is not billed at all."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    forward = {
        "device_id": NEXT_DEVICE,
        "kind": "busy",
        "enabled": True,
        "target": "number",
        "number": c.NUMBER_2,
    }
    await house.story.configure(
        c.row("call_forward", new_id(), forward, brand_id=NEXT_BRAND, client_id=NEXT_CLIENT)
    )
    await house.register(c.OTHER_DEVICE, host="192.0.2.77")
    call = await house.story.call(request_user=DIALLED)
    onward = await house.failed(call, 486)
    assert onward["call_id"] == call["child_call_id"]
    assert onward["targets"][0]["aor"] == f"casa2@{c.DOMAIN}"
    leg = {"leg_call_id": onward["child_call_id"]}
    assert await house.story.report(call, "answered", **leg) == 204
    house.story.clock.advance_s(60)
    assert await house.story.report(call, "ended", **leg) == 204
    ended = await house.ended()
    assert len(ended) == 4
    assert {each.duration_s for each in ended.values()} == {60}
    assert sum(each.charge_micros for each in ended.values()) == 600_000
    await house.nothing_left()


async def test_an_on_net_call_cut_short_by_a_crash_is_reaped(house: House) -> None:
    """Only the outbound side was admitted when the worker died: the reaper gives everything back."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    call = await house.story.call(request_user=DIALLED)
    store = house.story.parts.store
    for live in await store.live_calls():
        assert await reap(store, live, house.story.clock.now_ms(), house.story.clock.now_ms())
    assert {each.cause for each in (await house.ended()).values()} == {"lost"}
    assert call["call_id"] in await house.ended()
    await house.nothing_left()


async def test_two_neighbours_in_parallel_never_exceed_a_line(house: House) -> None:
    """Twenty callers at once, one line next door: one rings, nineteen are undone without a trace."""
    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    device = {"name": "next1", "client_id": NEXT_CLIENT, "max_calls": 1, "enabled": True}
    await house.story.configure(
        c.client(3, max_calls=0, billing_method="none"),
        c.row("device", NEXT_DEVICE, device, 2, brand_id=NEXT_BRAND, client_id=NEXT_CLIENT),
    )
    answers = await asyncio.gather(*(house.story.call(request_user=DIALLED) for _ in range(20)))
    allowed = [each for each in answers if each["decision"] == "allow"]
    assert len(allowed) == 1
    assert {each["reason"] for each in answers if each not in allowed} == {"max_calls_reached"}
    assert await house.story.report(allowed[0], "ended", sip_code=487) == 204
    await house.nothing_left()
