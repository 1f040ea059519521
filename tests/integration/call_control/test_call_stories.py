"""Calls told as stories: what reports, keepers and heartbeats make of them. Moments: seconds after noon."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from call_control.app.heartbeat import HeartbeatAnswer, Named, heartbeat, resync
from call_control.app.keep_leases import keep_once, run_keeper
from call_control.app.record_answer import record_answer
from call_control.app.record_end import TICKET_GOOD_MS, EndReport, record_end
from call_control.app.record_ringing import record_ringing
from call_control.app.recorded import Recorded
from call_control.domain.edge_list import Page
from call_control.domain.live_call import LiveCall, State, Terms
from call_control.domain.ticket import sign_ticket
from landline.contracts.call_control.events import CallAnswered, CallEnded
from landline.kernel.clock import SetClock

from tests.support.calls import EDGE, NOON_MS, new_call
from tests.support.money_world import KEY, SILENT_MS, World

EUR = 1_000_000
POSTPAID = Terms(rule="postpaid")


async def outcome(world: World, call_id: str) -> CallEnded:
    """How a call ended."""
    call = await world.read(call_id)
    assert call.outcome is not None
    return call.outcome


async def beat(
    world: World, at_s: float, *named: Named, seq: int = 1, last: bool = True, boot: str = "boot-1"
) -> HeartbeatAnswer:
    """One page of the edge's list, taken and received at that second."""
    now = world.at(at_s)
    page = Page("edge-host", boot, seq, last, now)
    return await heartbeat(world.calls, world.edges, EDGE, page, named, now, SILENT_MS)


def talking(call: LiveCall, answered_s: float | None = None) -> Named:
    """The call as an edge lists it."""
    return Named(call.call_id, "answered", None if answered_s is None else NOON_MS + round(answered_s * 1000))


@pytest.mark.parametrize(("talked_s", "duration"), [(0.2, 1), (0.999, 1), (1.0, 1), (59.999, 59), (60.0, 60)])
async def test_billed_seconds_are_whole_and_at_least_one(
    world: World, talked_s: float, duration: int
) -> None:
    """floor(ended - answered), domain 6."""
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, talked_s)
    told = await outcome(world, call.call_id)
    assert (told.duration_s, told.charge_micros) == (duration, duration * 10_000)


async def test_an_unanswered_call_costs_nothing_and_leaves_its_cause(world: World) -> None:
    """Busy is no sale, but a record."""
    call = await world.admitted(terms=POSTPAID)
    await world.end(call.call_id, 9, cause="busy", sip_code=486)
    told = await outcome(world, call.call_id)
    assert (told.duration_s, told.charge_micros, told.cause, told.sip_code) == (0, 0, "busy", 486)


async def test_ended_before_answered_bills_from_the_answer_it_carries(world: World) -> None:
    """Reports overtake each other; the late `answered` then changes nothing."""
    call = await world.admitted(terms=POSTPAID)
    await world.end(call.call_id, 40, answered_ms=NOON_MS + 10_000)
    late = await record_answer(world.calls, call.call_id, NOON_MS + 10_000, None, world.now_ms, SILENT_MS)
    told = await outcome(world, call.call_id)
    assert (late, told.duration_s, told.charge_micros) == (Recorded.DONE, 30, 300_000)
    assert (await world.usage()).day_begun_micros == 0


async def test_ringing_after_answered_and_every_report_twice_change_nothing(world: World) -> None:
    """Each report is idempotent, in any order."""
    call = await world.answered(at_s=3, terms=POSTPAID)
    for _ in range(2):
        assert await record_ringing(world.calls, call.call_id, NOON_MS, world.now_ms) is Recorded.DONE
    for _ in range(2):
        await world.end(call.call_id, 33)
    assert (await outcome(world, call.call_id)).charge_micros == 300_000
    assert [event.type for event in await world.events()] == [
        "call.admitted.v1",
        "call.answered.v1",
        "call.ended.v1",
    ]


async def test_reports_of_a_call_nobody_knows_are_404(world: World) -> None:
    """Without a ticket there is nothing to settle."""
    call_id = new_call().facts.call_id
    assert await record_ringing(world.calls, call_id, NOON_MS, NOON_MS) is Recorded.UNKNOWN
    assert await record_answer(world.calls, call_id, NOON_MS, None, NOON_MS, SILENT_MS) is Recorded.UNKNOWN
    assert await world.end(call_id, 5) is Recorded.UNKNOWN


async def test_an_edge_clock_that_is_wrong_is_believed_only_within_reason(world: World) -> None:
    """An answer before the admission or an end in the future would be billed."""
    call = await world.admitted(terms=POSTPAID)
    await record_answer(world.calls, call.call_id, NOON_MS - 86_400_000, None, world.at(1), SILENT_MS)
    await world.end(call.call_id, 10, ended_ms=NOON_MS + 86_400_000)
    told = await outcome(world, call.call_id)
    assert (told.answered_at_ms, told.ended_at_ms, told.duration_s) == (NOON_MS, NOON_MS + 10_000, 10)


async def test_a_forgotten_call_is_settled_once_from_its_ticket(world: World) -> None:
    """A lost Redis loses only what no edge remembers either."""
    await world.post(EUR)
    new = new_call()
    ticket = sign_ticket(new.facts, new.terms, KEY)
    report = {"answered_ms": NOON_MS, "ticket": ticket}
    first = await world.end(new.facts.call_id, 30, **report)
    second = await world.end(new.facts.call_id, 35, **report)
    assert (first, second) == (Recorded.DONE, Recorded.DONE)
    usage = await world.usage()
    assert (usage.unposted_micros, usage.available_micros, usage.active_calls) == (300_000, 700_000, 0)
    assert usage.day_spend_micros == 300_000
    assert len(await world.events("call.ended.v1")) == 1


async def test_a_forgotten_prepaid_call_is_charged_only_as_far_as_the_balance_goes(world: World) -> None:
    """Nothing was held for it any more."""
    await world.post(200_000)
    new = new_call()
    ticket = sign_ticket(new.facts, new.terms, KEY)
    await world.end(new.facts.call_id, 60, answered_ms=NOON_MS, ticket=ticket)
    told = await outcome(world, new.facts.call_id)
    assert (told.charge_micros, told.duration_s, told.unbilled_s, told.unbilled_micros) == (
        200_000,
        20,
        40,
        400_000,
    )
    assert (await world.usage()).available_micros == 0


@pytest.mark.parametrize("fault", ["other call", "other key", "damaged", "too old"])
async def test_a_ticket_that_proves_nothing_is_404(world: World, fault: str) -> None:
    """Else anyone with an edge key could charge any client."""
    new, at_s = new_call(), 60.0
    facts = new_call().facts if fault == "other call" else new.facts
    ticket = sign_ticket(facts, new.terms, b"another" if fault == "other key" else KEY)
    if fault == "damaged":
        ticket = ticket[:-9] + ticket[-8:]
    if fault == "too old":
        at_s = TICKET_GOOD_MS / 1000 + 1
    assert await world.end(new.facts.call_id, at_s, ticket=ticket) is Recorded.UNKNOWN
    assert await world.all_keys() == []


async def test_leases_follow_a_call_until_it_ends(world: World) -> None:
    """60 s held, extended with 20 s left, the rest released at the end."""
    call = await world.answered(terms=POSTPAID)
    held = []
    for second in (39, 40, 99, 100):
        await keep_once(world.calls, world.at(second), SILENT_MS)
        await world.calls.touch(call.call_id, EDGE, world.now_ms)
        held.append((await world.read(call.call_id)).held_micros)
    assert held == [600_000, 1_200_000, 1_200_000, 1_800_000]
    await world.end(call.call_id, 110)
    usage = await world.usage()
    assert (usage.held_micros, usage.unposted_micros) == (0, 1_100_000)


async def test_a_call_that_can_pay_no_full_lease_is_cut_at_the_second_it_can(world: World) -> None:
    """And is billed exactly to that second, whenever the edge hangs up."""
    await world.post(EUR)
    call = await world.answered()
    await keep_once(world.calls, world.at(40), SILENT_MS)
    cut = await world.read(call.call_id)
    assert (cut.cut_at_ms, cut.cut_cause, cut.held_micros) == (NOON_MS + 100_000, "credit", EUR)
    before = await beat(world, 99, talking(call))
    after = await beat(world, 101, talking(call), seq=2)
    assert (before.hang_up, after.hang_up) == ((), (call.call_id,))
    kept = await keep_once(world.calls, world.now_ms, SILENT_MS)
    assert [one.call_id for one in kept.cut] == [call.call_id]
    await world.end(call.call_id, 103)
    told = await outcome(world, call.call_id)
    assert (told.duration_s, told.charge_micros, told.cause, told.ended_by) == (100, EUR, "credit", "system")
    assert (told.unbilled_s, told.unbilled_micros) == (3, 30_000)


async def test_a_call_at_the_daily_limit_is_not_extended(world: World) -> None:
    """Running calls end at their lease when the day is full."""
    call = await world.answered(terms=Terms(rule="postpaid", limit_micros=700_000))
    await keep_once(world.calls, world.at(40), SILENT_MS)
    cut = await world.read(call.call_id)
    assert (cut.cut_at_ms, cut.cut_cause) == (NOON_MS + 70_000, "daily_limit")


async def test_a_keeper_that_was_away_holds_up_to_now_in_one_step(world: World) -> None:
    """While call-control is away calls go on within the outer bound."""
    call = await world.answered(terms=POSTPAID)
    await world.calls.touch(call.call_id, EDGE, world.at(250))
    await keep_once(world.calls, world.now_ms, SILENT_MS)
    late = await world.read(call.call_id)
    assert (late.covered_s, late.held_micros) == (300, 3_000_000)


async def test_an_emergency_call_is_never_cut(world: World) -> None:
    """Not by money, limits, caps or hang-up."""
    call = await world.admitted(class_="emergency", tariff=None, terms=Terms(), cap_s=60)
    await record_answer(world.calls, call.call_id, NOON_MS, None, world.now_ms, SILENT_MS)
    answer = await beat(world, 80, talking(call))
    kept = await keep_once(world.calls, world.now_ms, SILENT_MS)
    assert (answer.hang_up, kept.cut, (await world.read(call.call_id)).cut_at_ms) == ((), (), None)
    await world.end(call.call_id, 81)
    assert (await beat(world, 82, talking(call), seq=2)).hang_up == ()


async def test_a_call_reaches_its_cap_and_is_cut(world: World) -> None:
    """3 h on any call, lower by client; unpriced calls too."""
    call = await world.answered(tariff=None, terms=Terms(), cap_s=60)
    assert call.cut_at_ms == NOON_MS + 60_000
    assert (await beat(world, 61, talking(call))).hang_up == (call.call_id,)


async def test_a_call_that_rings_unseen_for_200_s_is_reaped(world: World) -> None:
    """Its slot would be taken for ever."""
    call = await world.admitted(terms=POSTPAID)
    await keep_once(world.calls, world.at(199), SILENT_MS)
    assert (await world.read(call.call_id)).state is State.ADMITTED
    assert (await keep_once(world.calls, world.at(200), SILENT_MS)).lost == 1
    assert ((await outcome(world, call.call_id)).cause, (await world.usage()).active_calls) == ("lost", 0)


async def test_a_ringing_call_that_its_edge_lists_is_not_reaped(world: World) -> None:
    """Seen is seen, whether or not `ringing` was reported."""
    call = await world.admitted(terms=POSTPAID)
    await beat(world, 190, Named(call.call_id, "ringing"))
    await keep_once(world.calls, world.at(201), SILENT_MS)
    assert (await world.read(call.call_id)).state is State.ADMITTED


async def test_the_calls_of_a_silent_edge_are_lost_and_charged_to_the_confirmed_lease(world: World) -> None:
    """What it did not confirm is not charged; the real report may still correct it."""
    call = await world.answered(terms=POSTPAID)
    await beat(world, 30, talking(call))
    for second in (40, 100, 119):
        await keep_once(world.calls, world.at(second), SILENT_MS)
    assert (await world.read(call.call_id)).state is State.ANSWERED
    await keep_once(world.calls, world.at(121), SILENT_MS)
    told = await outcome(world, call.call_id)
    assert (told.cause, told.duration_s, told.charge_micros) == ("lost", 60, 600_000)
    await world.end(call.call_id, 110)
    assert (await outcome(world, call.call_id)).charge_micros == 1_100_000


async def test_a_call_missing_from_two_lists_ended_at_the_list_that_had_it_last(world: World) -> None:
    """One list may cross its report; two, 10 s after the last touch, do not."""
    call = await world.answered(terms=POSTPAID)
    assert (await beat(world, 30, talking(call))).lost == ()
    assert (await beat(world, 60)).lost == ()
    gone = await beat(world, 90)
    assert gone.lost == (call.call_id,)
    told = await outcome(world, call.call_id)
    assert (told.ended_at_ms, told.duration_s, told.cause) == (NOON_MS + 30_000, 30, "lost")


async def test_lists_within_10_s_of_the_last_touch_end_nothing(world: World) -> None:
    """The call was admitted while the lists were being made."""
    await beat(world, 1)
    call = await world.answered(at_s=2, terms=POSTPAID)
    await beat(world, 5)
    assert (await beat(world, 11)).lost == ()
    assert (await world.read(call.call_id)).state is State.ANSWERED


async def test_a_list_with_a_missing_page_ends_nothing(world: World) -> None:
    """The call may have been on that page."""
    call = await world.answered(terms=POSTPAID)
    await beat(world, 30, talking(call))
    for second in (60, 90):
        await beat(world, second, seq=1, last=False)
        assert (await beat(world, second + 1, seq=3, last=True)).lost == ()
    assert (await world.read(call.call_id)).state is State.ANSWERED


async def test_a_new_boot_ends_the_calls_of_the_old_one(world: World) -> None:
    """A restarted proxy has no dialogs: its calls ended with it."""
    call = await world.answered(terms=POSTPAID)
    await beat(world, 30, talking(call))
    fresh = await world.answered(at_s=40, terms=POSTPAID)
    answer = await beat(world, 45, talking(fresh), boot="boot-2")
    assert answer.lost == (call.call_id,)
    assert (await outcome(world, call.call_id)).duration_s == 30
    assert (await world.read(fresh.call_id)).state is State.ANSWERED


async def test_an_answer_told_by_a_heartbeat_counts_as_the_report(world: World) -> None:
    """The report itself was lost."""
    call = await world.admitted(terms=POSTPAID)
    await beat(world, 30, talking(call, answered_s=12))
    (event,) = await world.events("call.answered.v1")
    assert event.read(CallAnswered).answered_at_ms == NOON_MS + 12_000


async def test_a_call_we_have_ended_but_the_edge_has_not_is_hung_up(world: World) -> None:
    """No money is held for it any more."""
    call = await world.answered(terms=POSTPAID)
    await world.end(call.call_id, 20)
    assert (await beat(world, 30, talking(call))).hang_up == (call.call_id,)


async def test_unknown_calls_are_resynced_not_hung_up_and_come_back_with_their_hold(world: World) -> None:
    """Redis lost its disk: the calls still talk, and still cost."""
    await world.post(900_000)
    new = new_call(terms=Terms(rule="prepaid"))
    named = Named(new.facts.call_id, "answered", NOON_MS)
    answer = await beat(world, 65, named)
    assert (answer.unknown, answer.resync, answer.hang_up) == ((new.facts.call_id,), True, ())
    ticket = sign_ticket(new.facts, new.terms, KEY)
    back = await resync(world.calls, [(named, ticket), (named, "nonsense")], world.now_ms, SILENT_MS, KEY)
    assert back[0] == new.facts.call_id
    await keep_once(world.calls, world.now_ms, SILENT_MS)
    call = await world.read(new.facts.call_id)
    assert (call.state, call.held_micros, call.cut_at_ms) == (State.ANSWERED, 900_000, NOON_MS + 90_000)
    assert (await world.usage()).active_calls == 1


async def test_a_call_may_outlive_its_first_bound_after_a_top_up(world: World) -> None:
    """The edge's own timer would cut what can be paid by now."""
    await world.post(700_000)
    call = await world.answered()
    assert (await beat(world, 10, talking(call))).extend == {call.call_id: 70}
    await world.post(600_000)
    assert (await beat(world, 20, talking(call), seq=2)).extend == {call.call_id: 130}


async def test_the_keeper_tells_of_a_longer_bound_when_a_lease_comes_near_the_old_one(world: World) -> None:
    """Money that came after the last heartbeat: the edge's timer would else cut a call that can pay."""
    await world.post(1_500_000)
    call = await world.answered()
    early = await keep_once(world.calls, world.at(40), SILENT_MS)
    await world.calls.touch(call.call_id, EDGE, world.at(90))
    await world.post(600_000)
    late = await keep_once(world.calls, world.at(100), SILENT_MS)
    assert [kept.raised for kept in (early, late)] == [(), ((await world.read(call.call_id), 210),)]


async def test_the_keeper_runs_until_told_to_stop_and_survives_trouble(world: World) -> None:
    """A keeper that dies silently lets every call run out of money."""
    call = await world.answered(terms=POSTPAID)
    clock, stop, tries = SetClock(world.at(40)), asyncio.Event(), 0
    due_calls = world.calls.due_calls

    async def stumbling(until_ms: int, limit: int = 500) -> list[tuple[int, str]]:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError("Redis is away")
        stop.set()
        return await due_calls(until_ms, limit)

    world.calls.due_calls = stumbling  # type: ignore[method-assign]
    await asyncio.wait_for(run_keeper(world.calls, clock, SILENT_MS, stop), 10)
    assert (tries, (await world.read(call.call_id)).lease_no) == (2, 2)


async def test_one_call_that_cannot_be_kept_does_not_stop_the_others(world: World) -> None:
    """A damaged tariff in one hash would else end all calls of the platform."""
    bad, good = await world.answered(terms=POSTPAID), await world.answered(terms=POSTPAID)
    facts: dict[str, Any] = {"tariff": "{}"}
    await world.redis.hset(world.keys.call(bad.call_id), "facts", _with(bad, **facts))
    await keep_once(world.calls, world.at(40), SILENT_MS)
    assert (await world.read(good.call_id)).lease_no == 2


def _with(call: LiveCall, **changes: Any) -> bytes:
    import msgspec

    return msgspec.json.encode(msgspec.structs.replace(call.facts, **changes))


async def test_reports_that_meet_on_one_call_charge_it_once(world: World) -> None:
    """Two edges' workers, a keeper and a heartbeat at the same moment."""
    await world.post(5 * EUR)
    call = await world.answered()
    now = world.at(41)
    await asyncio.gather(
        *(record_end(world.calls, call.call_id, EndReport(now), now, KEY) for _ in range(4)),
        *(keep_once(world.calls, now, SILENT_MS) for _ in range(2)),
        *(record_answer(world.calls, call.call_id, now, None, now, SILENT_MS) for _ in range(2)),
    )
    usage = await world.usage()
    assert (usage.unposted_micros, usage.held_micros, usage.active_calls) == (410_000, 0, 0)
    assert len(await world.events("call.ended.v1")) == 1
