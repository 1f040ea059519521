"""One client with very many live calls: 2,000 here, 100,000 with LANDLINE_HEAVY=1 (`make chaos` sets it)."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from call_control.adapters import scripts
from call_control.app.heartbeat import _end_gone
from call_control.app.keep_leases import keep_once
from call_control.app.list_calls import Place, list_calls
from call_control.app.reconcile import find_drifts
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.domain.live_call import Terms

from tests.support.calls import EDGE, NOON_MS, new_call
from tests.support.money_world import KEY, SILENT_MS, World

HEAVY = os.environ.get("LANDLINE_HEAVY") == "1"
CALLS = 100_000 if HEAVY else 2_000
AT_ONCE = 500
ONE_CALL = (b"HGETALL {p0}:landline:call:", b"HMGET")  # slow only where the whole machine is
POSTPAID = Terms(rule="postpaid", limit_micros=10**12)


async def test_a_client_with_a_hundred_thousand_calls_is_kept_listed_and_settled(world: World) -> None:
    """A call centre on one account: neither keeper, nor list, nor the next admission may choke on it."""
    ids = []
    for start in range(0, CALLS, AT_ONCE):
        at_ms = NOON_MS - (CALLS - start) // 10  # fifty a millisecond
        new = [new_call(0, at_ms + n // 50, POSTPAID) for n in range(min(AT_ONCE, CALLS - start))]
        await asyncio.gather(*(world.calls.admit(each, each.facts.admitted_at_ms) for each in new))
        ids += [each.facts.call_id for each in new]
        answers = (record_answer(world.calls, i, NOON_MS, None, NOON_MS, SILENT_MS) for i in ids[start:])
        await asyncio.gather(*answers)
    usage = await world.usage()
    assert (usage.active_calls, usage.held_micros) == (CALLS, CALLS * 600_000)
    assert usage.day_held_micros == usage.held_micros

    begun = time.monotonic()
    one = new_call(0, NOON_MS, POSTPAID)
    assert (await world.calls.admit(one, NOON_MS)).status == "ADMITTED"
    assert time.monotonic() - begun < 0.5, "an admission does not grow with the calls there are"
    await record_end(world.calls, one.facts.call_id, EndReport(NOON_MS), NOON_MS, KEY)

    await never_slow(world, lambda: find_drifts(world.calls, world.counters, [0], pause_s=0))

    due_ms, looks = world.at(41), 0
    while (kept := await keep_once(world.calls, due_ms, SILENT_MS)).extended:
        looks += 1
        assert kept.next_due_ms is not None, "while there are more, it looks again at once"
    assert looks >= CALLS / AT_ONCE
    assert (await world.usage()).held_micros == CALLS * 1_200_000
    for start in range(0, CALLS, AT_ONCE):
        over = EndReport(NOON_MS + 50_000)
        part = ids[start : start + AT_ONCE]
        await asyncio.gather(*(record_end(world.calls, i, over, NOON_MS + 50_000, KEY) for i in part))
    usage = await world.usage()
    assert (usage.active_calls, usage.held_micros) == (0, 0)
    assert usage.unposted_micros == usage.day_spend_micros == CALLS * 500_000
    assert await find_drifts(world.calls, world.counters, [0], pause_s=0) == []


async def never_slow(world: World, work: Callable[[], Awaitable[Any]]) -> Any:
    """Do some work, of which no command may hold up Redis for 10 ms: admissions of all brands wait behind it.

    What was slow because the machine was busy is fast when it is done again, and one call's hash is small.
    """
    for _ in range(3):
        await world.redis.config_set("slowlog-log-slower-than", 10_000)
        await world.redis.slowlog_reset()
        found = await work()
        slow = [entry["command"][:80] for entry in await world.redis.slowlog_get(100)]
        slow = [each for each in slow if not each.startswith(ONE_CALL)]
        if not slow:
            return found
    raise AssertionError(f"slow, three times: {slow}")


async def admitted_at_once(world: World, count: int) -> list[str]:
    """Calls of one client, all in the same millisecond; the ids, newest first in the list."""
    ids = []
    for start in range(0, count, AT_ONCE):
        new = [new_call(0, NOON_MS, POSTPAID) for _ in range(min(AT_ONCE, count - start))]
        await asyncio.gather(*(world.calls.admit(each, NOON_MS) for each in new))
        ids += [each.facts.call_id for each in new]
    return sorted(ids, reverse=True)


async def test_pages_are_pages_also_of_calls_of_one_millisecond(world: World) -> None:
    """A cursor into 100,000 calls of one moment: each page took seconds, for reading all before it."""
    ids = await admitted_at_once(world, CALLS)
    cpu_ms: list[float] = []

    async def pages() -> list[str]:
        seen: list[str] = []
        after: Place | None = Place(NOON_MS, ids[CALLS // 2])
        for _ in range(20):
            begun = time.process_time()
            page = await list_calls(world.calls, [0], lambda _call: True, 50, after)
            cpu_ms.append((time.process_time() - begun) * 1000)
            seen, after = seen + [call.call_id for call in page.calls], page.following
        return seen

    assert await never_slow(world, pages) == ids[CALLS // 2 + 1 : CALLS // 2 + 1001]
    assert statistics.quantiles(cpu_ms, n=20)[-1] < 50
    print(f"page of 50 of {CALLS} calls: {statistics.quantiles(cpu_ms, n=20)[-1]:.1f} ms of CPU (p95)")
    await never_slow(world, lambda: find_drifts(world.calls, world.counters, [0], pause_s=0))
    await never_slow(world, lambda: world.calls.calls_of_edge(EDGE))
    assert len(await _end_gone(world.calls, EDGE, NOON_MS, NOON_MS + 1)) == CALLS, "its edge has restarted"
    assert (await world.usage()).active_calls == 0


async def test_a_cursor_stays_good_when_its_call_ends(world: World) -> None:
    """People page while calls end: none of those that go on is shown twice or left out."""
    ids = await admitted_at_once(world, 300)
    earlier = new_call(0, NOON_MS - 5, POSTPAID)
    await world.calls.admit(earlier, NOON_MS - 5)
    seen: list[str] = []
    after: Place | None = None
    while True:
        page = await list_calls(world.calls, [0], lambda _call: True, 20, after)
        seen += [call.call_id for call in page.calls]
        after = page.following
        if after is None:
            break
        await record_end(world.calls, after.call_id, EndReport(NOON_MS), NOON_MS, KEY)
        await record_end(world.calls, seen[0], EndReport(NOON_MS), NOON_MS, KEY)
    assert seen == [*ids, earlier.facts.call_id]
    assert await scripts.LIST_LIVE.run(world.batch, [world.keys.live], ["", "", 0]) == [b"LISTED"]
