"""end_call, correct_call, apply_posting, set_balance, repair_counter: every status."""

from __future__ import annotations

from dataclasses import replace

import pytest
from call_control.adapters import scripts
from call_control.adapters.settlement_arguments import correction_id, end_arguments
from call_control.app.keep_leases import keep_once
from call_control.app.reap import reap
from call_control.app.reconcile import balance_drifts, find_drifts, repair
from call_control.domain.live_call import LiveCall, State, Terms
from call_control.domain.replies import Status
from landline.contracts.call_control.events import CallCorrected, CallEnded
from redis.exceptions import ResponseError

from tests.support.calls import NOON_MS, new_call
from tests.support.money_world import BOTH, SILENT_MS, World

pytestmark = BOTH

EUR = 1_000_000
TODAY = "2026-11-22"
PREPAID = Terms(rule="prepaid")


def outcome(call: LiveCall, charge: int, days: dict[str, int] | None = None) -> CallEnded:
    """An end that charges so much."""
    spend = days if days is not None else ({TODAY: charge} if charge else {})
    return CallEnded(
        call=call.facts,
        ended_at_ms=NOON_MS + 30_000,
        answered_at_ms=NOON_MS,
        duration_s=30,
        charge_micros=charge,
        spend_by_day=spend,
    )


async def test_the_end_turns_the_hold_into_an_unposted_charge(world: World) -> None:
    """Hold released, slots free, charge waiting, event written: all of it or none."""
    await world.post(EUR)
    call = await world.answered(terms=PREPAID)
    reply = await world.calls.end(call, outcome(call, 300_000), world.now_ms)
    usage, ended = await world.usage(), await world.read(call.call_id)
    assert (reply.status, ended.state, ended.outcome) == (
        Status.ENDED,
        State.ENDED,
        outcome(call, 300_000),
    )
    assert (usage.active_calls, usage.held_micros, usage.unposted_micros) == (0, 0, 300_000)
    assert (usage.available_micros, usage.day_spend_micros, usage.day_held_micros) == (700_000, 300_000, 0)
    assert usage.day_begun_micros == 0
    assert await world.postings.unposted(0, "client-1") == {call.call_id: 300_000}
    assert await world.calls.live_calls([0]) == []
    assert [event.read(CallEnded).charge_micros for event in await world.events("call.ended.v1")] == [300_000]


async def test_an_ended_call_keeps_its_first_outcome(world: World) -> None:
    """The second report must not charge again."""
    call = await world.answered(terms=Terms(rule="postpaid"))
    await world.calls.end(call, outcome(call, 300_000), world.now_ms)
    again = await world.read(call.call_id)
    reply = await world.calls.end(again, outcome(call, 999_999), world.now_ms)
    assert reply.status is Status.ALREADY_ENDED
    assert (await world.usage()).unposted_micros == 300_000
    assert len(await world.events("call.ended.v1")) == 1


async def test_an_end_on_another_revision_or_of_an_unknown_call_does_nothing(world: World) -> None:
    """A lease was added since it was priced; or there is no such call."""
    call = await world.answered(terms=Terms(rule="postpaid"))
    stale = await world.calls.end(replace(call, rev=1), outcome(call, 0), world.now_ms)
    other = new_call().facts
    unknown = await world.calls.end(
        replace(call, call_id=other.call_id, facts=other), outcome(call, 0), world.now_ms
    )
    assert (stale.status, unknown.status) == (Status.CONFLICT, Status.UNKNOWN)
    assert (await world.usage()).active_calls == 1


@pytest.mark.parametrize(
    ("terms", "short"),
    [
        (Terms(rule="prepaid"), (100_000, None)),
        (Terms(rule="postpaid", limit_micros=650_000), (None, 50_000)),
    ],
)
async def test_a_charge_above_the_hold_needs_money_that_is_free(
    world: World, terms: Terms, short: tuple[int | None, int | None]
) -> None:
    """Calls never take a prepaid balance below zero, nor a day above its limit."""
    await world.post(700_000)
    call = await world.answered(terms=terms)
    reply = await world.calls.end(call, outcome(call, 900_000), world.now_ms)
    assert (reply.status, reply.available_micros, reply.room_micros) == (Status.SHORT, *short)
    assert (await world.read(call.call_id)).state is State.ANSWERED


async def test_postpaid_credit_does_not_limit_what_was_talked(world: World) -> None:
    """Overrun is written off for prepaid and daily-limited calls only (domain 6)."""
    call = await world.answered(terms=Terms(rule="postpaid", credit_micros=600_000))
    reply = await world.calls.end(call, outcome(call, 900_000), world.now_ms)
    assert (reply.status, (await world.usage()).available_micros) == (Status.ENDED, -900_000)


async def test_shares_that_do_not_add_up_change_nothing(world: World) -> None:
    """The sum over records must equal the day's counter."""
    call = await world.answered(terms=Terms(rule="postpaid"))
    wrong = outcome(call, 300_000, {TODAY: 299_999})
    with pytest.raises(ResponseError, match="BAD_ARGUMENT shares"):
        await world.calls.end(call, wrong, world.now_ms)
    hidden = replace(call, holds={})
    names, values = end_arguments(hidden, outcome(call, 0), world.at(86_400), False, False, False)
    with pytest.raises(ResponseError, match="BAD_ARGUMENT shares"):
        await scripts.END.run(world.batch, names, values)
    assert (await world.read(call.call_id)).state is State.ANSWERED


async def test_a_ringing_call_gives_its_hold_back_without_ever_having_begun(world: World) -> None:
    """begun_micros below zero would hide the next client's threshold."""
    call = await world.admitted(terms=Terms(rule="postpaid"))
    await world.calls.end(call, outcome(call, 0), world.now_ms)
    usage = await world.usage()
    assert (usage.day_held_micros, usage.day_begun_micros, usage.day_spend_micros) == (0, 0, 0)
    assert usage.unposted_micros == 0


async def test_an_end_across_midnight_settles_each_day(world: World) -> None:
    """Oldest first: yesterday's lease is spent, today's is released."""
    midnight_s = 12 * 3600
    world.at(midnight_s - 40)
    call = await world.answered(at_s=midnight_s - 40, terms=Terms(rule="postpaid"))
    assert (await keep_once(world.calls, world.at(midnight_s + 1), SILENT_MS)).extended == 1
    assert (await world.usage()).day_begun_micros == 600_000
    await world.end(call.call_id, midnight_s + 40)
    ended = await world.read(call.call_id)
    assert ended.outcome is not None
    assert ended.outcome.spend_by_day == {TODAY: 600_000, "2026-11-23": 200_000}
    old = await world.redis.hgetall(world.keys.day("client-1", TODAY))
    usage = await world.usage()
    assert (old[b"spend_micros"], old[b"held_micros"]) == (b"600000", b"0")
    assert (usage.day, usage.day_spend_micros, usage.day_held_micros, usage.held_micros) == (
        "2026-11-23",
        200_000,
        0,
        0,
    )


async def test_a_lost_call_is_corrected_once(world: World) -> None:
    """The real report came after all: the difference is charged, one event, then never again."""
    await world.post(2 * EUR)
    call = await world.answered(terms=PREPAID)
    world.at(300)
    assert await reap(world.calls, call, NOON_MS + 60_000, world.now_ms)
    lost = await world.read(call.call_id)
    assert (lost.lost, lost.outcome and lost.outcome.charge_micros) == (True, 600_000)
    await world.end(call.call_id, 90)
    await world.end(call.call_id, 120)
    again = await world.read(call.call_id)
    assert again.outcome is not None
    assert (again.lost, again.outcome.charge_micros, again.outcome.duration_s) == (False, 900_000, 90)
    reply = await world.calls.correct(again, outcome(call, 1), world.now_ms)
    assert reply.status is Status.NOT_LOST
    (event,) = await world.events("call.corrected.v1")
    told = event.read(CallCorrected)
    assert (told.correction_id, told.ended.charge_micros) == (correction_id(call.call_id), 900_000)
    usage = await world.usage()
    assert (usage.unposted_micros, usage.day_spend_micros) == (900_000, 900_000)


async def test_a_correction_downwards_gives_money_back(world: World) -> None:
    """A call charged to its last lease ended sooner."""
    await world.post(2 * EUR)
    call = await world.answered(terms=PREPAID)
    await reap(world.calls, call, NOON_MS + 60_000, world.at(300))
    await world.end(call.call_id, 20)
    waiting = await world.postings.unposted(0, "client-1")
    assert waiting == {call.call_id: 600_000, correction_id(call.call_id): -400_000}
    assert (await world.usage()).available_micros == 2 * EUR - 200_000
    assert (await world.usage()).day_spend_micros == 200_000


async def test_a_correction_is_charged_only_as_far_as_it_can_be_paid(world: World) -> None:
    """The money may be with another call by now."""
    await world.post(700_000)
    call = await world.answered(terms=PREPAID)
    await reap(world.calls, call, NOON_MS + 60_000, world.at(300))
    lost = await world.read(call.call_id)
    short = await world.calls.correct(lost, outcome(call, 800_000), world.now_ms)
    assert (short.status, short.available_micros) == (Status.SHORT, 100_000)
    await world.end(call.call_id, 290)
    told = (await world.read(call.call_id)).outcome
    assert told is not None
    assert (told.charge_micros, told.duration_s, told.unbilled_s) == (700_000, 70, 220)
    assert (await world.usage()).available_micros == 0


async def test_a_correction_of_a_live_or_unknown_call_or_an_old_revision_does_nothing(world: World) -> None:
    """Only a lost call can be corrected."""
    call = await world.answered(terms=Terms(rule="postpaid"))
    assert (await world.calls.correct(call, outcome(call, 0), NOON_MS)).status is Status.CONFLICT
    await reap(world.calls, call, NOON_MS, NOON_MS)
    lost = await world.read(call.call_id)
    gone = new_call().facts
    unknown = replace(lost, call_id=gone.call_id, facts=gone)
    assert (await world.calls.correct(unknown, outcome(call, 0), NOON_MS)).status is Status.UNKNOWN


async def test_the_posting_of_a_call_replaces_its_waiting_charge(world: World) -> None:
    """available stays the same: the ledger now says what Redis held back."""
    await world.post(EUR)
    call = await world.answered(terms=PREPAID)
    await world.calls.end(call, outcome(call, 300_000), world.now_ms)
    before = (await world.usage()).available_micros
    reply = await world.post(-300_000, kind="charge", call_id=call.call_id)
    usage = await world.usage()
    assert (reply.status, reply.was_waiting) == (Status.APPLIED, True)
    assert (usage.available_micros, usage.unposted_micros, usage.settled_micros) == (before, 0, 700_000)


async def test_a_posting_is_applied_once_and_a_gap_is_told(world: World) -> None:
    """Redelivery must not pay twice, a lost message must not go unnoticed."""
    await world.post(EUR)
    world.sequences["client-1"] = 0
    stale = await world.post(EUR)
    world.sequences["client-1"] = 2
    gap = await world.post(EUR)
    assert (stale.status, stale.applied_seq) == (Status.STALE, 1)
    assert (gap.status, gap.applied_seq) == (Status.GAP, 1)
    assert (await world.usage()).settled_micros == EUR


async def test_a_charge_posted_before_its_end_is_not_held_back_again(world: World) -> None:
    """Redis lost the end that billing has; the edge tells it again: only hold and slots are freed."""
    await world.post(EUR)
    call = await world.answered(terms=PREPAID)
    reply = await world.post(-300_000, kind="charge", call_id=call.call_id)
    assert (reply.status, reply.was_waiting) == (Status.APPLIED, False)
    await world.calls.end(call, outcome(call, 300_000), world.now_ms)
    usage = await world.usage()
    assert (usage.unposted_micros, usage.held_micros, usage.available_micros) == (0, 0, 700_000)
    assert 0 < await world.redis.ttl(world.keys.settled(call.call_id)) <= 7 * 86_400


async def test_the_posting_of_a_correction_frees_the_correction_only(world: World) -> None:
    """Charge and correction are two postings of one call."""
    await world.post(2 * EUR)
    call = await world.answered(terms=PREPAID)
    await reap(world.calls, call, NOON_MS + 60_000, world.at(300))
    await world.end(call.call_id, 20)
    this = correction_id(call.call_id)
    await world.post(400_000, kind="adjustment", call_id=call.call_id, operation_id=this)
    assert await world.postings.unposted(0, "client-1") == {call.call_id: 600_000}
    await world.post(-600_000, kind="charge", call_id=call.call_id)
    usage = await world.usage()
    assert (usage.unposted_micros, usage.settled_micros) == (0, 2 * EUR - 200_000)


async def test_a_rerating_posting_that_names_a_call_frees_nothing(world: World) -> None:
    """Its call may still wait for its own charge."""
    await world.post(EUR)
    call = await world.answered(terms=PREPAID)
    await world.calls.end(call, outcome(call, 300_000), world.now_ms)
    await world.post(-1, kind="adjustment", call_id=call.call_id, operation_id="rerate-1")
    assert (await world.usage()).unposted_micros == 300_000


async def test_a_snapshot_moves_a_balance_forward_only(world: World) -> None:
    """A slow snapshot must not undo postings that came meanwhile."""
    call = await world.answered(terms=Terms(rule="postpaid"))
    await world.calls.end(call, outcome(call, 300_000), world.now_ms)
    reply = await world.postings.set_balance(0, "client-1", 5, 700_000, [call.call_id, "never-heard-of"])
    assert (reply.status, reply.was_waiting) == (Status.APPLIED, True)
    stale = await world.postings.set_balance(0, "client-1", 5, 1)
    usage = await world.usage()
    assert (stale.status, stale.applied_seq) == (Status.STALE, 5)
    assert (usage.settled_micros, usage.applied_seq, usage.unposted_micros) == (700_000, 5, 0)


async def test_reconcile_finds_drift_and_repairs_it_unless_it_moved(world: World) -> None:
    """A counter that leaked refuses calls for ever."""
    await world.answered(terms=Terms(rule="postpaid"))
    await world.admitted(terms=Terms(rule="postpaid"))
    assert await find_drifts(world.calls, world.counters, [0], pause_s=0) == []
    await world.redis.hincrby(world.keys.client("client-1"), "active", 3)
    await world.redis.hincrby(world.keys.brand("brand-1"), "active", -1)
    await world.redis.hincrby(world.keys.client("client-1"), "unposted_micros", 5)
    await world.redis.hincrby(world.keys.day("client-1", TODAY), "begun_micros", 7)
    wrong = await find_drifts(world.calls, world.counters, [0], pause_s=0)
    assert [(d.counter.kind, d.counter.field, d.found, d.right) for d in wrong] == [
        ("brand", "active", 1, 2),
        ("client", "active", 5, 2),
        ("client", "unposted_micros", 5, 0),
        ("day", "begun_micros", 600_007, 600_000),
    ]
    await world.redis.hincrby(world.keys.client("client-1"), "unposted_micros", 1)
    assert [left.counter.field for left in await repair(world.counters, wrong)] == ["unposted_micros"]
    await repair(world.counters, await find_drifts(world.calls, world.counters, [0], pause_s=0))
    assert await find_drifts(world.calls, world.counters, [0], pause_s=0) == []


async def test_a_balance_that_differs_at_the_same_posting_is_drift(world: World) -> None:
    """Behind is no drift: the posting is on its way."""
    await world.post(EUR)
    ahead = await balance_drifts(world.counters, 0, {"client-1": (2, 5), "nobody": (1, 5)})
    same = await balance_drifts(world.counters, 0, {"client-1": (1, EUR)})
    wrong = await balance_drifts(world.counters, 0, {"client-1": (1, EUR - 1)})
    assert (ahead, same) == ([], [])
    assert [(d.found_micros, d.right_micros) for d in wrong] == [(EUR, EUR - 1)]
