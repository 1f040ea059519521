"""Takes into the tables when API keys and edges' keys were last used, as all processes tell it."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import UUID

from landline.chassis.background import rounds
from landline.chassis.key_uses import KEY_USES_HASH, TELL_EVERY_S
from landline.chassis.postgres import Database, Scope
from landline.chassis.streams import AnyRedis
from landline.kernel.clock import utc
from sqlalchemy import text

# Not a change of the row: no version, no event, no audit entry.
_TAKE = """
update {table} as k set last_used_at = u.at
  from unnest(cast(:ids as uuid[]), cast(:ats as timestamptz[])) as u (id, at)
 where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)
"""
_TAKES = [text(_TAKE.format(table=table)) for table in ("api_keys", "edges")]
_KNOWN = text("select id from api_keys where id = any(:ids) union select id from edges where id = any(:ids)")


class KeyUseBook:
    """Reads the hash once a minute; forgets in it what is no key any more."""

    def __init__(self, db: Database, redis: AnyRedis) -> None:
        self._db, self._redis = db, redis

    async def keep(self, stop: asyncio.Event) -> None:
        """Background work."""
        await rounds("uses of keys", self.take, stop, every_s=TELL_EVERY_S)

    async def take(self) -> None:
        """Take in what there is now."""
        told = await cast("Any", self._redis.hgetall(KEY_USES_HASH))
        if not told:
            return
        uses = {UUID(key_id.decode()): utc(int(at)) for key_id, at in told.items()}
        async with self._db.transaction(Scope.system()) as tx:
            for statement in _TAKES:
                await tx.execute(statement, {"ids": list(uses), "ats": list(uses.values())})
            known = set((await tx.execute(_KNOWN, {"ids": list(uses)})).scalars())
        gone = [str(key_id) for key_id in uses if key_id not in known]
        if gone:
            await cast("Any", self._redis.hdel(KEY_USES_HASH, *gone))
