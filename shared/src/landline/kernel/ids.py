"""Identifiers: UUIDv7 (RFC 9562 section 5.7) and call ids that carry their partition.

A call's id is `<k>-<uuidv7>`, k the partition (0..63) of its brand, so that every report about a call
finds its Redis slot without a look-up (architecture section 4).
"""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple, NewType
from uuid import UUID

PARTITIONS = 64

BrandId = NewType("BrandId", str)
ClientId = NewType("ClientId", str)
DeviceId = NewType("DeviceId", str)

_CALL_ID = re.compile(r"(0|[1-9]\d?)-([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})")


class NotACallId(ValueError):
    """The text is not `<k>-<uuidv7>` with k in 0..63."""


_NOISE_DIGITS = 20
_noises: list[str] = []
os.register_at_fork(after_in_child=_noises.clear)


def _noise() -> str:
    """80 random bits in hex. Drawn for many ids at once: a call of the kernel costs more than the rest of
    an id. A child process must not use what its parent has drawn."""
    try:
        return _noises.pop()
    except IndexError:
        drawn = os.urandom(_NOISE_DIGITS // 2 * 128).hex()
        _noises.extend(drawn[at : at + _NOISE_DIGITS] for at in range(0, len(drawn), _NOISE_DIGITS))
        return _noises.pop()


def new_id(now_ms: int | None = None) -> str:
    """A new UUIDv7 as text, the id of every row and event. `now_ms`: Unix ms, default the system clock's.

    Formatted here, since building a UUID object only to print it takes longer than an admission can spare.
    """
    millis = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    noise = _noise()  # 80 bits; 6 of them give way to version and variant
    stamp = f"{millis & 0xFFFF_FFFF_FFFF:012x}"
    variant = "89ab"[int(noise[3], 16) & 3]
    return f"{stamp[:8]}-{stamp[8:]}-7{noise[:3]}-{variant}{noise[4:7]}-{noise[7:19]}"


def uuid7(now_ms: int | None = None) -> UUID:
    """A new UUIDv7 as a UUID, for a database driver."""
    return UUID(new_id(now_ms))


class CallId(NamedTuple):
    """A call's id, taken apart: `17-0190...` is partition 17 and a UUIDv7."""

    partition: int
    uuid: str

    def __str__(self) -> str:
        return f"{self.partition}-{self.uuid}"

    @classmethod
    def new(cls, partition: int, now_ms: int | None = None) -> CallId:
        """A fresh id in a brand's partition."""
        return cls(partition, new_id(now_ms))

    @classmethod
    def parse(cls, text: str) -> CallId:
        """Read `<k>-<uuidv7>`; NotACallId otherwise, so that no foreign text becomes part of a Redis key."""
        match = _CALL_ID.fullmatch(text)
        if match is None or int(match[1]) >= PARTITIONS:
            raise NotACallId(f"not a call id: {text[:60]!r}")
        return cls(int(match[1]), match[2])
