"""admit_call.lua and reject_call.lua: every status, and nothing left behind by a refusal."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import msgspec
import pytest
from call_control.adapters import call_store, scripts
from call_control.adapters.call_arguments import admission_arguments
from call_control.app.take_hold import admit_with_hold
from call_control.domain.live_call import State, Terms
from call_control.domain.replies import Status
from call_control.domain.velocity import stamp_of, too_fast
from landline.contracts.call_control.events import DailyUsageCrossed
from msgspec.structs import replace
from redis.exceptions import ResponseError

from tests.support.calls import NOON_MS, new_call
from tests.support.money_world import BOTH, World

pytestmark = BOTH

EUR = 1_000_000
PREPAID = Terms(rule="prepaid")


async def test_an_admitted_call_takes_a_slot_of_brand_and_client_and_its_hold(world: World) -> None:
    """Else the next call would be judged without this one."""
    await world.post(2 * EUR)
    call = await world.admitted()
    usage = await world.usage()
    assert (usage.active_calls, usage.held_micros, usage.available_micros) == (1, 600_000, 1_400_000)
    assert usage.day_held_micros == 600_000
    assert await world.redis.hget(world.keys.brand("brand-1"), "active") == b"1"
    assert (call.state, call.payable_micros, call.covered_s) == (State.ADMITTED, 2 * EUR, 60)
    assert [event.type for event in await world.events()] == ["call.admitted.v1"]


async def test_a_full_brand_refuses_and_says_its_numbers(world: World) -> None:
    """A brand over its limit costs its carrier contract."""
    await world.admitted(terms=Terms(), client_id="other")
    reply = await world.admit(terms=Terms(), brand_max_calls=1)
    assert (reply.status, reply.limit, reply.active) == (Status.MAX_CALLS_BRAND, 1, 1)


async def test_a_full_client_refuses_and_says_its_numbers(world: World) -> None:
    """Ringing calls count too: the slot is taken at admission."""
    await world.admitted(terms=Terms())
    reply = await world.admit(terms=Terms(), client_max_calls=1)
    assert (reply.status, reply.limit, reply.active) == (Status.MAX_CALLS_CLIENT, 1, 1)


@pytest.mark.parametrize(
    ("terms", "settled", "hold", "status"),
    [
        (PREPAID, 600_000, 600_000, Status.ADMITTED),
        (PREPAID, 599_999, 600_000, Status.NO_CREDIT),
        (PREPAID, 0, 0, Status.ADMITTED),
        (PREPAID, -1, 0, Status.NO_CREDIT),
        (Terms(rule="postpaid"), -9 * EUR, 600_000, Status.ADMITTED),
        (Terms(rule="postpaid", credit_micros=EUR), -400_000, 600_000, Status.ADMITTED),
        (Terms(rule="postpaid", credit_micros=EUR), -400_001, 600_000, Status.NO_CREDIT),
        (Terms(rule="none"), -9 * EUR, 0, Status.ADMITTED),
        (Terms(rule="pseudoprepaid"), 599_999, 600_000, Status.NO_CREDIT),
    ],
)
async def test_the_balance_decides_to_the_micro(
    world: World, terms: Terms, settled: int, hold: int, status: Status
) -> None:
    """One micro-unit too generous, and a balance goes below zero."""
    await world.post(settled)
    reply = await world.admit(terms=terms, hold_micros=hold, floor_micros=hold)
    assert reply.status is status


@pytest.mark.parametrize(
    ("spent", "limit", "status"),
    [(400_000, EUR, Status.ADMITTED), (400_001, EUR, Status.DAILY_LIMIT), (0, 0, Status.DAILY_LIMIT)],
)
async def test_the_day_decides_to_the_micro(world: World, spent: int, limit: int, status: Status) -> None:
    """spend + holds + first hold <= limit, domain 4.11."""
    await world.redis.hset(world.keys.day("client-1", "2026-11-22"), "spend_micros", spent)
    reply = await world.admit(terms=Terms(rule="postpaid", limit_micros=limit))
    assert reply.status is status


async def test_a_refusal_leaves_no_trace_in_any_counter(world: World) -> None:
    """A denied call that counts would block the next one for ever."""
    await world.post(100)
    for terms in (PREPAID, Terms(rule="prepaid", limit_micros=10 * EUR)):
        assert (await world.admit(terms=terms)).status is Status.NO_CREDIT
    assert await world.all_keys() == [world.keys.client("client-1")]
    assert (await world.usage()).active_calls == 0


async def test_a_daily_limit_denial_marks_100_percent_once_and_counts_nothing(world: World) -> None:
    """100 % would else never be met exactly, and its mail would never leave; or leave with every denial."""
    terms = Terms(rule="postpaid", limit_micros=500_000)
    first, second = await world.admit(terms=terms), await world.admit(terms=terms)
    assert (first.status, first.crossed, first.limit, first.room_micros) == (
        Status.DAILY_LIMIT,
        (100,),
        500_000,
        500_000,
    )
    assert second.crossed == ()
    (event,) = await world.events("daily_usage.crossed.v1")
    told = event.read(DailyUsageCrossed)
    assert (told.threshold, told.limit_micros, told.spend_micros) == (100, 500_000, 0)
    assert await world.redis.ttl(world.keys.day("client-1", "2026-11-22")) > 72 * 3600


async def test_holds_that_fill_the_day_cross_100_percent_with_the_sum_in_the_event(world: World) -> None:
    """The mail says how much: Lua puts its sum into the event it was given."""
    call = await world.admitted(terms=Terms(rule="postpaid", limit_micros=600_000))
    (event,) = await world.events("daily_usage.crossed.v1")
    assert event.read(DailyUsageCrossed).spend_micros == call.held_micros == 600_000
    assert event.client_id == "client-1"


async def test_a_repeated_attempt_gets_its_call_again_and_takes_no_second_slot(world: World) -> None:
    """Edges retransmit; each retransmission would hold money."""
    await world.post(2 * EUR)
    new = new_call(attempt_id="a-1", answer=b'{"routes":[1]}')
    assert (await world.calls.admit(new, NOON_MS)).status is Status.ADMITTED
    other = replace(new, facts=new_call().facts)
    reply = await world.calls.admit(other, NOON_MS)
    assert reply.status is Status.DUPLICATE
    assert reply.call is not None
    assert (reply.call.call_id, reply.call.answer) == (new.facts.call_id, b'{"routes":[1]}')
    assert (await world.usage()).active_calls == 1


async def test_our_own_script_repeated_after_a_lost_reply_is_an_admission(world: World) -> None:
    """A reconnect repeats it; the caller must get its call, with what could be paid."""
    await world.post(2 * EUR)
    new = new_call()
    first, again = [await world.calls.admit(new, NOON_MS) for _ in range(2)]
    assert (again.status, again.payable_micros) == (Status.ADMITTED, first.payable_micros)
    assert (await world.usage()).active_calls == 1


async def test_an_attempt_whose_call_has_ended_is_over(world: World) -> None:
    """contracts 4: 409 call_over, not a second call."""
    new = new_call(terms=Terms())
    await world.calls.admit(new, NOON_MS)
    await world.end(new.facts.call_id, 5)
    reply = await world.calls.admit(replace(new, facts=new_call().facts), world.now_ms)
    assert reply.status is Status.CALL_OVER


async def test_a_denial_is_remembered_for_its_attempt_and_the_first_answer_stands(world: World) -> None:
    """The same question must get the same answer, from any worker."""
    arguments = (world.partition, "edge-1", "a-1", "client-1")
    first = await world.calls.reject(*arguments, b'{"n":1}', b"{}", NOON_MS)
    again = await world.calls.reject(*arguments, b'{"n":2}', b"{}", NOON_MS)
    assert (first.status, first.count) == (Status.REJECTED, 1)
    assert (again.status, again.denial) == (Status.DUPLICATE, b'{"n":1}')
    reply = await world.admit(attempt_id="a-1")
    assert (reply.status, reply.denial) == (Status.DUPLICATE, b'{"n":1}')
    assert 0 < await world.redis.pttl(world.keys.attempt("edge-1", "a-1")) <= 30_000


async def test_a_denial_of_an_attempt_that_was_admitted_meanwhile_names_the_call(world: World) -> None:
    """Two workers, one attempt: the admission stands."""
    call = await world.admitted(terms=Terms(), attempt_id="a-1")
    reply = await world.calls.reject(world.partition, "edge-1", "a-1", "client-1", b"{}", b"{}", NOON_MS)
    assert (reply.status, reply.call_id) == (Status.DUPLICATE, call.call_id)


async def test_a_flood_of_denials_is_counted_but_told_only_1000_times_a_day(world: World) -> None:
    """A scanner must not fill Redis and the rejections table."""
    await world.redis.set(world.keys.rejected("203.0.113.7", "2026-11-22"), 999, ex=60)
    counts = []
    for number in range(3):
        reply = await world.calls.reject(0, None, f"a-{number}", "203.0.113.7", b"{}", b"{}", NOON_MS)
        counts.append(reply.count)
    assert counts == [1000, 1001, 1002]
    assert await world.redis.xlen(world.keys.calls) == 1


async def test_strangers_share_a_day_and_leave_no_key_each_beyond_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scanner with a million addresses: no event and no counter of each, and clients are told as ever."""
    monkeypatch.setattr(call_store, "STRANGERS_TOLD_PER_DAY", 50)

    async def refused(number: int, subject: str, *, stranger: bool) -> None:
        attempt = f"{subject}-{number}"
        await world.calls.reject(0, None, attempt, subject, b"{}", b"{}", NOON_MS, stranger=stranger)

    for number in range(200):
        await refused(number, f"198.51.100.{number}", stranger=True)
    assert await world.redis.xlen(world.keys.calls) == 50
    counters = [key async for key in world.redis.scan_iter(match="*rejected:198.51.100.*")]
    assert len(counters) == 50
    await refused(0, "client-1", stranger=False)
    assert await world.redis.xlen(world.keys.calls) == 51
    [crowd] = [key async for key in world.redis.scan_iter(match="*rejected:strangers:*")]
    assert 0 < await world.redis.pttl(crowd) <= 172_800_000


async def test_pseudo_prepaid_holds_once_what_balance_and_day_can_pay(world: World) -> None:
    """min(price of the cap, available, room in the day), at least one increment."""
    await world.post(900_000)
    terms = Terms(rule="pseudoprepaid", limit_micros=700_000)
    new = new_call(terms=terms, billing_method="pseudoprepaid")
    assert (await world.calls.admit(new, NOON_MS)).status is Status.SHORT
    reply = await admit_with_hold(world.calls, new, NOON_MS)
    call = await world.read(new.facts.call_id)
    assert (reply.status, call.held_micros, call.covered_s) == (Status.ADMITTED, 700_000, 70)
    assert reply.crossed == (100,)


async def test_pseudo_prepaid_without_money_for_one_increment_is_refused(world: World) -> None:
    """A call of no seconds is no call."""
    await world.post(9_999)
    new = new_call(terms=Terms(rule="pseudoprepaid"), billing_method="pseudoprepaid")
    reply = await admit_with_hold(world.calls, new, NOON_MS)
    assert (reply.status, reply.available_micros) == (Status.NO_CREDIT, 9_999)


@pytest.mark.parametrize("position", range(14))
@pytest.mark.parametrize("bad", [1.5, -1, 2**53, float("nan"), "money", None, True])
async def test_a_bad_figure_changes_nothing(world: World, position: int, bad: object) -> None:
    """A script that fails halfway keeps its writes: all is checked before the first."""
    names, values = admission_arguments(new_call(terms=Terms()), NOON_MS)
    figures = msgspec.msgpack.decode(values[0])
    figures[position] = bad
    values[0] = msgspec.msgpack.encode(figures)
    with pytest.raises(ResponseError, match="BAD_ARGUMENT"):
        await scripts.ADMIT.run(world.batch, names, values)
    assert await world.all_keys() == []


@pytest.mark.parametrize(
    ("position", "bad"), [(0, b"\xc1"), (0, b""), (3, "free"), (10, "short"), (12, "money"), (13, "-1")]
)
async def test_a_bad_argument_changes_nothing(world: World, position: int, bad: object) -> None:
    """Neither does one that is no figure: MessagePack, the rule, a threshold's percent and sum."""
    limited = Terms(limit_micros=EUR, thresholds=())
    names, values = admission_arguments(new_call(terms=limited), NOON_MS)
    values[position] = bad
    with pytest.raises(ResponseError, match=r"BAD_ARGUMENT|Bad data"):
        await scripts.ADMIT.run(world.batch, names, values)
    assert await world.all_keys() == []


async def test_a_script_the_server_has_forgotten_is_sent_again(world: World) -> None:
    """After a restart or fail-over of Redis the first call must not fail."""
    await world.redis.script_flush()
    assert (await world.admit(terms=Terms())).status is Status.ADMITTED


async def test_200_parallel_admissions_against_10_slots_give_exactly_10(world: World) -> None:
    """Promise 1, once here; the hundred rounds are in test_limits_under_parallel_load."""
    replies = await asyncio.gather(*(world.admit(terms=Terms(), client_max_calls=10) for _ in range(200)))
    assert sum(reply.status is Status.ADMITTED for reply in replies) == 10


async def test_the_hash_keeps_the_facts_and_terms_of_the_admission(world: World) -> None:
    """The hash is what settles the call when the worker that admitted it is gone."""
    new = new_call(terms=Terms(rule="postpaid", limit_micros=9 * EUR, thresholds=(50,)))
    await world.calls.admit(new, NOON_MS)
    call = await world.read(new.facts.call_id)
    assert (call.facts, call.terms, call.attempt_id) == (new.facts, new.terms, new.attempt_id)


async def test_a_minute_takes_so_many_calls_of_a_device_and_of_its_client(world: World) -> None:
    """Refused with who is too fast and when the next is free; a minute later the row is forgotten."""
    fast: dict[str, Any] = {"terms": Terms(), "device_per_minute": 2, "client_per_minute": 3}
    one, two = "019a0000-0000-7000-8000-00000000d001", "019a0000-0000-7000-8000-00000000d002"
    for device_id in (one, one, two):
        assert (await world.admit(device_id=device_id, **fast)).status is Status.ADMITTED
    reply = await world.admit(device_id=two, **fast)
    assert (reply.status, reply.whose, reply.limit, reply.active) == (Status.TOO_FAST, "client", 3, 3)
    reply = await world.admit(device_id=one, **{**fast, "client_per_minute": 0})
    assert (reply.whose, reply.limit, reply.active, reply.retry_ms) == ("device", 2, 2, 60_000)
    world.now_ms += 60_000
    assert (await world.admit(device_id=one, **fast)).status is Status.ADMITTED
    assert len(await world.redis.hget(world.keys.client("client-1"), "recent") or "") == 25


async def test_the_hours_spend_leaves_room_for_the_first_hold_or_not(world: World) -> None:
    """Charges of the hour and all holds count; the next hour begins at nothing."""
    hour = world.now_ms // 3_600_000
    await world.redis.hset(world.keys.client("client-1"), mapping={"hour": hour, "hour_micros": 400_001})
    terms = Terms(rule="postpaid", hour_limit_micros=EUR)
    reply = await world.admit(terms=terms)
    assert (reply.status, reply.limit, reply.spend_micros) == (Status.HOUR_LIMIT, EUR, 400_001)
    world.now_ms += 3_600_000
    assert (await world.admit(terms=terms)).status is Status.ADMITTED


async def test_no_sixty_seconds_hold_more_calls_than_the_limits(world: World) -> None:
    """Three devices calling at random for half an hour: the script says what the simulation says, and no
    window of a minute, wherever it begins, has more admitted calls than client or device may have."""
    chance, admitted = Random(7), list[tuple[int, str]]()
    devices = [f"019a0000-0000-7000-8000-00000000d{n:03d}" for n in range(3)]
    client = world.keys.client("client-1")
    refused = 0
    for _ in range(200):
        world.now_ms += chance.choice((0, 1, 400, 3_000, 9_000, 59_999, 60_000))
        device_id = chance.choice(devices)
        recent: Any = await world.redis.hget(client, "recent")
        said = too_fast((recent or b"").decode(), stamp_of(device_id), 3, 5, world.now_ms)
        reply = await world.admit(
            terms=Terms(), device_id=device_id, device_per_minute=3, client_per_minute=5
        )
        if said is None:
            assert reply.status is Status.ADMITTED
            admitted.append((world.now_ms, device_id))
        else:
            assert (reply.whose, reply.limit, reply.active, reply.retry_ms) == said
            refused += 1
    assert refused > 10, "else the limits were never met"
    for start, _ in admitted:
        window = [device for at, device in admitted if start <= at < start + 60_000]
        assert len(window) <= 5
        assert max(window.count(device) for device in devices) <= 3
