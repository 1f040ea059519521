"""The stream consumer: at-least-once, in batches, poison harms only itself (architecture 3.3).

Guarantees: an entry is acknowledged only after the handler returned, that is after its transaction
committed. A batch that fails is repeated one entry at a time. Failures of the surroundings are waited
out and never count. An entry that itself fails five times goes to the dead-letter stream with the reason.
A handler must be idempotent: an entry can come again after a crash between commit and acknowledge.
Why not a library: docs/decisions/0002-own-stream-consumer.md.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import structlog
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from landline.chassis.background import pause
from landline.chassis.cluster_nodes import by_node, client_of, look_around
from landline.chassis.dead_letters import bury, count_failure, forget_failures
from landline.chassis.stream_metrics import HANDLED, NOT_READY
from landline.chassis.stream_watch import Figures, measure
from landline.chassis.streams import AnyRedis, Entry, GroupReader, create_groups
from landline.chassis.streams_claim import claim_orphans
from landline.chassis.surroundings import Backoff, is_surroundings
from landline.kernel.ids import new_id

Handler = Callable[[list[Entry]], Awaitable[None]]

BATCH = 200
MAX_FAILURES = 5
TRIES_OF_BATCH = 2
LOOK_AROUND_S = 1.0
# After a small batch the next ones may gather for a moment: each read and each acknowledgement is a write
# that Redis syncs to disk, in front of the admissions that wait behind it (docs/performance.md).
LINGER_S = 0.025
log = structlog.get_logger(__name__)


class NotYet(Exception):
    """Raised by a handler whose entry cannot be handled yet (what it needs is still on its way).

    The entry stays pending and comes again after `claim_s`; it is not counted as a failure.
    """


class StreamConsumer:
    """One member of a consumer group over one or many streams. `run` until told to stop."""

    def __init__(
        self,
        redis: AnyRedis,
        group: str,
        streams: Sequence[str],
        handler: Handler,
        *,
        claim_s: float = 10.0,
        batch: int = BATCH,
        linger_s: float = LINGER_S,
    ) -> None:
        self._redis = redis
        self._group = group
        self._streams = list(streams)
        self._handler = handler
        self._claim_s = claim_s
        self._batch = batch
        self._linger_s = linger_s
        self._node: Redis | None = None
        self._whole: StreamConsumer | None = None
        self._shares: list[StreamConsumer] = []
        self._figures: Figures = {}
        self._member = f"{socket.gethostname()}-{os.getpid()}-{new_id()[-6:]}"
        self._backoff = Backoff()
        self._trouble: str | None = "not started"
        self._log = log.bind(group=group, member=self._member)

    def readiness(self) -> str | None:
        """None while it works; else what it waits for."""
        return next((each._trouble for each in self._shares or [self] if each._trouble), None)

    async def run(self, stop: asyncio.Event) -> None:
        """Read, handle, acknowledge until `stop` is set; orphans are claimed every `claim_s` seconds.

        On a Cluster each node is read by itself: one that is away stops its own streams only.
        """
        if not isinstance(self._redis, RedisCluster):
            await self._follow(self._redis, stop)
            return
        while not stop.is_set():
            await self._follow_nodes(self._redis, stop)

    async def _follow_nodes(self, cluster: RedisCluster, stop: asyncio.Event) -> None:
        """A share for each node, until told to stop or until streams have moved to other nodes."""
        shares, moved = by_node(cluster, self._streams), asyncio.Event()
        self._shares = [self._share(cluster, name, some) for name, some in shares.items() if name]
        async with asyncio.TaskGroup() as group:
            for each in self._shares:
                group.create_task(each._follow_one(moved))
            while not moved.is_set():
                await pause(stop, LOOK_AROUND_S)
                if self.readiness() is not None or "" in shares:
                    await look_around(cluster)
                if stop.is_set() or by_node(cluster, self._streams) != shares:
                    moved.set()

    def _share(self, cluster: RedisCluster, name: str, streams: list[str]) -> StreamConsumer:
        share = StreamConsumer(
            cluster,
            self._group,
            streams,
            self._handler,
            claim_s=self._claim_s,
            batch=self._batch,
            linger_s=self._linger_s,
        )
        share._node, share._whole, share._figures = client_of(cluster, name), self, self._figures
        return share

    async def _follow_one(self, moved: asyncio.Event) -> None:
        """The streams of one node of a Cluster."""
        assert self._node is not None
        try:
            await self._follow(self._node, moved)
        finally:
            await self._node.aclose()

    async def _follow(self, redis: Redis, stop: asyncio.Event) -> None:
        """The streams of one server."""
        reader = GroupReader(
            redis, self._group, self._member, self._streams, self._batch, slots=self._node is not None
        )
        next_claim = 0.0
        while not stop.is_set():
            try:
                if monotonic() >= next_claim:
                    await create_groups(redis, self._group, self._streams)
                    orphans = await claim_orphans(
                        redis, self._group, self._member, self._streams, self._claim_s
                    )
                    await measure(self._redis, self._group, self._streams, self._figures, self._node)
                    next_claim = monotonic() + self._claim_s
                    await self._handle_all(orphans, stop)
                block_ms = min(1000, max(1, round((next_claim - monotonic()) * 1000)))
                entries = await reader.read(block_ms)
                await self._handle_all(entries, stop)
                self._calm()
                if 0 < len(entries) < self._batch:
                    await pause(stop, self._linger_s)
            except Exception as error:
                next_claim = 0.0  # a lost group (flushed store) is made again, orphans are looked for
                await self._wait_out(error, stop)

    async def _handle_all(self, entries: list[Entry], stop: asyncio.Event) -> None:
        for start in range(0, len(entries), self._batch):
            if stop.is_set():
                return  # unhandled entries stay pending; another member claims them
            await self._handle(entries[start : start + self._batch], stop)

    async def _handle(self, entries: list[Entry], stop: asyncio.Event) -> None:
        """One batch in one go; where the batch is at fault, each entry by itself."""
        mine = [entry for entry in entries if entry.meant_for(self._group)]
        try:
            if mine:
                await self._patiently(mine, stop)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if stop.is_set() and is_surroundings(error):
                return
            if len(mine) > 1:
                self._log.warning("batch failed, repeating one by one", error=str(error)[:300])
            for entry in mine:
                await self._handle_one(entry, stop)
            entries = [entry for entry in entries if entry not in mine]
        await self._acknowledge(entries)

    async def _handle_one(self, entry: Entry, stop: asyncio.Event) -> None:
        try:
            await self._patiently([entry], stop)
        except NotYet as reason:
            self._log.info("entry waits", stream=entry.stream, entry=entry.id, reason=str(reason))
        except Exception as error:
            if not is_surroundings(error):
                await self._count(entry, error)
        else:
            await forget_failures(self._redis, entry.stream, self._group, entry.id)
            await self._acknowledge([entry])

    async def _patiently(self, entries: list[Entry], stop: asyncio.Event) -> None:
        """Call the handler, repeating while only the surroundings are to blame.

        On a Cluster the handler may need a node that is away for a part of the batch only: then each entry
        goes by itself, and those that can't be handled stay pending (NotYet).
        """
        tries = 0
        while True:
            try:
                await self._handler(entries)
                self._calm()
                return
            except Exception as error:
                if not is_surroundings(error) or stop.is_set():
                    raise
                tries += 1
                most = TRIES_OF_BATCH if len(entries) > 1 else 1
                if self._node is not None and isinstance(error, RedisError) and tries >= most:
                    raise NotYet(repr(error)[:200]) from error
                await self._wait_out(error, stop)

    async def _count(self, entry: Entry, error: Exception) -> None:
        failures = await count_failure(self._redis, entry.stream, self._group, entry.id)
        self._log.error(
            "entry failed", stream=entry.stream, entry=entry.id, failures=failures, error=repr(error)[:500]
        )
        if failures >= MAX_FAILURES:
            await bury(self._redis, entry, self._group, repr(error)[:1000])

    async def _acknowledge(self, entries: list[Entry]) -> None:
        by_stream: dict[str, list[str]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append(entry.id)
        redis = self._node or self._redis
        await asyncio.gather(*(redis.xack(s, self._group, *ids) for s, ids in by_stream.items()))
        HANDLED.labels(self._group).inc(len(entries))

    async def _wait_out(self, error: Exception, stop: asyncio.Event) -> None:
        wait_s = self._backoff.next_s()
        self._trouble = f"{type(error).__name__}: {error}"[:200]
        self._tell()
        self._log.warning("consumer waits", error=self._trouble, wait_s=wait_s)
        await pause(stop, wait_s)

    def _calm(self) -> None:
        self._backoff.reset()
        self._trouble = None
        self._tell()

    def _tell(self) -> None:
        trouble = (self._whole or self).readiness()
        NOT_READY.labels(self._group).set(0 if trouble is None else 1)
