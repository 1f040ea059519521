"""receive_call.lua, leave_device.lua and link_legs.lua: every status, and lines that are given back once."""

from __future__ import annotations

import asyncio

from call_control.app.reconcile import find_drifts
from call_control.domain.live_call import LiveCall, Terms
from call_control.domain.replies import AdmitReply, Status
from landline.kernel.ids import CallId, new_id
from msgspec.structs import replace

from tests.support.calls import new_call
from tests.support.money_world import BOTH, World

pytestmark = BOTH
DEVICE = "device-1"


async def received(world: World, **changes: object) -> AdmitReply:
    """A call from outside that rings at the device, unless told otherwise."""
    given = {"direction": "inbound", "tariff": None, "terms": Terms(), "device_id": DEVICE, **changes}
    return await world.admit(**{"device_max_calls": 0, **given})


async def live(world: World) -> list[LiveCall]:
    """Its live calls."""
    return await world.calls.live_calls([world.partition])


async def lines(world: World) -> int:
    """How many calls the device has received now."""
    found = await world.redis.hget(world.keys.client("client-1"), f"device:{DEVICE}")
    return int(found or 0)


async def test_a_received_call_takes_a_line_of_brand_client_and_device(world: World) -> None:
    """And no money, even of an empty prepaid client."""
    assert (await received(world)).status is Status.ADMITTED
    [call] = await live(world)
    assert (call.received_by, call.held_micros, call.payable_micros) == (DEVICE, 0, None)
    assert ((await world.usage()).active_calls, await lines(world)) == (1, 1)
    assert [event.type for event in await world.events()] == ["call.admitted.v1"]
    assert await find_drifts(world.calls, world.counters, [world.partition], 0) == []


async def test_each_limit_refuses_by_itself_and_counts_nothing(world: World) -> None:
    """Brand, then client, then device."""
    await received(world)
    for limit, status in (
        ("brand_max_calls", Status.MAX_CALLS_BRAND),
        ("client_max_calls", Status.MAX_CALLS_CLIENT),
        ("device_max_calls", Status.MAX_CALLS_DEVICE),
    ):
        reply = await received(world, **{limit: 1})
        assert (reply.status, reply.limit, reply.active) == (status, 1, 1)
    assert ((await world.usage()).active_calls, await lines(world)) == (1, 1)


async def test_a_call_that_rings_nowhere_takes_no_line_of_the_device(world: World) -> None:
    """It is forwarded at once, or goes to a box."""
    assert (await received(world, device_max_calls=None)).status is Status.ADMITTED
    assert await lines(world) == 0


async def test_parallel_calls_never_exceed_the_devices_lines(world: World) -> None:
    """Fifty at once, three lines."""
    replies = await asyncio.gather(*(received(world, device_max_calls=3) for _ in range(50)))
    assert sum(reply.status is Status.ADMITTED for reply in replies) == 3
    assert await lines(world) == 3


async def test_a_repeated_attempt_is_the_same_call(world: World) -> None:
    """DUPLICATE, and no second line; CALL_OVER after its end."""
    new = replace(
        new_call(0, world.now_ms, direction="inbound", tariff=None, device_id=DEVICE), device_max_calls=1
    )
    first = await world.calls.admit(new, world.now_ms)
    other = replace(new, facts=replace(new.facts, call_id=str(CallId.new(0))))
    again = await world.calls.admit(other, world.now_ms)
    assert (first.status, again.status) == (Status.ADMITTED, Status.DUPLICATE)
    assert again.call is not None
    assert again.call.call_id == new.facts.call_id
    await world.end(new.facts.call_id, 1)
    assert (await world.calls.admit(other, world.now_ms)).status is Status.CALL_OVER
    assert await lines(world) == 0


async def test_a_line_is_given_back_once(world: World) -> None:
    """By the forward, or by the end, whichever comes first; a call that talks keeps it."""
    await received(world)
    await received(world)
    first, second = await live(world)
    assert await world.calls.leave_device(first) is Status.LEFT
    assert await world.calls.leave_device(first) is Status.ALREADY
    assert await lines(world) == 1
    await world.end(first.call_id, 1)
    await world.end(second.call_id, 1)
    assert await lines(world) == 0
    ghost = replace_id(second)
    assert await world.calls.leave_device(ghost) is Status.UNKNOWN
    assert await find_drifts(world.calls, world.counters, [world.partition], 0) == []


async def test_legs_are_linked_in_their_order_and_once(world: World) -> None:
    """And the answer is kept when it is whole."""
    call = await world.admitted(terms=Terms())
    one, two = new_id(), new_id()
    assert await world.calls.link_legs(call.call_id, [one, two]) is Status.LINKED
    assert await world.calls.link_legs(call.call_id, [two], b"whole") is Status.LINKED
    known = await world.read(call.call_id)
    assert (known.legs, known.answer, known.rev) == ((one, two), b"whole", call.rev)
    assert await world.calls.link_legs(str(CallId.new(0)), [one]) is Status.UNKNOWN


def replace_id(call: LiveCall) -> LiveCall:
    """The same call by an id that nobody knows."""
    from dataclasses import replace as replaced

    return replaced(call, call_id=str(CallId.new(0)))
