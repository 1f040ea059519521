"""AutoBatch: the Redis commands of one event-loop turn travel as one pipeline.

Concurrent requests of a worker thus share one round trip and one fsync (platform-notes section 0; measured in
docs/decisions/0005). While the lanes' batches are in flight the next commands gather, so a busy worker sends
larger batches and an idle one sends at once. A batch takes a part of what waits, so that Redis works on it
while we decide the calls of the next: with one batch of all that is in flight, each would wait for the other
in turn (64 in flight: 0.47 ms a call instead of 0.22).
Commands of different batches may be carried out in any order: whoever needs an order awaits. Commands of a
batch are independent: no transaction, an error of one is raised to its own caller only. Never send a blocking
command: all others would wait.

Single and Sentinel: one connection of the pool, packed and read directly, since redis-py's Pipeline costs
more than the rest of an admission's Redis work. Cluster: redis-py's pipeline, one per node.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

import hiredis
from prometheus_client import Counter
from redis.asyncio import RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

if TYPE_CHECKING:
    from landline.chassis.redis import AnyRedis

ROUND_TRIPS = Counter("landline_redis_round_trips_total", "Batches of commands sent to Redis")

SHARES = 4
FULL_SHARE = 16
LEAST_SHARE = 4
"""Fewer commands are not worth a round trip and an fsync of their own."""

_Item = tuple[tuple[Any, ...], "asyncio.Future[Any]"]


class _Lane:
    """One connection, with at most one batch on its way."""

    __slots__ = ("_connection",)

    def __init__(self) -> None:
        self._connection: AbstractConnection | None = None

    async def connected(self, redis: AnyRedis) -> AbstractConnection:
        """The connection, opened anew if the server has closed it: before sending, so nothing is lost."""
        connection = self._connection
        if connection is None:
            # Not taken from the pool, made by it: it never returns there, and has no time-out of its own,
            # because a task and a timer per read would cost more than the read.
            connection = redis.connection_pool.make_connection()  # type: ignore[union-attr]
            connection.socket_timeout = None
            self._connection = connection
        if connection.is_connected and await connection.can_read():
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            await connection.connect()
        return connection

    async def drop(self) -> None:
        """Forget a connection whose replies can no longer be told apart."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close it in order."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect()


class AutoBatch:
    """`await batch.execute("HGETALL", key)`; replies are shaped as redis-py shapes them (RESP2, bytes).

    `timeout_s` bounds a whole batch. `round_trips` and `commands` count what was sent, for metrics and bench.
    Raises redis ResponseError for a refused command; ConnectionError or TimeoutError when the reply was lost,
    in which case the command may or may not have been carried out.
    """

    def __init__(self, redis: AnyRedis, *, timeout_s: float = 5.0, lanes: int = 3) -> None:
        self.redis = redis
        self.round_trips = 0
        self.commands = 0
        self._timeout_s = timeout_s
        self._waiting: list[_Item] = []
        self._idle_lanes = [_Lane() for _ in range(lanes)]
        self._senders: set[asyncio.Task[None]] = set()
        self._starting = False
        self._shape: Mapping[Any, Any] = {} if isinstance(redis, RedisCluster) else redis.response_callbacks

    def execute(self, *command: Any) -> Awaitable[Any]:
        """Queue one command; the reply arrives with its batch. Command name first, in capitals."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, reply))
        if not self._starting and self._idle_lanes:
            self._start_lane()
        return reply

    def _start_lane(self) -> None:
        """It begins after this turn of the loop, with what the turn brings."""
        self._starting = True
        sender = asyncio.create_task(self._send_all(self._idle_lanes.pop()))
        self._senders.add(sender)
        sender.add_done_callback(self._senders.discard)

    def _take(self) -> list[_Item]:
        """This lane's share of what waits: up to 16 at a time, more only of a crowd."""
        waiting, lanes = len(self._waiting), len(self._idle_lanes) + 1
        share = max(LEAST_SHARE, min(FULL_SHARE, math.ceil(waiting / lanes)), math.ceil(waiting / SHARES))
        items, self._waiting = self._waiting[:share], self._waiting[share:]
        if self._waiting and self._idle_lanes and not self._starting:
            self._start_lane()
        return items

    async def aclose(self) -> None:
        """Send what waits, then give the connections back. The client itself stays open."""
        await asyncio.gather(*self._senders, return_exceptions=True)
        for lane in self._idle_lanes:
            await lane.close()

    async def _send_all(self, lane: _Lane) -> None:
        self._starting = False
        try:
            while self._waiting:
                items = self._take()
                self.round_trips += 1
                self.commands += len(items)
                ROUND_TRIPS.inc()
                await self._send(lane, items)
        finally:
            self._idle_lanes.append(lane)

    async def _send(self, lane: _Lane, items: list[_Item]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                replies = await (
                    self._on_cluster(self.redis, items)
                    if isinstance(self.redis, RedisCluster)
                    else self._on_connection(lane, items)
                )
        except BaseException as error:
            await lane.drop()
            lost = TimeoutError("no reply in time") if isinstance(error, asyncio.TimeoutError) else error
            if not isinstance(lost, Exception):
                lost = ConnectionError("the batch was abandoned")
            for _, reply in items:
                if not reply.done():
                    reply.set_exception(type(lost)(*lost.args))
            if not isinstance(error, Exception):
                raise
            return
        for (command, reply), value in zip(items, replies, strict=True):
            if not reply.done():
                self._settle(command, reply, value)

    def _settle(self, command: tuple[Any, ...], reply: asyncio.Future[Any], value: Any) -> None:
        if isinstance(value, Exception):
            reply.set_exception(value)
            return
        shape = self._shape.get(command[0])
        try:
            reply.set_result(shape(value) if shape else value)
        except Exception as error:  # a reply of unexpected shape harms its own command only
            reply.set_exception(error)

    async def _on_connection(self, lane: _Lane, items: list[_Item]) -> list[Any]:
        connection = await lane.connected(self.redis)
        packed = b"".join([hiredis.pack_command(command) for command, _ in items])
        await connection.send_packed_command(packed, check_health=False)
        replies: list[Any] = []
        for _ in items:
            try:
                replies.append(await connection.read_response(timeout=math.inf))
            except ResponseError as error:
                replies.append(error)
        return replies

    async def _on_cluster(self, cluster: RedisCluster, items: list[_Item]) -> list[Any]:
        pipe = cluster.pipeline(transaction=False)
        for command, _ in items:
            pipe.execute_command(*command)
        replies: list[Any] = await pipe.execute(raise_on_error=False, allow_redirections=True)
        return replies
