"""ring_call, answer_call, extend_lease, defer_call, touch_call: every status."""

from __future__ import annotations

from dataclasses import replace

import pytest
from call_control.domain.lease import Begun, Extend, Lease, begin, next_step
from call_control.domain.live_call import LiveCall, State, Terms
from call_control.domain.replies import Reply, Status, TouchReply
from landline.contracts.call_control.events import CallAnswered, DailyUsageCrossed
from redis.exceptions import ResponseError

from tests.support.calls import EDGE, NOON_MS, new_call
from tests.support.money_world import BOTH, SILENT_MS, World

pytestmark = BOTH

EUR = 1_000_000
CROSSED = "daily_usage.crossed.v1"
POSTPAID = Terms(rule="postpaid")


def ghost(call: LiveCall) -> LiveCall:
    """The same call under an id that nobody knows."""
    facts = new_call().facts
    return replace(call, call_id=facts.call_id, facts=facts)


def more(call: LiveCall, add: int, covered_s: int, **lease: object) -> Extend:
    """One more lease by hand."""
    given = Lease(covered_s, call.held_micros + add, **lease)  # type: ignore[arg-type]
    return Extend(given, add, NOON_MS + 1000, None)


async def test_ringing_is_recorded_once(world: World) -> None:
    """A second 18x must not be a second event."""
    call = await world.admitted(terms=POSTPAID)
    due = NOON_MS + 200_000
    first = await world.calls.ring(call, NOON_MS + 10, due, NOON_MS + 20)
    stale = await world.calls.ring(call, NOON_MS + 10, due, NOON_MS + 20)
    rung = await world.read(call.call_id)
    assert (first.status, first.rev, stale.status, stale.state) == (
        Status.RINGING,
        2,
        Status.ALREADY,
        "ringing",
    )
    assert (rung.state, rung.ringing_ms, rung.due_ms) == (State.RINGING, NOON_MS + 10, due)
    assert len(await world.events("call.ringing.v1")) == 1


async def test_a_report_on_another_revision_is_a_conflict(world: World) -> None:
    """Whoever read an older state decided on it wrongly."""
    call = await world.admitted(terms=POSTPAID)
    old = replace(call, rev=7)
    begun = begin(old, NOON_MS, NOON_MS, SILENT_MS)
    replies = [
        await world.calls.ring(old, NOON_MS, NOON_MS, NOON_MS),
        await world.calls.answer(old, NOON_MS, begun, None, NOON_MS),
        await world.calls.defer(old, NOON_MS),
    ]
    assert [(r.status, r.rev, r.state) for r in replies] == [(Status.CONFLICT, 1, "admitted")] * 3
    talking = await world.answered(terms=POSTPAID)
    reply = await world.calls.extend(replace(talking, rev=7), more(talking, 0, 120), NOON_MS)
    assert (reply.status, reply.rev) == (Status.CONFLICT, 2)


async def test_a_call_nobody_knows_is_unknown_to_every_report(world: World) -> None:
    """Its ticket is asked for; a half-made hash would be worse."""
    call = ghost(await world.admitted(terms=POSTPAID))
    begun = begin(call, NOON_MS, NOON_MS, SILENT_MS)
    replies: list[Reply | TouchReply] = [
        await world.calls.ring(call, NOON_MS, NOON_MS, NOON_MS),
        await world.calls.answer(call, NOON_MS, begun, None, NOON_MS),
        await world.calls.extend(call, more(call, 0, 120), NOON_MS),
        await world.calls.defer(call, NOON_MS),
        await world.calls.touch(call.call_id, EDGE, NOON_MS),
    ]
    assert {str(reply.status) for reply in replies} == {"UNKNOWN"}
    assert await world.calls.read_call(call.call_id) is None


async def test_the_answer_begins_the_first_lease_and_counts_it_as_begun(world: World) -> None:
    """Lower thresholds count leases begun, not phones that ring."""
    call = await world.admitted(terms=POSTPAID)
    assert (await world.usage()).day_begun_micros == 0
    begun = begin(call, NOON_MS + 5000, NOON_MS + 5100, SILENT_MS)
    reply = await world.calls.answer(call, NOON_MS + 5000, begun, "srv-1", NOON_MS + 5100)
    talking = await world.read(call.call_id)
    assert (reply.status, talking.state, talking.answered_ms) == (
        Status.ANSWERED,
        State.ANSWERED,
        NOON_MS + 5000,
    )
    assert (talking.lease_no, talking.covered_s, talking.confirmed_s, talking.server_id) == (
        1,
        60,
        60,
        "srv-1",
    )
    assert talking.due_ms == NOON_MS + 5000 + 40_000
    assert (await world.usage()).day_begun_micros == 600_000
    (event,) = await world.events("call.answered.v1")
    assert event.read(CallAnswered).answered_at_ms == NOON_MS + 5000


async def test_an_answered_call_is_not_answered_again(world: World) -> None:
    """A retransmitted 200 OK must not begin the lease anew."""
    call = await world.admitted(terms=POSTPAID)
    begun = begin(call, NOON_MS, NOON_MS, SILENT_MS)
    await world.calls.answer(call, NOON_MS, begun, None, NOON_MS)
    reply = await world.calls.answer(call, NOON_MS + 9000, begun, None, NOON_MS + 9000)
    assert (reply.status, reply.state) == (Status.ALREADY, "answered")


@pytest.mark.parametrize(("delta", "held"), [(-200_000, 400_000), (100_000, 700_000), (0, 600_000)])
async def test_the_answer_adjusts_the_hold_to_the_price_of_its_moment(
    world: World, delta: int, held: int
) -> None:
    """A call rings into another price window: a hold is never dearer than the tariff, nor too small."""
    call = await world.admitted(terms=POSTPAID)
    begun = Begun(Lease(60, call.held_micros + delta), delta, NOON_MS, None)
    await world.calls.answer(call, NOON_MS, begun, None, NOON_MS)
    usage, talking = await world.usage(), await world.read(call.call_id)
    assert (talking.held_micros, usage.held_micros, usage.day_held_micros) == (held, held, held)
    assert usage.day_begun_micros == held
    assert sum(talking.holds.values()) == held


async def test_a_dearer_answer_than_can_be_paid_is_short(world: World) -> None:
    """The app asks again for what there is."""
    await world.post(650_000)
    call = await world.admitted(terms=Terms(rule="prepaid", limit_micros=640_000))
    begun = Begun(Lease(60, 700_000), 100_000, NOON_MS, None)
    reply = await world.calls.answer(call, NOON_MS, begun, None, NOON_MS)
    assert (reply.status, reply.available_micros, reply.room_micros) == (Status.SHORT, 50_000, 40_000)
    assert (await world.read(call.call_id)).state is State.ADMITTED


async def test_a_hold_cannot_be_lowered_below_nothing(world: World) -> None:
    """It would hand out money that another call holds."""
    call = await world.admitted(terms=POSTPAID)
    begun = Begun(Lease(0, -1), -600_001, NOON_MS, None)
    with pytest.raises(ResponseError, match="BAD_ARGUMENT"):
        await world.calls.answer(call, NOON_MS, begun, None, NOON_MS)
    assert (await world.usage()).held_micros == 600_000


async def test_a_lease_adds_the_difference_and_two_keepers_are_harmless(world: World) -> None:
    """Else a call would be held twice for the same minute."""
    call = await world.answered(terms=POSTPAID)
    step = next_step(call, world.at(41), world.now_ms, SILENT_MS)
    assert isinstance(step, Extend)
    first = await world.calls.extend(call, step, world.now_ms)
    second = await world.calls.extend(call, step, world.now_ms)
    assert (first.status, second.status) == (Status.EXTENDED, Status.CONFLICT)
    talking = await world.read(call.call_id)
    assert (talking.held_micros, talking.lease_no, talking.covered_s) == (1_200_000, 2, 120)
    assert (await world.usage()).held_micros == 1_200_000


async def test_a_lease_of_another_number_is_a_conflict_at_the_same_revision(world: World) -> None:
    """The revision alone would let a lease be skipped after a restore."""
    call = await world.answered(terms=POSTPAID)
    reply = await world.calls.extend(replace(call, lease_no=9), more(call, 0, 120), NOON_MS)
    assert reply.status is Status.CONFLICT


async def test_a_free_lease_still_advances(world: World) -> None:
    """Free seconds would else be extended for ever, or cut."""
    call = await world.answered(terms=POSTPAID)
    await world.calls.extend(call, more(call, 0, 120), NOON_MS)
    talking = await world.read(call.call_id)
    assert (talking.lease_no, talking.covered_s, talking.held_micros) == (2, 120, 600_000)


@pytest.mark.parametrize(
    ("terms", "short"),
    [
        (Terms(rule="prepaid"), (400_000, None)),
        (Terms(rule="postpaid", limit_micros=900_000), (None, 300_000)),
        (Terms(rule="postpaid", credit_micros=100_000), (500_000, None)),
    ],
)
async def test_a_lease_that_cannot_be_paid_is_short_and_changes_nothing(
    world: World, terms: Terms, short: tuple[int | None, int | None]
) -> None:
    """Balance, day, credit: each says what there still is."""
    await world.post(EUR)
    call = await world.answered(terms=terms)
    reply = await world.calls.extend(call, more(call, 600_000, 120), NOON_MS)
    assert (reply.status, reply.available_micros, reply.room_micros) == (Status.SHORT, *short)
    assert await world.read(call.call_id) == call


async def test_a_call_that_does_not_talk_gets_no_lease(world: World) -> None:
    """Ringing costs nothing and holds one lease."""
    call = await world.admitted(terms=POSTPAID)
    reply = await world.calls.extend(call, more(call, 0, 120), NOON_MS)
    assert (reply.status, reply.state) == (Status.ALREADY, "admitted")


async def test_thresholds_are_crossed_once_a_day_whichever_call_crosses(world: World) -> None:
    """One mail per threshold and day: 80 % by leases begun, 100 % by all holds."""
    terms = Terms(rule="postpaid", limit_micros=EUR, thresholds=(60, 80))
    call = await world.answered(terms=terms)
    crossed = [int(event.read(DailyUsageCrossed).threshold) for event in await world.events(CROSSED)]
    assert crossed == [60]
    reply = await world.calls.extend(call, more(call, 400_000, 100, cut_cause="daily_limit"), NOON_MS)
    assert reply.crossed == (80, 100)
    again = await world.read(call.call_id)
    reply = await world.calls.extend(again, more(again, 0, 100), NOON_MS)
    assert reply.crossed == ()


async def test_a_lease_refused_for_the_day_reaches_100_percent(world: World) -> None:
    """domain 6: else a limit of 1.00 at 0.33 a minute would never be reached."""
    call = await world.answered(terms=Terms(rule="postpaid", limit_micros=EUR))
    reply = await world.calls.extend(call, more(call, 0, 60, by_day=True), NOON_MS)
    assert reply.crossed == (100,)


async def test_a_ringing_call_does_not_count_towards_80_percent(world: World) -> None:
    """Holds of calls that may never be answered are no spend."""
    await world.admitted(terms=Terms(rule="postpaid", limit_micros=700_000))
    assert await world.events(CROSSED) == []


async def test_defer_moves_the_due_moment_and_clears_what_is_gone(world: World) -> None:
    """The keeper must neither spin on a call nor forget it."""
    call = await world.admitted(terms=POSTPAID)
    assert (await world.calls.defer(call, NOON_MS + 77)).status is Status.DEFERRED
    assert await world.calls.due_calls(NOON_MS + 77) == [(NOON_MS + 77, call.call_id)]
    await world.redis.delete(world.keys.call(call.call_id))
    assert (await world.calls.defer(call, NOON_MS + 99)).status is Status.UNKNOWN
    assert await world.calls.due_calls(NOON_MS + 999_999) == []


async def test_a_touch_confirms_the_lease_and_keeps_the_revision(world: World) -> None:
    """An edge that falls silent is charged up to the last lease it confirmed; reports go on meanwhile."""
    call = await world.answered(terms=POSTPAID)
    await world.calls.extend(call, more(call, 600_000, 120), NOON_MS)
    assert (await world.read(call.call_id)).confirmed_s == 60
    touch = await world.calls.touch(call.call_id, EDGE, NOON_MS + 50_000)
    later = await world.read(call.call_id)
    assert (touch.status, touch.state, touch.rev) == (Status.LIVE, "answered", later.rev)
    assert (later.confirmed_s, later.touched_ms) == (120, NOON_MS + 50_000)


async def test_an_older_list_does_not_undo_a_newer_touch(world: World) -> None:
    """Heartbeats may arrive out of order."""
    call = await world.answered(terms=POSTPAID)
    await world.calls.touch(call.call_id, EDGE, NOON_MS + 50_000)
    await world.calls.touch(call.call_id, EDGE, NOON_MS + 20_000)
    assert (await world.read(call.call_id)).touched_ms == NOON_MS + 50_000
    assert await world.calls.calls_of_edge(EDGE, NOON_MS + 49_999) == []


async def test_an_ended_call_is_told_as_ended_to_a_touch(world: World) -> None:
    """It must not come back into the edge's list."""
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 5)
    assert (await world.calls.touch(call.call_id, EDGE, NOON_MS)).status is Status.ENDED
    assert await world.calls.calls_of_edge(EDGE) == []
