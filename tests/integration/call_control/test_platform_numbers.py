"""Which numbers are ours, in every worker's memory (domain.md section 4.8)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from call_control.adapters import read_model_keys as keys
from call_control.adapters.platform_numbers import NumberTable, PlatformNumbers

from tests.support.money_world import BOTH, World

OURS, NEW, THEIRS = "+34944048182", "+34944048183", "+34600123123"


async def loaded(world: World, numbers: PlatformNumbers) -> asyncio.Task[None]:
    """Running, and loaded once."""
    task = asyncio.create_task(numbers.run())
    async with asyncio.timeout(5):
        while numbers.perhaps(THEIRS):
            await asyncio.sleep(0.01)
    return task


@BOTH
async def test_every_number_is_perhaps_ours_until_all_are_known(world: World) -> None:
    """A cold worker must not send an on-net call out; what is no number never is ours."""
    await world.redis.hset(keys.PLATFORM_NUMBERS, OURS, "brand-1")
    numbers = PlatformNumbers(world.batch)
    assert numbers.perhaps(THEIRS)
    task = await loaded(world, numbers)
    assert (numbers.perhaps(OURS), numbers.perhaps(THEIRS)) == (True, False)
    strange = ("", "+", "*80", "34944048182", "+" + "9" * 16, "anonymous")
    assert not any(numbers.perhaps(text) for text in strange)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@BOTH
async def test_a_new_number_counts_at_once_and_a_gap_reads_all_again(world: World) -> None:
    """By its own invalidation; what was missed comes with the next load."""
    numbers = PlatformNumbers(world.batch)
    task = await loaded(world, numbers)
    numbers.learn(NEW)
    numbers.learn("")
    assert numbers.perhaps(NEW)
    await world.redis.hset(keys.PLATFORM_NUMBERS, OURS, "brand-1")
    assert not numbers.perhaps(OURS)
    numbers.reload()
    async with asyncio.timeout(5):
        while not numbers.perhaps(OURS):
            await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_thousands_of_new_numbers_make_a_larger_table(world: World) -> None:
    """An import must not make every look-up walk: half full, the table is read anew, twice as large."""
    numbers = PlatformNumbers(world.batch)
    task = await loaded(world, numbers)
    rows = {f"+3494400{n:04d}": "brand-1" for n in range(1_500)}
    for number, brand_id in rows.items():
        await world.redis.hset(keys.PLATFORM_NUMBERS, number, brand_id)
    for number in rows:
        numbers.learn(number)
    assert all(numbers.perhaps(number) for number in rows)
    assert not numbers.perhaps("+34944009999")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_table_holds_what_was_put_in_and_nothing_else() -> None:
    """Neighbouring numbers, as ranges are bought, in any order."""
    table = NumberTable(5_000)
    for n in range(34_944_000_000, 34_944_005_000):
        table.add(n)
        table.add(n)
    assert all(n in table for n in range(34_944_000_000, 34_944_005_000))
    assert not any(n in table for n in range(34_944_005_000, 34_944_015_000))
    assert not table.full
