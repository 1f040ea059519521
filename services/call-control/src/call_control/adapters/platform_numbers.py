"""Which numbers are this platform's: all of them in every worker, 16 bytes each; whose, in Redis.

Every outbound call asks whether its callee is ours (domain.md 4.8), and hardly any is: that must cost no
round trip. So membership is answered from memory and may err on one side only: a number that has left is
still "perhaps ours", and what its brand says then is what counts.
"""

from __future__ import annotations

import asyncio
from array import array

import redis.exceptions
import structlog
from landline.chassis.redis import AutoBatch

from call_control.adapters import read_model_keys as keys

SCANNED_AT_ONCE = 2_000
LEAST_SLOTS = 1 << 10
RETRY_S = 1.0
_MIX = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: spreads neighbouring numbers (Knuth, TAOCP 3, 6.4)
log = structlog.get_logger(__name__)


class NumberTable:
    """A set of numbers in one array, filled a little at a time: a sort of a million would stop the worker.

    Open addressing, at most half full; 0 is an empty slot, and no number.
    """

    __slots__ = ("_mask", "_slots", "_used")

    def __init__(self, expected: int) -> None:
        size = LEAST_SLOTS
        while size < 2 * expected:
            size *= 2
        self._slots = array("Q", bytes(8 * size))
        self._mask = size - 1
        self._used = 0

    @property
    def full(self) -> bool:
        """Half full: look-ups would begin to walk."""
        return 2 * self._used > self._mask

    def _slot(self, number: int) -> int:
        at = (number * _MIX >> 24) & self._mask
        while self._slots[at] not in (0, number):
            at = (at + 1) & self._mask
        return at

    def add(self, number: int) -> bool:
        """Once more is fine. False: there is no room left for it."""
        if 8 * self._used > 7 * self._mask:
            return number in self
        at = self._slot(number)
        self._used += self._slots[at] == 0
        self._slots[at] = number
        return True

    def __contains__(self, number: int) -> bool:
        return self._slots[self._slot(number)] != 0


class PlatformNumbers:
    """Active numbers that can be called. Until they are loaded, every number is perhaps ours."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch
        self._all: NumberTable | None = None
        self._meanwhile: set[int] = set()
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
        return wanted in self._all or (self._all.full and wanted in self._meanwhile)

    def learn(self, number: str) -> None:
        """A number came, or changed."""
        if number[1:].isdigit():
            self._meanwhile.add(int(number[1:]))
            if self._all is not None:
                self._all.add(int(number[1:]))
                if self._all.full:
                    self._wanted.set()

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
        before, self._meanwhile = self._meanwhile, set()
        count = await self._batch.redis.hlen(keys.PLATFORM_NUMBERS)
        found, cursor = NumberTable(count + count // 4 + len(before)), None
        while cursor != 0:
            cursor, rows = await self._batch.redis.hscan(
                keys.PLATFORM_NUMBERS, cursor or 0, count=SCANNED_AT_ONCE
            )
            for number in rows:
                if not found.add(int(number[1:])):  # many came while this was read: once more, with more room
                    self._wanted.set()
                    self._meanwhile |= before
                    return
        for known in before | self._meanwhile:  # the scan may have passed before it was written
            if not found.add(known):
                self._wanted.set()
        self._all = found
