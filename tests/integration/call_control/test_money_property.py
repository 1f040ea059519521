"""Random lives of calls on a real Valkey, against a small model: no balance differs, none goes below zero.

LANDLINE_TEST_MONEY_EXAMPLES (default 60) and LANDLINE_TEST_MONEY_STEPS (default 40) make it bigger.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from call_control.adapters.keys import keys_of
from call_control.adapters.scripts import load_all
from call_control.adapters.settlement_arguments import correction_id
from call_control.app.keep_leases import keep_once
from call_control.app.reconcile import find_drifts
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.app.record_ringing import record_ringing
from call_control.app.take_hold import admit_with_hold
from call_control.domain.live_call import State
from call_control.domain.local_day import local_day
from call_control.domain.replies import ClientUsage, NewCall, Status
from call_control.domain.settlement import billed_seconds
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.contracts.call_control.events import CallCorrected, CallEnded, DailyUsageCrossed
from landline.contracts.envelope import Envelope
from landline.kernel.ids import CallId
from msgspec.structs import replace

from tests.support.calls import EDGE, NOON_MS, new_call
from tests.support.money_model import (
    BRAND_MAX,
    CAP_S,
    CLIENT_MAX,
    CLIENTS,
    PARTITIONS,
    PER_SECOND,
    PLACES,
    ModelCall,
    MoneyModel,
)
from tests.support.money_world import SILENT_MS, World
from tests.support.stores import TestStores

T = TypeVar("T")
CROSSED = "daily_usage.crossed.v1"
STAYS = ("client:", "brand:", "unposted:", "calls")
EXAMPLES = int(os.environ.get("LANDLINE_TEST_MONEY_EXAMPLES", "60"))
STEPS = int(os.environ.get("LANDLINE_TEST_MONEY_STEPS", "40"))
START_S = 12 * 3600 - 300  # five minutes to midnight
seconds = st.integers(min_value=0, max_value=130)


class Calls(RuleBasedStateMachine):
    """Admit, ring, answer, keep, end, lose, correct, pay, take, post, redeliver, limit, move the clock.

    Five clients of three brands in two partitions; the day's limits of the model are those of each call.
    """

    url = ""
    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = MoneyModel()
        self.lost: dict[str, tuple[str, int]] = {}
        self.admitted: dict[str, NewCall] = {}
        self.lowest = dict.fromkeys(CLIENTS, 0)
        self.highest_limit = {name: terms.limit_micros for name, terms in CLIENTS.items()}
        self.ended: set[str] = set()
        self.world: World = self.run(self._open())
        self.world.at(START_S)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _open(self) -> World:
        redis = await connect(Settings(redis_url=self.url, _env_file=None))
        await redis.flushall()
        await load_all(redis)
        return World(redis)

    @property
    def now(self) -> int:
        return self.world.now_ms

    @property
    def today(self) -> str:
        return local_day(self.now, "UTC").name

    @rule(client=st.sampled_from(sorted(CLIENTS)), cents=st.sampled_from((1, 61, 75, 99, 130, 400)))
    def top_up(self, client: str, cents: int) -> None:
        self.run(self.world.post(cents * PER_SECOND, client, partition=PLACES[client][0]))
        self.model.settled[client] += cents * PER_SECOND

    @rule(client=st.sampled_from(sorted(CLIENTS)), cents=st.sampled_from((1, 30, 61, 200)))
    def decrement(self, client: str, cents: int) -> None:
        """An operator takes money back, also more than there is: calls may then not go on."""
        money = self.world.post(-cents * PER_SECOND, client, kind="adjustment", partition=PLACES[client][0])
        self.run(money)
        self.model.settled[client] -= cents * PER_SECOND
        self.lowest[client] = min(self.lowest[client], self.model.available(client))

    @rule(
        client=st.sampled_from(sorted(n for n, terms in CLIENTS.items() if terms.limit_micros)),
        cents=st.sampled_from((60, 90, 150, 300, 500)),
    )
    def change_limit(self, client: str, cents: int) -> None:
        """It acts on calls admitted from now on."""
        limit = cents * PER_SECOND
        self.model.terms[client] = replace(self.model.terms[client], limit_micros=limit)
        self.highest_limit[client] = max(limit, self.highest_limit[client] or 0)

    @rule(target=known, client=st.sampled_from(sorted(CLIENTS)))
    def admit(self, client: str) -> str:
        terms, (partition, brand) = self.model.terms[client], PLACES[client]
        new = new_call(
            partition, self.now, terms, client_id=client, brand_id=brand, billing_method=terms.rule,
            cap_s=CAP_S, client_max_calls=CLIENT_MAX, brand_max_calls=BRAND_MAX,
        )  # fmt: skip
        expected = self.model.first_hold(client, self.today)
        reply = self.run(admit_with_hold(self.world.calls, new, self.now))
        assert (reply.status is Status.ADMITTED) == (expected is not None), (reply, expected)
        if expected is not None:
            self.model.live[new.facts.call_id] = ModelCall(client, {self.today: expected}, terms)
            self.admitted[new.facts.call_id] = new
        return new.facts.call_id

    @precondition(lambda self: self.admitted)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """The edge repeats an attempt whose answer it lost: the same call, or word that it is over."""
        call_id = data.draw(st.sampled_from(sorted(self.admitted)))
        first = self.admitted[call_id]
        again = replace(first, facts=replace(first.facts, call_id=_other(call_id)))
        reply = self.run(admit_with_hold(self.world.calls, again, self.now))
        expected = Status.DUPLICATE if call_id in self.model.live else Status.CALL_OVER
        assert (reply.status, reply.call.call_id if reply.call else "") == (expected, call_id)

    @rule(call_id=known)
    def ring(self, call_id: str) -> None:
        self.run(record_ringing(self.world.calls, call_id, self.now, self.now))

    @rule(call_id=known, ago=seconds)
    def answer(self, call_id: str, ago: int) -> None:
        self.run(record_answer(self.world.calls, call_id, self.now - ago * 1000, None, self.now, SILENT_MS))
        self._follow(call_id)

    def _follow(self, call_id: str) -> None:
        """Take over what an answer or a lease holds, if it is legal: exact price, within the free money."""
        mine = self.model.live.get(call_id)
        call = self.run(self.world.calls.read_call(call_id))
        if mine is None or call is None or call.state is not State.ANSWERED:
            return
        assert call.held_micros == call.covered_s * PER_SECOND == sum(call.holds.values())
        grown = call.held_micros - mine.held
        assert grown <= max(0, self.model.free(mine.client, self.today, mine.terms)), (call, mine)
        mine.holds, mine.answered_ms = dict(call.holds), call.answered_ms

    @rule(step=st.integers(min_value=-20, max_value=130))
    def move_clock(self, step: int) -> None:
        self.world.now_ms += step * 1000

    @rule(call_id=known)
    def touch(self, call_id: str) -> None:
        self.run(self.world.calls.touch(call_id, EDGE, self.now))

    @rule()
    def keep(self) -> None:
        """Leases are extended one call after the other; calls of silent edges end as lost."""
        before = {call_id: call.held for call_id, call in self.model.live.items()}
        self.run(keep_once(self.world.calls, self.now, SILENT_MS))
        for call_id in before:
            call = self.run(self.world.read(call_id))
            if call.state is State.ENDED:
                assert call.lost
                assert call.outcome is not None
                charge = call.outcome.charge_micros
                assert charge <= before[call_id], "a silent edge is charged to the confirmed lease"
                self._close(call_id, charge)
                self.lost[call_id] = (call.facts.client_id, charge)
        for call_id in list(self.model.live):
            self._follow(call_id)

    @rule(client=st.sampled_from(sorted(CLIENTS)), target=known)
    def begin(self, client: str) -> str:
        """A call that talks at once: most lives are plain."""
        call_id = str(self.admit(client))
        self.answer(call_id, 0)
        return call_id

    @rule(step=st.integers(40, 89))
    def carry_on(self, step: int) -> None:
        """Every edge lists its calls, time goes on, leases are due."""
        for call_id in list(self.model.live):
            self.touch(call_id)
        self.move_clock(step)
        self.keep()

    @rule(client=st.sampled_from(sorted(CLIENTS)), talked=st.integers(55, 130))
    def talk_unseen(self, client: str, talked: int) -> None:
        """The keeper was away: the end has to find the money for what no lease holds."""
        call_id = self.begin(client)
        self.move_clock(talked)
        self.end(call_id, 0, False, 0)

    @rule(client=st.sampled_from(sorted(CLIENTS)), talked=seconds)
    def lose_and_find(self, client: str, talked: int) -> None:
        """An edge falls silent, and comes back with the truth."""
        call_id = self.begin(client)
        self.move_clock(95)
        self.keep()
        self.move_clock(talked)
        self.end(call_id, talked, False, 0)

    @rule(call_id=known, talked=seconds, told_answer=st.booleans(), late=seconds)
    def end(self, call_id: str, talked: int, told_answer: bool, late: int) -> None:
        """Ended before answered, late, twice, after it was lost."""
        ended_ms = self.now - late * 1000
        answered_ms = ended_ms - talked * 1000 if told_answer else None
        was = self.run(self.world.calls.read_call(call_id))
        mine = self.model.live.get(call_id)
        room = 0
        if call_id in self.lost:
            client = self.lost[call_id][0]
            room = self.model.beyond(client, self.today, self.admitted[call_id].terms)
        waiting = sum(map(len, self.model.waiting.values()))
        report_s = (ended_ms - NOON_MS) / 1000
        now = self.now
        self.run(self._report(call_id, report_s, answered_ms, now))
        if was is None:
            return
        call = self.run(self.world.read(call_id))
        assert call.state is State.ENDED
        assert call.outcome is not None
        if mine is not None:
            o = call.outcome
            billed = billed_seconds(o.answered_at_ms, o.ended_at_ms, call.cut_at_ms)
            expected = self.model.charge(mine, billed, self.today)
            assert o.charge_micros == expected == o.duration_s * PER_SECOND, (o, mine)
            self._close(call_id, o.charge_micros)
        elif call_id in self.lost:
            self._corrected(call_id, call.outcome, room)
        else:
            assert waiting == sum(map(len, self.model.waiting.values()))
        self.run(self._report(call_id, report_s + 7, answered_ms, now + 7000))
        assert self.run(self.world.read(call_id)).outcome == call.outcome, "told twice, counted once"

    async def _report(self, call_id: str, at_s: float, answered_ms: int | None, now: int) -> None:
        ended_ms = NOON_MS + round(at_s * 1000)
        await record_end(self.world.calls, call_id, EndReport(ended_ms, answered_ms), now, b"a key of tests")

    def _close(self, call_id: str, charge: int) -> None:
        self.model.settle(call_id, charge, self.today)
        self.ended.add(call_id)

    def _corrected(self, call_id: str, outcome: CallEnded, room: int) -> None:
        client, before = self.lost.pop(call_id)
        diff = outcome.charge_micros - before
        assert diff <= room, "a correction takes only what is free"
        assert outcome.charge_micros == outcome.duration_s * PER_SECOND
        if diff:
            self.model.waiting[client][correction_id(call_id)] = diff
        rest = diff
        if diff > 0:
            self.model.spend[client, self.today] += diff
        for day in sorted((d for c, d in self.model.spend if c == client), reverse=True):
            if rest >= 0:
                break
            part = min(-rest, self._spend_of(call_id, day, before, outcome))
            self.model.spend[client, day] -= part
            rest += part

    def _spend_of(self, call_id: str, day: str, before: int, outcome: CallEnded) -> int:
        """What the call had spent on a day before its correction: from its first event."""
        for event in self.run(self.world.events("call.ended.v1", CallId.parse(call_id).partition)):
            if event.call_id == call_id:
                return event.read(CallEnded).spend_by_day.get(day, 0)
        raise AssertionError(call_id)

    @precondition(lambda self: any(self.model.waiting.values()))
    @rule(data=st.data())
    def post_a_charge(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(sorted(c for c, w in self.model.waiting.items() if w)))
        this = data.draw(st.sampled_from(sorted(self.model.waiting[client])))
        micros = self.model.waiting[client].pop(this)
        call_id = this.removesuffix(":correction")
        kind, operation = ("charge", None) if this == call_id else ("adjustment", this)
        line = self.world.post(
            -micros, client, kind, PLACES[client][0], call_id=call_id, operation_id=operation
        )
        reply = self.run(line)
        assert (reply.status, reply.was_waiting) == (Status.APPLIED, True)
        self.model.settled[client] -= micros

    @rule(client=st.sampled_from(sorted(CLIENTS)))
    def redeliver_a_posting(self, client: str) -> None:
        sequence = self.world.sequences.get(client, 0)
        if sequence:
            self.world.sequences[client] = sequence - 1
            balance = self.world.balances[client]
            line = self.world.post(0, client, partition=PLACES[client][0])
            assert self.run(line).status is Status.STALE
            self.world.balances[client] = balance

    @invariant()
    def every_balance_is_the_models(self) -> None:
        usages = self.run(self._usages())
        for (client, terms), usage in zip(CLIENTS.items(), usages, strict=True):
            calls = sum(call.client == client for call in self.model.live.values())
            assert (usage.active_calls, usage.held_micros) == (calls, self.model.held(client))
            assert usage.settled_micros == self.model.settled[client]
            assert usage.unposted_micros == sum(self.model.waiting[client].values())
            assert usage.day_spend_micros == self.model.spend[client, self.today]
            assert usage.day_held_micros == self.model.day_held(client, self.today)
            assert usage.day_begun_micros == self.model.day_held(client, self.today, begun=True)
            if terms.rule != "postpaid":
                assert usage.available_micros >= self.lowest[client], "only an operator takes it below zero"
                self.lowest[client] = min(0, usage.available_micros)
            highest = self.highest_limit[client]
            if highest is not None:
                assert usage.day_spend_micros + usage.day_held_micros <= highest
        for partition, brand in set(PLACES.values()):
            assert self.run(self._active(partition, brand)) == self.model.calls_of(brand=brand)

    async def _active(self, partition: int, brand: str) -> int:
        return int(await self.world.batch.execute("HGET", keys_of(partition).brand(brand), "active") or 0)

    async def _usages(self) -> list[ClientUsage]:
        return await asyncio.gather(*(self.world.usage(client, PLACES[client][0]) for client in CLIENTS))

    def teardown(self) -> None:
        try:
            self.run(self._all_is_settled())
        finally:
            self.run(self.world.batch.aclose())
            self.run(self.world.redis.aclose())
            self.runner.close()

    async def _all_is_settled(self) -> None:
        for call_id in list(self.model.live):
            await self._report(call_id, (self.now - NOON_MS) / 1000, None, self.now)
            self.ended.add(call_id)
        ended = [event.read(CallEnded) for event in await self._events("call.ended.v1")]
        assert Counter(e.call.call_id for e in ended) == Counter(self.ended), "one end for each call"
        assert all(sum(e.spend_by_day.values()) == e.charge_micros for e in ended)
        fixed = [event.read(CallCorrected) for event in await self._events("call.corrected.v1")]
        assert len({c.correction_id for c in fixed}) == len(fixed)
        crossed = [(e.client_id, e.read(DailyUsageCrossed)) for e in await self._events(CROSSED)]
        once = Counter((client, told.day, told.threshold) for client, told in crossed)
        assert set(once.values()) <= {1}, "a threshold is told of once a day"
        assert await find_drifts(self.world.calls, self.world.counters, PARTITIONS, pause_s=0) == []
        assert await leaked(self.world) == []

    async def _events(self, kind: str) -> list[Envelope]:
        told = [await self.world.events(kind, partition) for partition in PARTITIONS]
        return [event for part in told for event in part]


def _other(call_id: str) -> str:
    """A fresh id in the same partition."""
    return str(CallId.new(CallId.parse(call_id).partition))


async def leaked(world: World) -> list[str]:
    """Keys that neither expire nor belong to a client or brand: nothing else may outlive its calls."""
    mine = [name for name in await world.all_keys() if not name.split("landline:")[1].startswith(STAYS)]
    return [name for name in mine if await world.redis.pttl(name) < 0]


def test_no_sequence_of_reports_makes_a_balance_wrong(stores: TestStores) -> None:
    """The promise of the money: whatever comes late, twice, out of order or never."""
    Calls.url = stores.redis_url
    profile = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    run_state_machine_as_test(Calls, settings=profile)
