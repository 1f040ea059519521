"""Calls straight on the store while Redis nodes die: what an edge was promised is held against the books."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from call_control.app.keep_leases import keep_once
from call_control.app.reconcile import find_drifts
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.app.recorded import CallBusy, Recorded
from call_control.domain.lease import UNSEEN_MS
from call_control.domain.live_call import State, Terms
from call_control.domain.replies import Status
from redis.exceptions import RedisError

from tests.support.calls import new_call
from tests.support.money_world import KEY, SILENT_MS, World

RETRY_S = 0.05
TROUBLE = (RedisError, OSError, TimeoutError, CallBusy)


@dataclass
class RedisLoad:
    """Calls of every world's partition, some at a time, until told to stop. One world a partition."""

    worlds: list[World]
    lanes: int = 4
    ended: dict[str, World] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    forgotten: list[str] = field(default_factory=list)
    done_at: dict[int, list[float]] = field(default_factory=dict)
    over: bool = False

    async def run(self) -> None:
        """Until `over`; then what has begun is ended and acknowledged."""
        await asyncio.gather(*(self._lane(world) for world in self.worlds for _ in range(self.lanes)))

    async def _lane(self, world: World) -> None:
        while not self.over:
            now = time.time_ns() // 1_000_000
            terms = Terms(rule="postpaid")
            new = new_call(world.partition, now, terms, client_id=f"client-{world.partition}")
            try:
                reply = await world.calls.admit(new, now)
            except TROUBLE as error:  # the edge was told 503: this call does not happen
                self.refused[type(error).__name__] += 1
                await asyncio.sleep(RETRY_S)
                continue
            assert reply.status is Status.ADMITTED, reply
            await self._talk(world, new.facts.call_id, now)

    async def _talk(self, world: World, call_id: str, now: int) -> None:
        await self._until_done(
            lambda at: record_answer(world.calls, call_id, now, None, at, SILENT_MS), call_id
        )
        await asyncio.sleep(0.01)
        over = EndReport(now + 5_000)
        await self._until_done(
            lambda at: record_end(world.calls, call_id, over, max(at, now + 5_000), KEY), call_id
        )
        self.ended[call_id] = world
        self.done_at.setdefault(world.partition, []).append(time.monotonic())

    async def _until_done(self, report: object, call_id: str) -> None:
        """As an edge does: again until it is acknowledged, or nobody knows the call."""
        assert callable(report)
        while True:
            try:
                if await report(time.time_ns() // 1_000_000) is Recorded.UNKNOWN:
                    self.forgotten.append(call_id)
                return
            except TROUBLE as error:
                self.refused[type(error).__name__] += 1
                await asyncio.sleep(RETRY_S)

    async def assert_promises_hold(self) -> None:
        """Nothing acknowledged is gone; every call is charged once; counters add up."""
        assert self.forgotten == []
        await self._reap()
        charged: Counter[str] = Counter()
        for call_id, world in self.ended.items():
            call = await world.calls.read_call(call_id)
            assert call is not None, f"{call_id} was acknowledged and is gone"
            assert call.state is State.ENDED
            assert call.outcome is not None
            assert call.outcome.charge_micros == 50_000, call.outcome
            charged[call.facts.client_id] += call.outcome.charge_micros
        for world in self.worlds:
            client = f"client-{world.partition}"
            usage = await world.usage(client)
            assert (usage.active_calls, usage.held_micros) == (0, 0), usage
            assert usage.unposted_micros == charged[client]
            assert await find_drifts(world.calls, world.counters, [world.partition], pause_s=0) == []

    async def _reap(self) -> None:
        """An admission whose reply was lost has no edge that knows it: the reaper takes it after 200 s."""
        later = time.time_ns() // 1_000_000 + UNSEEN_MS + 60_000
        kept = await keep_once(self.worlds[0].calls, later, SILENT_MS)
        assert kept.lost <= sum(self.refused.values()), "only what was never acknowledged"

    def acknowledged_between(self, partition: int, since: float, until: float) -> int:
        """How many calls of a partition were ended in that time."""
        return sum(since <= at <= until for at in self.done_at.get(partition, ()))
