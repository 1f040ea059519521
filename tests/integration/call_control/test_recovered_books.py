"""A Redis that lost its disk gets its books back from the ledger; `reconcile` compares with the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from call_control.app.reap import reap
from call_control.app.reconcile import find_ledger_drifts, repair
from call_control.domain.drift import Books
from call_control.domain.live_call import Terms
from call_control.domain.replies import Status
from call_control.domain.ticket import sign_ticket
from msgspec.structs import replace

from tests.support.calls import NOON_MS, new_call
from tests.support.money_world import BOTH, KEY, World

pytestmark = BOTH
EUR = 1_000_000
YESTERDAY, TODAY = "2026-11-21", "2026-11-22"
POSTPAID = Terms(rule="postpaid", limit_micros=EUR)


class FixedLedger:
    """What billing would say."""

    def __init__(self, **books: Books) -> None:
        self.books = {name.replace("_", "-"): book for name, book in books.items()}

    async def ledger(self, client_ids: Sequence[str]) -> dict[str, Books]:
        """As `adapters.snapshots.Peers`."""
        return {name: book for name, book in self.books.items() if name in client_ids}


async def test_lost_days_come_back_and_a_posted_call_told_again_counts_once(world: World) -> None:
    """Else a lost disk gives every client its daily limit again, and a repeated end holds money for ever."""
    call = new_call(terms=POSTPAID)
    days = {YESTERDAY: 50_000, TODAY: 300_000, "2026-11-10": 1}
    await world.postings.set_balance(0, "client-1", 4, -350_000, [call.facts.call_id], days, world.now_ms)
    ticket = sign_ticket(call.facts, call.terms, KEY)
    await world.end(call.facts.call_id, 30, answered_ms=NOON_MS, ticket=ticket)
    usage = await world.usage()
    assert (usage.day_spend_micros, usage.unposted_micros, usage.settled_micros) == (300_000, 0, -350_000)
    assert await world.redis.hget(world.keys.day("client-1", YESTERDAY), "spend_micros") == b"50000"
    assert not await world.redis.exists(world.keys.day("client-1", "2026-11-10"))
    for day in (YESTERDAY, TODAY):
        assert 0 < await world.redis.ttl(world.keys.day("client-1", day)) <= 5 * 86_400
    assert 0 < await world.redis.ttl(world.keys.settled(call.facts.call_id)) <= 7 * 86_400


async def test_a_lost_call_that_is_reported_after_all_is_corrected_once(world: World) -> None:
    """The second correction would charge it again."""
    call = await world.answered(terms=POSTPAID)
    await reap(world.calls, call, NOON_MS + 10_000, world.at(300))
    lost = await world.read(call.call_id)
    assert lost.outcome is not None
    longer = replace(lost.outcome, charge_micros=200_000, duration_s=20, spend_by_day={TODAY: 200_000})
    first = await world.calls.correct(lost, longer, world.now_ms)
    second = await world.calls.correct(await world.read(call.call_id), longer, world.now_ms)
    assert (first.status, second.status) == (Status.CORRECTED, Status.NOT_LOST)
    assert (await world.usage()).day_spend_micros == 200_000


async def test_what_ended_since_the_loss_is_not_counted_twice(world: World) -> None:
    """Its end came before the snapshot, and billing was quicker than the snapshot."""
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 30)
    reply = await world.postings.set_balance(
        0, "client-1", 2, -500_000, [call.call_id], {TODAY: 500_000}, world.now_ms
    )
    assert (reply.status, reply.was_waiting) == (Status.APPLIED, True)
    usage = await world.usage()
    assert (usage.day_spend_micros, usage.unposted_micros) == (500_000, 0)


async def test_a_redis_that_remembers_its_days_keeps_them(world: World) -> None:
    """A rebuild while calls go on must not add what is counted already."""
    await world.post(EUR)
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 30)
    await world.postings.set_balance(0, "client-1", 9, 0, ["another"], {TODAY: 800_000}, world.now_ms)
    usage = await world.usage()
    assert (usage.day_spend_micros, usage.settled_micros, usage.applied_seq) == (300_000, 0, 9)
    assert not await world.redis.exists(world.keys.settled("another"))


async def test_after_a_restore_the_ledger_is_believed_although_it_went_back(world: World) -> None:
    """Else a balance stays at postings that no longer exist, and every later one is taken for known."""
    for amount in (EUR, EUR, EUR):
        await world.post(amount)
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 30)
    forward = await world.postings.set_balance(0, "client-1", 2, 2 * EUR, [], {}, world.now_ms)
    assert forward.status is Status.STALE
    for _ in range(2):
        back = await world.postings.set_balance(0, "client-1", 2, 2 * EUR, backwards=True)
        assert back.status is Status.APPLIED
    usage = await world.usage()
    assert (usage.settled_micros, usage.applied_seq, usage.unposted_micros) == (2 * EUR, 2, 300_000)
    assert usage.day_spend_micros == 300_000


async def test_a_day_that_is_not_the_sum_of_its_records_is_drift_and_is_repaired(world: World) -> None:
    """The limit of a day is only as good as its counter."""
    await world.post(EUR)
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 30)
    await world.post(-300_000, kind="charge", call_id=call.call_id)
    right = Books(2, 700_000, {TODAY: 300_000, YESTERDAY: 70_000, "2026-11-01": 9})
    balances, days = await find_ledger_drifts(
        world.counters, FixedLedger(client_1=right), YESTERDAY, [0], pause_s=0
    )
    assert balances == []
    assert [(d.counter.day, d.found, d.right) for d in days] == [(YESTERDAY, 0, 70_000)]
    assert await world.counters.repair(days[0]) is Status.REPAIRED
    assert await world.counters.repair(days[0]) is Status.CHANGED
    assert await repair(world.counters, days) == days
    again = await find_ledger_drifts(world.counters, FixedLedger(client_1=right), YESTERDAY, [0], pause_s=0)
    assert again == ([], [])


@pytest.mark.parametrize(
    ("books", "drifts"),
    [
        (Books(1, EUR, {}), 0),
        (Books(1, EUR - 1, {}), 1),
        (Books(2, EUR - 5, {}), 0),  # a posting is on its way
    ],
)
async def test_a_balance_that_differs_at_the_same_posting_is_found(
    world: World, books: Books, drifts: int
) -> None:
    """Behind is no drift; different is."""
    await world.post(EUR)
    balances, days = await find_ledger_drifts(
        world.counters, FixedLedger(client_1=books, nobody=Books(1, 1, {})), TODAY, [0], pause_s=0
    )
    assert (len(balances), days) == (drifts, [])


async def test_a_client_with_a_waiting_charge_is_not_compared(world: World) -> None:
    """Its record may or may not be there yet."""
    await world.post(EUR)
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 30)
    ledger = FixedLedger(client_1=Books(1, EUR, {}))
    assert await find_ledger_drifts(world.counters, ledger, TODAY, [0], pause_s=0) == ([], [])
