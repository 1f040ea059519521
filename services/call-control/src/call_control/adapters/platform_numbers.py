"""Which numbers are this platform's: all of them in every worker, eight bytes each; whose, in Redis.

Every outbound call asks whether its callee is ours (domain.md 4.8), and hardly any is: that must cost no
round trip. So membership is answered from memory and may err on one side only: a number that has left is
still "perhaps ours", and what its brand says then is what counts.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left

import redis.exceptions
import structlog
from landline.chassis.redis import AutoBatch

from call_control.adapters import read_model_keys as keys

SCANNED_AT_ONCE = 5_000
MERGE_ABOVE = 20_000
RETRY_S = 1.0
log = structlog.get_logger(__name__)


class PlatformNumbers:
    """Active numbers that can be called. Until they are loaded, every number is perhaps ours."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch
        self._all: array[int] | None = None
        self._more: set[int] = set()
        self._wanted = asyncio.Event()
        self._wanted.set()

    def perhaps(self, number: str) -> bool:
        """False: certainly not ours."""
        digits = number[1:]
        if number[:1] != "+" or not digits.isdigit() or len(digits) > 15:
            return False
        if self._all is None:
            return True
        wanted = int(digits)
        at = bisect_left(self._all, wanted)
        return (at < len(self._all) and self._all[at] == wanted) or wanted in self._more

    async def brand_of(self, number: str) -> str | None:
        """The brand that has the number now. Raises redis errors."""
        raw = await self._batch.execute("HGET", keys.PLATFORM_NUMBERS, number)
        return None if raw is None else raw.decode()

    def learn(self, number: str) -> None:
        """A number came, or changed."""
        if number[1:].isdigit():
            self._more.add(int(number[1:]))
            if len(self._more) > MERGE_ABOVE:
                self._merge()

    def reload(self) -> None:
        """Changes may have been missed: read all of them again, soon."""
        self._wanted.set()

    async def run(self) -> None:
        """Load, and load again when asked, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._load()
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                log.warning("numbers of the platform not loaded", error=repr(error)[:200])
                self._wanted.set()
                await asyncio.sleep(RETRY_S)

    async def _load(self) -> None:
        found: set[int] = set()
        cursor, rows = await self._batch.redis.hscan(keys.PLATFORM_NUMBERS, count=SCANNED_AT_ONCE)
        found.update(int(number[1:]) for number in rows)
        while cursor:
            cursor, rows = await self._batch.redis.hscan(keys.PLATFORM_NUMBERS, cursor, count=SCANNED_AT_ONCE)
            found.update(int(number[1:]) for number in rows)
        # What was learnt meanwhile stays: the scan may have passed before it was written.
        self._all = array("Q", sorted(found))
        self._more = {number for number in self._more if number not in found}

    def _merge(self) -> None:
        self._all = array("Q", sorted({*(self._all or ()), *self._more}))
        self._more = set()
