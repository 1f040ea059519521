"""While Redis is short of memory, what nobody is owed leaves the streams, also unread (architecture 3.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from landline.chassis.background import rounds
from landline.chassis.redis_memory import LOOK_EVERY_S, RedisMemory
from landline.chassis.streams import AnyRedis
from landline.contracts.envelope import FIELD, unseal

READ_AT_ONCE: Final = 500
SHED = Counter("landline_stream_entries_shed_total", "Entries dropped unread for want of memory", ["type"])


class Shedder:
    """Reads each stream once, from its start, for as long as memory is short."""

    def __init__(
        self, redis: AnyRedis, memory: RedisMemory, streams: Sequence[str], types: Collection[str]
    ) -> None:
        """`types`: of the events that may go. Never one with money in it."""
        self._redis = redis
        self._memory = memory
        self._streams = streams
        self._types = {kind.encode(): kind for kind in types}
        self._read: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Background work: look as often as memory is looked at."""
        await rounds("shedding of events", self.shed, stop, every_s=LOOK_EVERY_S)

    async def shed(self) -> int:
        """Drop what may go, if need be; returns how many."""
        if not self._memory.short:
            self._read.clear()
            return 0
        return sum([await self._shed_one(stream) for stream in self._streams])

    async def _shed_one(self, stream: str) -> int:
        dropped = 0
        while rows := await self._page(stream):
            victims = [entry_id for entry_id, fields in rows if self._may_go(fields.get(FIELD, b""))]
            if victims:
                dropped += int(await self._redis.xdel(stream, *victims))
            self._read[stream] = rows[-1][0].decode()
        return dropped

    async def _page(self, stream: str) -> list[Any]:
        known = self._read.get(stream)
        first = "-" if known is None else f"({known}"
        return list(await self._redis.xrange(stream, min=first, count=READ_AT_ONCE) or ())

    def _may_go(self, raw: bytes) -> bool:
        """By its text first: most entries are money, and need not be read for it."""
        if not any(kind in raw for kind in self._types):
            return False
        try:
            kind = unseal(raw).type
        except msgspec.MsgspecError:
            return False  # a consumer's to give up
        if kind.encode() in self._types:
            SHED.labels(kind).inc()
            return True
        return False
