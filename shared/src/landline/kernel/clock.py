"""Time as a parameter: whoever needs "now" is given a clock (style section 4.6).

Times inside are Unix milliseconds (int). The shared-offset clock lets a test move the time of all
processes of an embedded run at once, by one 8-byte file that each of them maps (contracts section 6).
"""

from __future__ import annotations

import mmap
import struct
import time
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Anything that tells the time in Unix milliseconds."""

    def now_ms(self) -> int:
        """Now, in milliseconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Now, in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


class SetClock:
    """A clock that stands still until a test sets it."""

    def __init__(self, now_ms: int) -> None:
        self.value_ms = now_ms

    def now_ms(self) -> int:
        """The moment last set."""
        return self.value_ms

    def advance_s(self, seconds: float) -> None:
        """Move on by some seconds."""
        self.value_ms += round(seconds * 1000)


class SharedOffsetClock:
    """The machine's clock plus an offset that all processes read from one mapped file."""

    _FORMAT = struct.Struct("<q")

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell() < self._FORMAT.size:
                file.write(self._FORMAT.pack(0))
                file.flush()
            self._map = mmap.mmap(file.fileno(), self._FORMAT.size)

    def now_ms(self) -> int:
        """Machine time plus the shared offset."""
        (offset_ms,) = self._FORMAT.unpack_from(self._map)
        return time.time_ns() // 1_000_000 + int(offset_ms)

    def set_ms(self, now_ms: int) -> None:
        """Make it `now_ms` in every process; time goes on from there."""
        self._FORMAT.pack_into(self._map, 0, now_ms - time.time_ns() // 1_000_000)


def utc(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def iso(ms: int) -> str:
    """`2026-11-22T21:00:00.123Z`, the form of every time on the wire."""
    return f"{_to_the_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=64)
def _to_the_second(second: int) -> str:
    """Every event carries the time: within a second only its last three digits differ."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def to_ms(moment: datetime) -> int:
    """An aware datetime as milliseconds since the epoch; a naive one is refused."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return round(moment.timestamp() * 1000)


def local_date(ms: int, timezone: str) -> date:
    """The calendar day at `ms` in a zone: 23, 24 or 25 hours long, as the zone says."""
    return datetime.fromtimestamp(ms / 1000, ZoneInfo(timezone)).date()
