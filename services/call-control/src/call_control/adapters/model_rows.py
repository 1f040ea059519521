"""Reading the read model: from Redis, or from this host's copy while Redis is away (architecture 3.2)."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final, Protocol

import redis.exceptions
from landline.chassis.redis import AutoBatch

from call_control.adapters.call_reads import as_map

OUTAGE: Final = (redis.exceptions.RedisError, OSError, TimeoutError)
"""What is raised when Redis can't be reached: for callers a 503 with Retry-After, never a 500."""

HELD_AWAY_S: Final = 0.5


class RedisAway(ConnectionError):
    """Redis did not answer a moment ago, or only Redis could know this."""


class Rows(Protocol):
    """Hashes by key. `current`: what is not there does not exist; else it may only be newer than the copy."""

    current: bool

    async def hash(self, key: str) -> dict[bytes, bytes]: ...
    async def hashes(self, *keys: str) -> list[dict[bytes, bytes]]: ...
    async def field(self, key: str, field: str) -> bytes | None: ...


class RedisRows:
    """The read model itself. After a failure the next reads fail at once for half a second: a call that has
    six of them to do would else wait six times for a Redis that hangs."""

    current = True

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch
        self._away_until = 0.0

    async def hash(self, key: str) -> dict[bytes, bytes]:
        """All fields of a hash; empty when there is none. Raises OUTAGE."""
        return as_map(await self._asked("HGETALL", key))

    async def hashes(self, *keys: str) -> list[dict[bytes, bytes]]:
        """Several hashes with one round trip. Raises OUTAGE."""
        self._refuse_while_away()
        try:
            found = await self._batch.execute_all(*(("HGETALL", key) for key in keys))
        except OUTAGE:
            self._away_until = monotonic() + HELD_AWAY_S
            raise
        return [as_map(each) for each in found]

    async def field(self, key: str, field: str) -> bytes | None:
        """One field of a hash, or None. Raises OUTAGE."""
        found: bytes | None = await self._asked("HGET", key, field)
        return found

    async def _asked(self, *command: str) -> Any:
        self._refuse_while_away()
        try:
            return await self._batch.execute(*command)
        except OUTAGE:
            self._away_until = monotonic() + HELD_AWAY_S
            raise

    def _refuse_while_away(self) -> None:
        if monotonic() < self._away_until:
            raise RedisAway("did not answer a moment ago")


class EitherRows:
    """Redis, and only while it is away the copy: for what nobody keeps in memory."""

    current = False

    def __init__(self, first: Rows, copy: Rows) -> None:
        self._first = first
        self._copy = copy

    async def hash(self, key: str) -> dict[bytes, bytes]:
        """As Rows. Raises OUTAGE when there is no copy either."""
        try:
            return await self._first.hash(key)
        except OUTAGE:
            return await self._copy.hash(key)

    async def hashes(self, *keys: str) -> list[dict[bytes, bytes]]:
        """As Rows. Raises OUTAGE when there is no copy either."""
        try:
            return await self._first.hashes(*keys)
        except OUTAGE:
            return await self._copy.hashes(*keys)

    async def field(self, key: str, field: str) -> bytes | None:
        """As Rows. Raises OUTAGE when there is no copy either."""
        try:
            return await self._first.field(key, field)
        except OUTAGE:
            return await self._copy.field(key, field)
