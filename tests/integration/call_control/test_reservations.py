"""Money reserved for an operation on a balance: calls can't spend it, and it can't take what they hold."""

from __future__ import annotations

import pytest
from call_control.adapters.reservations import RESERVED_MS, Reservations
from call_control.app.reconcile import find_drifts
from call_control.domain.replies import Status

from tests.support.calls import NOON_MS
from tests.support.money_world import BOTH, World

EUR = 1_000_000
CLIENT = "client-1"


@BOTH
async def test_what_is_reserved_is_not_there_for_calls(world: World) -> None:
    """1.00, of which 0.50 are about to be taken: a call that needs 0.60 for its first minute is refused."""
    money = Reservations(world.batch)
    await world.post(EUR)
    assert await money.reserve(0, CLIENT, "op-1", EUR // 2, NOON_MS) == (Status.RESERVED, EUR // 2)
    assert await money.reserve(0, CLIENT, "op-1", EUR // 2, NOON_MS) == (Status.RESERVED, EUR // 2), "once"
    assert (await world.admit()).status is Status.NO_CREDIT
    assert await find_drifts(world.calls, world.counters, [0], pause_s=0) == []
    assert await money.release(0, CLIENT, "op-1") == "RELEASED"
    assert await money.release(0, CLIENT, "op-1") == "UNKNOWN"
    assert (await world.admit()).status is Status.ADMITTED


async def test_what_calls_hold_cannot_be_reserved(world: World) -> None:
    """0.60 are on a live call: 0.41 of 1.00 are too much by a cent."""
    money = Reservations(world.batch)
    await world.post(EUR)
    await world.admitted()
    assert await money.reserve(0, CLIENT, "op-1", 410_000, NOON_MS) == (Status.SHORT, 400_000)
    assert await money.reserve(0, CLIENT, "op-2", 400_000, NOON_MS) == (Status.RESERVED, 0)
    assert (await world.usage()).held_micros == EUR


async def test_the_posting_of_the_operation_takes_the_place_of_its_hold(world: World) -> None:
    """Delivered twice: the money is gone once, and nothing stays held."""
    money = Reservations(world.batch)
    await world.post(EUR)
    await money.reserve(0, CLIENT, "op-1", 300_000, NOON_MS)
    await world.post(-300_000, kind="adjustment", operation_id="op-1")
    usage = await world.usage()
    assert (usage.settled_micros, usage.held_micros, usage.available_micros) == (700_000, 0, 700_000)
    assert await find_drifts(world.calls, world.counters, [0], pause_s=0) == []


@pytest.mark.parametrize(("after_ms", "released"), [(RESERVED_MS - 1, 0), (RESERVED_MS, 1)])
async def test_an_operation_that_never_posts_gives_its_money_back(
    world: World, after_ms: int, released: int
) -> None:
    """billing died between reserving and posting: a minute later the family can call again."""
    money = Reservations(world.batch)
    await world.post(EUR)
    await money.reserve(0, CLIENT, "op-1", EUR, NOON_MS)
    assert await money.sweep(NOON_MS + after_ms) == released
    assert (await world.usage()).available_micros == EUR * released
    assert await money.sweep(NOON_MS + after_ms) == 0
