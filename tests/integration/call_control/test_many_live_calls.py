"""One client with very many live calls: 2,000 here, 100,000 with LANDLINE_HEAVY=1 (`make chaos` sets it)."""

from __future__ import annotations

import asyncio
import os
import time

from call_control.app.keep_leases import keep_once
from call_control.app.list_calls import Place, list_calls
from call_control.app.reconcile import find_drifts
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.domain.live_call import Terms

from tests.support.calls import NOON_MS, new_call
from tests.support.money_world import KEY, SILENT_MS, World

HEAVY = os.environ.get("LANDLINE_HEAVY") == "1"
CALLS = 100_000 if HEAVY else 2_000
AT_ONCE = 500
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

    begun, seen, after = time.monotonic(), 0, None
    for _ in range(3):
        page = await list_calls(world.calls, [0], lambda _call: True, 500, after)
        seen, after = seen + len(page.calls), page.following
    assert seen == 1_500
    assert isinstance(after, Place)
    assert time.monotonic() - begun < 5, "a page reads a page, not all there is"

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
