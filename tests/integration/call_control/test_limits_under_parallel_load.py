"""Promise 1: no total ever exceeds its limit, not by one call, not by one micro-unit."""

from __future__ import annotations

import asyncio
from collections import Counter

from call_control.app.keep_leases import keep_once
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.domain.live_call import Terms
from call_control.domain.replies import Status

from tests.support.calls import NOON_MS, new_call
from tests.support.money_world import SILENT_MS, World

EUR = 1_000_000
ROUNDS = 100


async def test_200_parallel_admissions_against_max_calls_10_give_exactly_10_a_hundred_times(
    world: World,
) -> None:
    """A check apart from its change lets an eleventh call through, some day."""
    for number in range(ROUNDS):
        client = f"client-{number}"
        replies = await asyncio.gather(
            *(
                world.admit(terms=Terms(), tariff=None, client_id=client, client_max_calls=10)
                for _ in range(200)
            )
        )
        statuses = Counter(reply.status for reply in replies)
        assert statuses == {Status.ADMITTED: 10, Status.MAX_CALLS_CLIENT: 190}
        assert (await world.usage(client)).active_calls == 10


async def test_a_prepaid_balance_of_1_never_goes_below_zero_under_50_parallel_calls(world: World) -> None:
    """They are admitted, answered, extended and ended in parallel, each longer than its lease."""
    await world.post(EUR)
    news = [new_call(lease_s=2, covered_s=2, hold_micros=20_000, floor_micros=20_000) for _ in range(50)]
    replies = await asyncio.gather(*(world.calls.admit(new, NOON_MS) for new in news))
    assert {reply.status for reply in replies} == {Status.ADMITTED}
    ids = [new.facts.call_id for new in news]
    await asyncio.gather(
        *(record_answer(world.calls, call_id, NOON_MS, None, NOON_MS, SILENT_MS) for call_id in ids)
    )
    for second in range(1, 8):
        await keep_once(world.calls, world.at(second), SILENT_MS)
        assert (await world.usage()).available_micros >= 0
    now = world.at(30)
    await asyncio.gather(*(record_end(world.calls, call_id, EndReport(now), now, b"key") for call_id in ids))
    usage = await world.usage()
    assert (usage.available_micros, usage.unposted_micros, usage.held_micros) == (0, EUR, 0)


async def test_a_daily_limit_is_met_exactly_by_parallel_admissions(world: World) -> None:
    """0.60 each, 3.00 a day: five, never six."""
    terms = Terms(rule="postpaid", limit_micros=3 * EUR)
    replies = await asyncio.gather(*(world.admit(terms=terms) for _ in range(60)))
    assert Counter(reply.status for reply in replies) == {Status.ADMITTED: 5, Status.DAILY_LIMIT: 55}
    assert sum(100 in reply.crossed for reply in replies) == 1
