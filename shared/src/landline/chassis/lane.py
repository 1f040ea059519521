"""One connection to Redis that carries one batch of commands at a time.

redis-py opens it (address, TLS, AUTH, database, the primary that Sentinel names) and is then out of the way:
packed commands are written to the transport, replies are read by hiredis as they come and given to their
futures. redis-py's own way, a task that awaits a stream reader per reply, costs more than all else that an
admission does with Redis (decision 0017).
"""

from __future__ import annotations

import asyncio
import builtins
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import DefaultParser
from redis.exceptions import (
    AskError,
    ConnectionError,
    InvalidResponse,
    MovedError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
    TryAgainError,
)

from landline.chassis.replication import judged, wait, writes

Item = tuple[tuple[Any, ...], "asyncio.Future[Any]"]
"""A command, its name first, and who waits for its reply."""

Shapes = Mapping[Any, Callable[..., Any]]
"""Command name -> what makes redis-py's shape of its raw reply."""


_MOVED = (MovedError, AskError, TryAgainError)

Idle = Callable[[Any], None]
"""Is told of a lane that is free again."""


class Lane(asyncio.Protocol):
    """`carry` sends a batch; `idle` is told when all its replies have come, or when it has failed."""

    def __init__(self, redis: Redis, shapes: Shapes, timeout_s: float, idle: Idle, replicas: int = 0) -> None:
        """`replicas`: how many must have confirmed a batch that writes before its callers are told."""
        self._redis = redis
        self._replicas = replicas
        self._unconfirmed: list[tuple[asyncio.Future[Any], Any, Callable[..., Any] | None]] | None = None
        self._shapes = shapes
        self._timeout_s = timeout_s
        self._idle = idle
        self._connection: Any = None
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[Item] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._demoted = False

    def carry(self, items: Sequence[Item]) -> None:
        """Send a batch; its replies reach their futures. Only when nothing is on its way."""
        if self._replicas and any(writes(command) for command, _ in items):
            confirmed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            items, self._unconfirmed = [*items, (wait(self._replicas), confirmed)], []
        self._waiting.extend(items)
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._expire)
        try:
            packed = b"".join([hiredis.pack_command(command) for command, _ in items])
        except Exception as error:  # an argument that is neither text nor number
            self._fail(error)
            return
        if self._transport is None or self._transport.is_closing():
            self._opening = asyncio.create_task(self._open_and_send(packed))
        else:
            self._transport.write(packed)

    async def _open_and_send(self, packed: bytes) -> None:
        """A connection that the server has closed is opened anew before sending, so nothing is lost."""
        self._close()
        try:
            # Made by the pool, but never returned there.
            pool: Any = self._redis.connection_pool
            connection = pool.make_connection()
            await connection.connect()
            transport = connection._writer.transport
            self._connection, self._transport = connection, transport
            self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=DefaultParser.parse_error)
            transport.set_protocol(self)
            transport.write(packed)
        except Exception as error:
            self._fail(error)

    def data_received(self, data: bytes) -> None:
        """Replies come in the order of the commands."""
        if not self._waiting:  # nobody has asked: later replies could not be told apart
            self._close()
            return
        self._reader.feed(data)
        try:
            while self._waiting and (value := self._reader.gets()) is not False:
                command, reply = self._waiting.popleft()
                self._settle(command, reply, value)
        except InvalidResponse as error:  # what follows can no longer be told apart
            self._fail(error)
            return
        if not self._waiting:
            self._done()

    def _settle(self, command: tuple[Any, ...], reply: asyncio.Future[Any], value: Any) -> None:
        if isinstance(value, ReadOnlyError):
            self._demoted = True  # by a fail-over: the next batch finds the new primary
            value = ConnectionError(f"no longer the primary: {value}")
        if self._unconfirmed is None:
            settle(reply, value, self._shapes.get(command[0]))
        elif writes(command):
            self._unconfirmed.append((reply, value, self._shapes.get(command[0])))
        elif command[0] == "WAIT":
            self._confirm(value)
        else:
            settle(reply, value, self._shapes.get(command[0]))

    def _confirm(self, have: Any) -> None:
        """The batch's WAIT is answered: its writes may be told, or are not kept."""
        written, self._unconfirmed = self._unconfirmed or [], None
        for reply, value, shape in written:
            settle(reply, judged(value, have, self._replicas), shape)

    def connection_lost(self, error: Exception | None) -> None:
        """The server has closed it; that we have is no news."""
        if self._transport is not None and self._transport.is_closing():
            self._fail(ConnectionError(f"connection closed by Redis: {error or 'without an error'}"))

    def _expire(self) -> None:
        self._fail(TimeoutError("no reply in time"))

    def _fail(self, error: Exception) -> None:
        """What has no reply may or may not have been carried out; the connection is dropped."""
        failed, self._waiting = self._waiting, deque()
        self._confirm(error)
        if self._opening is not None:
            self._opening.cancel()
        self._close()
        for command, reply in failed:
            if command[0] != "WAIT":  # our own: nobody waits for it
                settle(reply, type(error)(*error.args))
        self._done()

    def _done(self) -> None:
        if self._demoted:
            self._close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._idle(self)

    def _close(self) -> None:
        connection, transport = self._connection, self._transport
        self._connection, self._transport, self._demoted = None, None, False
        if connection is not None and transport is not None:
            connection._close()
            transport.abort()

    async def aclose(self) -> None:
        """Wait for what is on its way, then close."""
        if self._waiting:
            await asyncio.wait([reply for _, reply in self._waiting])
        self._close()


class ClusterLane:
    """The same over a Cluster: redis-py's pipeline knows the slots, follows MOVED and asks each node once."""

    def __init__(
        self, cluster: RedisCluster, shapes: Shapes, timeout_s: float, idle: Idle, replicas: int = 0
    ) -> None:
        self._cluster = cluster
        self._replicas = replicas
        self._shapes = shapes
        self._timeout_s = timeout_s
        self._idle = idle
        self._sending: asyncio.Task[None] | None = None

    def carry(self, items: Sequence[Item]) -> None:
        """Send a batch; its replies reach their futures."""
        self._sending = asyncio.create_task(self._send(items))

    async def _send(self, items: Sequence[Item]) -> None:
        commands = [command for command, _ in items]
        replies: list[Any]
        try:
            async with asyncio.timeout(self._timeout_s):
                replies = await self._pipelined(commands)
                if any(isinstance(value, _MOVED) for value in replies):
                    replies = await self._again(commands, replies)
        except builtins.TimeoutError:
            replies = [TimeoutError("no reply in time") for _ in items]
        except Exception as error:
            replies = [type(error)(*error.args) for _ in items]
        for (command, reply), value in zip(items, replies, strict=True):
            settle(reply, value, self._shapes.get(command[0]))
        if any(isinstance(value, ConnectionError | ReadOnlyError) for value in replies):
            await self._look_around()
        self._idle(self)

    async def _again(self, commands: Sequence[tuple[Any, ...]], replies: Sequence[Any]) -> list[Any]:
        """What was refused because its slot has moved, sent once more to where it is now."""
        await self._look_around()
        moved = [n for n, value in enumerate(replies) if isinstance(value, _MOVED)]
        answered = list(replies)
        for n, value in zip(moved, await self._pipelined([commands[n] for n in moved]), strict=True):
            answered[n] = value
        return answered

    async def _look_around(self) -> None:
        """Ask the nodes anew who has which slots: after a fail-over the client would still ask the dead."""
        try:
            await self._cluster.nodes_manager.initialize()
        except RedisError:
            return  # the next batch tries again

    async def _pipelined(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The replies, in order. Where replicas must confirm, each written node is asked to wait for them."""
        pipe = self._cluster.pipeline(transaction=False)
        places: dict[str, list[int]] = {}
        for n, command in enumerate(commands):
            pipe.execute_command(*command)
            if self._replicas and writes(command):
                key = command[3] if command[0] != "SET" else command[1]
                node = self._cluster.get_node_from_key(key)
                places.setdefault(node.name if node else "", []).append(n)
        for name in places:
            pipe.execute_command(*wait(self._replicas), target_nodes=self._cluster.get_node(node_name=name))
        replies: list[Any] = await pipe.execute(raise_on_error=False, allow_redirections=not self._replicas)
        for have, written in zip(replies[len(commands) :], places.values(), strict=True):
            for n in written:
                replies[n] = judged(replies[n], have, self._replicas)
        return replies[: len(commands)]

    async def aclose(self) -> None:
        """Wait for what is on its way; the nodes' connections are the client's."""
        if self._sending is not None:
            await asyncio.wait([self._sending])


def settle(reply: asyncio.Future[Any], value: Any, shape: Callable[[Any], Any] | None = None) -> None:
    """Give a reply or an error to who waits for it, if anybody still does."""
    if reply.done():
        return
    if isinstance(value, Exception):
        reply.set_exception(value)
        return
    try:
        reply.set_result(shape(value) if shape else value)
    except Exception as error:  # a reply of unexpected shape harms its own command only
        reply.set_exception(error)
