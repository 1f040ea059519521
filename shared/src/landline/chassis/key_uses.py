"""When keys were last used: noted in memory, told at most once a minute, kept by provisioning.

Nothing is written on the way of a request: an edge's admissions note a dictionary entry. Each process tells
what it noted in one command to the Redis hash `landline:key-uses`; provisioning takes it into `last_used_at`.
A process that is killed forgets its last minute. Real time, never the test clock, as for all of a key's life.
"""

from __future__ import annotations

import time
from typing import Any, cast

from landline.chassis.streams import AnyRedis

KEY_USES_HASH = "landline:key-uses"
TELL_EVERY_S = 60.0


class KeyUses:
    """One process's notes. Ids are those of keys that were proved, so there are never more than keys."""

    def __init__(self, redis: AnyRedis, every_s: float = TELL_EVERY_S) -> None:
        self._redis, self._every_s = redis, every_s
        self._noted: dict[str, float] = {}
        self._told_at = float("-inf")

    def note(self, key_id: str) -> None:
        """This key (an API key's or an edge's id) is being used."""
        self._noted[key_id] = time.time()

    async def tell_if_due(self) -> None:
        """Write what was noted since the last time, unless that was just now. Raises what Redis raises."""
        if self._noted and time.monotonic() - self._told_at >= self._every_s:
            await self.tell()

    async def tell(self) -> None:
        """Write it now; what could not be written is noted still."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            mapping: Any = {key_id: int(at * 1000) for key_id, at in noted.items()}
            await cast("Any", self._redis.hset(KEY_USES_HASH, mapping=mapping))
        except BaseException:
            self._noted = noted | self._noted
            raise
        self._told_at = time.monotonic()
