"""Tailing a stream from now on, in every process: for cache invalidation and revoked sessions.

Unlike a consumer group, each process sees every entry. A tail that could have missed something (an error,
a stall of more than a second) says so by `on_gap`: the owner then drops what it cached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

import structlog

from landline.chassis.background import pause
from landline.chassis.streams import AnyRedis, Entry, entries_of
from landline.chassis.surroundings import Backoff

STALL_S = 1.0
BLOCK_MS = 500
log = structlog.get_logger(__name__)


class Tail:
    """Follows one stream: `on_entry` sees each entry once, `on_gap` hears that some may have been missed."""

    def __init__(
        self,
        redis: AnyRedis,
        stream: str,
        on_entry: Callable[[Entry], Awaitable[None] | None],
        on_gap: Callable[[], Awaitable[None] | None],
        *,
        start_id: str | None = None,
    ) -> None:
        self._redis = redis
        self._stream = stream
        self._on_entry = on_entry
        self._on_gap = on_gap
        self._last_id = start_id
        self._read_at: float | None = None
        self.started = asyncio.Event()

    def age_s(self) -> float:
        """Seconds since the stream was last read successfully; infinite before the first time."""
        return float("inf") if self._read_at is None else monotonic() - self._read_at

    async def start(self) -> None:
        """Fix the position: what is added from now on will be seen. Load caches after this, not before."""
        if self._last_id is None:
            newest: Any = await self._redis.xrevrange(self._stream, count=1)
            self._last_id = newest[0][0].decode() if newest else "0-0"
        self._read_at = monotonic()
        self.started.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop`; errors are waited out and reported as a gap."""
        backoff = Backoff(last_s=1.0)
        while not stop.is_set():
            try:
                if not self.started.is_set():
                    await self.start()
                await self._round()
                backoff.reset()
            except Exception as error:
                log.warning("tail waits", stream=self._stream, error=repr(error)[:200])
                await _call(self._on_gap())
                await pause(stop, backoff.next_s())

    async def _round(self) -> None:
        stalled = self.age_s() > STALL_S + BLOCK_MS / 1000
        reply = await self._redis.xread({self._stream: self._last_id or "0-0"}, count=500, block=BLOCK_MS)
        self._read_at = monotonic()
        if stalled:
            await _call(self._on_gap())
        for entry in entries_of(reply):
            self._last_id = entry.id
            await _call(self._on_entry(entry))


async def _call(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result
