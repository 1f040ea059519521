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


def uuid7(now_ms: int | None = None) -> UUID:
    """A new UUIDv7. `now_ms` (Unix milliseconds) defaults to the system clock; 74 bits are random."""
    millis = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    noise = int.from_bytes(os.urandom(10), "big")
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | 7 << 76 | (noise >> 64 & 0xFFF) << 64
    return UUID(int=value | 0b10 << 62 | noise & 0x3FFF_FFFF_FFFF_FFFF)


def new_id() -> str:
    """A new UUIDv7 as text, the id of every row and event."""
    return str(uuid7())


class CallId(NamedTuple):
    """A call's id, taken apart: `17-0190...` is partition 17 and a UUIDv7."""

    partition: int
    uuid: str

    def __str__(self) -> str:
        return f"{self.partition}-{self.uuid}"

    @classmethod
    def new(cls, partition: int, now_ms: int | None = None) -> CallId:
        """A fresh id in a brand's partition."""
        return cls(partition, str(uuid7(now_ms)))

    @classmethod
    def parse(cls, text: str) -> CallId:
        """Read `<k>-<uuidv7>`; NotACallId otherwise, so that no foreign text becomes part of a Redis key."""
        match = _CALL_ID.fullmatch(text)
        if match is None or int(match[1]) >= PARTITIONS:
            raise NotACallId(f"not a call id: {text[:60]!r}")
        return cls(int(match[1]), match[2])
