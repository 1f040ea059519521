"""A small world for money stories: one Redis, the store, and a clock that the story moves."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.adapters.call_store import CallStore
from call_control.adapters.counters import Counters
from call_control.adapters.edge_states import EdgeStates
from call_control.adapters.keys import keys_of
from call_control.adapters.postings import Postings
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.app.recorded import Recorded
from call_control.domain.live_call import LiveCall
from call_control.domain.replies import AdmitReply, ClientUsage, PostingReply
from landline.chassis.redis import AnyRedis, AutoBatch
from landline.contracts.billing.events import PostingMade
from landline.contracts.envelope import Envelope, unseal
from redis.asyncio import RedisCluster

from tests.support.calls import NOON_MS, new_call

# The test runs on one Valkey and again on a cluster of three masters.
BOTH = pytest.mark.parametrize(
    "server", ["single", pytest.param("cluster", marks=pytest.mark.cluster)], indirect=True
)
SILENT_MS = 90_000
KEY = b"ticket-key-of-tests"


class World:
    """Partition `partition` of one Redis. Moments in stories are seconds after noon."""

    def __init__(self, redis: AnyRedis, partition: int = 0, replicas: int = 0) -> None:
        self.redis = redis
        self.partition = partition
        self.batch = AutoBatch(redis, replicas=replicas)
        self.calls = CallStore(self.batch)
        self.postings = Postings(self.batch)
        self.edges = EdgeStates(self.batch)
        self.counters = Counters(self.batch)
        self.keys = keys_of(partition)
        self.now_ms = NOON_MS
        self.sequences: dict[str, int] = {}
        self.balances: dict[str, int] = {}

    def at(self, seconds: float) -> int:
        """Set the clock to so many seconds after noon; the moment in ms."""
        self.now_ms = NOON_MS + round(seconds * 1000)
        return self.now_ms

    async def post(
        self,
        amount_micros: int,
        client_id: str = "client-1",
        kind: str = "top_up",
        partition: int | None = None,
        **more: Any,
    ) -> PostingReply:
        """The ledger's next line for a client, applied in its partition (default: this world's)."""
        sequence = self.sequences[client_id] = self.sequences.get(client_id, 0) + 1
        balance = self.balances[client_id] = self.balances.get(client_id, 0) + amount_micros
        posting = PostingMade(
            client_id=client_id,
            sequence=sequence,
            kind=kind,
            amount_micros=amount_micros,
            balance_after_micros=balance,
            **more,
        )
        return await self.postings.apply(self.partition if partition is None else partition, posting)

    async def admit(self, **changes: Any) -> AdmitReply:
        """A new call now; see tests.support.calls.new_call."""
        return await self.calls.admit(new_call(self.partition, self.now_ms, **changes), self.now_ms)

    async def admitted(self, **changes: Any) -> LiveCall:
        """The same, which must succeed, as the store reads it."""
        new = new_call(self.partition, self.now_ms, **changes)
        reply = await self.calls.admit(new, self.now_ms)
        assert reply.status == "ADMITTED", reply
        return await self.read(new.facts.call_id)

    async def answered(self, at_s: float = 0, **changes: Any) -> LiveCall:
        """An admitted call that was answered so many seconds after noon."""
        call = await self.admitted(**changes)
        self.at(at_s)
        await record_answer(self.calls, call.call_id, self.now_ms, None, self.now_ms, SILENT_MS)
        return await self.read(call.call_id)

    async def end(self, call_id: str, at_s: float, **report: Any) -> Recorded:
        """The edge's report of an end, at that second, told at once."""
        ended_ms = self.at(at_s)
        return await record_end(
            self.calls, call_id, EndReport(**{"ended_ms": ended_ms, **report}), self.now_ms, KEY
        )

    async def read(self, call_id: str) -> LiveCall:
        """The call, which must be known."""
        call = await self.calls.read_call(call_id)
        assert call is not None, call_id
        return call

    async def usage(self, client_id: str = "client-1", partition: int | None = None) -> ClientUsage:
        """Counters of the client and of its UTC day."""
        where = self.partition if partition is None else partition
        return await self.calls.client_usage(where, client_id, "UTC", self.now_ms)

    async def events(self, kind: str | None = None, partition: int | None = None) -> list[Envelope]:
        """What the partition's stream tells, oldest first."""
        keys = self.keys if partition is None else keys_of(partition)
        entries: Any = await self.redis.xrange(keys.calls)
        told = [unseal(fields[b"event"]) for _, fields in entries]
        return [event for event in told if kind is None or event.type == kind]

    async def all_keys(self) -> list[str]:
        """Every key of the server or cluster."""
        if isinstance(self.redis, RedisCluster):
            found: Any = await self.redis.keys("*", target_nodes=RedisCluster.PRIMARIES)
        else:
            found = await self.redis.keys("*")
        return sorted(name.decode() for name in found)
