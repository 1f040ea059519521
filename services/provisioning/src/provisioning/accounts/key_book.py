"""Writes all API keys to the Redis hash by which every process knows them (`landline.chassis.api_keys`)."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
from landline.chassis.api_keys import API_KEYS_HASH
from landline.chassis.background import rounds
from landline.chassis.postgres import Database, Scope
from landline.chassis.resources.wire import to_wire
from landline.chassis.streams import AnyRedis
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts.api_keys import API_KEYS, TABLE
from provisioning.api.random_keys import with_hash

WRITE_EVERY_S = 5.0
_STATE = text("select count(*), max(updated_at) from api_keys")


class KeyBook:
    """Keeps the hash as the table is: also after a Redis that lost its data, and after a missed write."""

    def __init__(self, db: Database, redis: AnyRedis) -> None:
        self._db, self._redis = db, redis
        self._written: tuple[Any, ...] | None = None

    async def keep(self, stop: asyncio.Event) -> None:
        """Background work: compare every five seconds, by count and newest change, and write what differs."""
        await rounds("API keys", self.write, stop, every_s=WRITE_EVERY_S)

    async def write(self) -> None:
        """Write the hash if it is not known to be right."""
        async with self._db.transaction(Scope.system()) as tx:
            state = tuple((await tx.execute(_STATE)).one())
            there = await cast("Any", self._redis.hlen(API_KEYS_HASH))
            if state == self._written and there == state[0]:
                return
            rows = await _rows(tx)
        gone = [p for p in await cast("Any", self._redis.hkeys(API_KEYS_HASH)) if p.decode() not in rows]
        if rows:
            await cast("Any", self._redis.hset(API_KEYS_HASH, mapping=rows))
        if gone:
            await cast("Any", self._redis.hdel(API_KEYS_HASH, *gone))
        self._written = state


async def _rows(tx: AsyncConnection) -> dict[Any, Any]:
    found = (dict(row) for row in (await tx.execute(select(TABLE))).mappings())
    return {row["key_prefix"]: msgspec.json.encode(with_hash(row, to_wire(API_KEYS, row))) for row in found}
