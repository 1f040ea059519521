"""AutoBatch: the Redis commands of one event-loop turn travel as one pipeline.

Concurrent requests of a worker thus share one round trip and one fsync (platform-notes section 0; measured in
docs/decisions/0005). While the lanes' batches are in flight the next commands gather, so a busy worker sends
larger batches and an idle one sends at once. A batch takes a part of what waits, so that Redis works on it
while we decide the calls of the next: with one batch of all that is in flight, each would wait for the other
in turn (64 in flight: 0.47 ms a call instead of 0.22).
Commands of different batches may be carried out in any order: whoever needs an order awaits. Commands of a
batch are independent: no transaction, an error of one is raised to its own caller only. Never send a blocking
command: all others would wait.

Single and Sentinel: `lane.Lane`, a connection that is packed and read directly, since redis-py's Pipeline
costs more than the rest of an admission's Redis work. Cluster: redis-py's pipeline, one per node.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter
from redis.asyncio import RedisCluster

from landline.chassis.lane import ClusterLane, Item, Lane, Shapes

if TYPE_CHECKING:
    from landline.chassis.redis import AnyRedis

ROUND_TRIPS = Counter("landline_redis_round_trips_total", "Batches of commands sent to Redis")

SHARES = 4
FULL_SHARE = 16
LEAST_SHARE = 4
"""Fewer commands are not worth a round trip and an fsync of their own."""


class AutoBatch:
    """`await batch.execute("HGETALL", key)`; replies are shaped as redis-py shapes them (RESP2, bytes).

    `timeout_s` bounds a whole batch. `round_trips` and `commands` count what was sent, for metrics and bench.
    Raises redis ResponseError for a refused command; NotReplicated for a write that too few replicas have
    confirmed; ConnectionError or TimeoutError when the reply was lost,
    in which case the command may or may not have been carried out.
    """

    def __init__(self, redis: AnyRedis, *, timeout_s: float = 5.0, lanes: int = 3, replicas: int = 0) -> None:
        """`replicas`: how many must confirm each batch that writes calls or money (`replication`)."""
        self.redis = redis
        self.replicas = replicas
        self.round_trips = 0
        self.commands = 0
        self._waiting: list[Item] = []
        self._starting = False
        self._lanes = [self._lane(redis, timeout_s) for _ in range(lanes)]
        self._idle_lanes = list(self._lanes)

    def _lane(self, redis: AnyRedis, timeout_s: float) -> Lane | ClusterLane:
        if isinstance(redis, RedisCluster):
            return ClusterLane(redis, {}, timeout_s, self._lane_is_idle, self.replicas)
        shapes: Shapes = dict(redis.response_callbacks)
        return Lane(redis, shapes, timeout_s, self._lane_is_idle, self.replicas)

    def execute(self, *command: Any) -> Awaitable[Any]:
        """Queue one command; the reply arrives with its batch. Command name first, in capitals."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((command, reply))
        if not self._starting and self._idle_lanes:
            self._starting = True
            loop.call_soon(self._start)
        return reply

    async def execute_all(self, *commands: Sequence[Any]) -> list[Any]:
        """Queue several commands; their replies in order, once all are there.

        Raises the first error. Futures awaited one after the other would leave those behind the first failed
        one to complain that nobody looked at their errors: hundreds of lines while Redis loads its file.
        """
        return await asyncio.gather(*(self.execute(*command) for command in commands))

    def _start(self) -> None:
        """After a turn of the loop: a lane takes its share of what the turn brought; another one, of what is
        left, after the next."""
        self._starting = False
        if not self._waiting or not self._idle_lanes:
            return
        lane = self._idle_lanes.pop()
        items = self._take()
        self.round_trips += 1
        self.commands += len(items)
        ROUND_TRIPS.inc()
        lane.carry(items)
        if self._waiting and self._idle_lanes:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _take(self) -> list[Item]:
        """A lane's share of what waits: up to 16 at a time, more only of a crowd."""
        waiting, lanes = len(self._waiting), len(self._idle_lanes) + 1
        share = max(LEAST_SHARE, min(FULL_SHARE, math.ceil(waiting / lanes)), math.ceil(waiting / SHARES))
        items, self._waiting = self._waiting[:share], self._waiting[share:]
        return items

    def _lane_is_idle(self, lane: Lane | ClusterLane) -> None:
        """Its replies are given out; callers that ask again in this turn are part of its next batch."""
        self._idle_lanes.append(lane)
        if self._waiting and not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    async def aclose(self) -> None:
        """Wait for what was sent, then close the connections. The client itself stays open."""
        while self._waiting:
            await asyncio.sleep(0)
        await asyncio.gather(*(lane.aclose() for lane in self._lanes))
