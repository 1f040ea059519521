"""The read model in Redis: configured rows, written only by a higher version (architecture 3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from landline.chassis.lua import Script
from landline.chassis.redis import AutoBatch
from landline.contracts.streams import INVALIDATE

from call_control.adapters import read_model_keys as keys
from call_control.adapters.call_reads import as_map
from call_control.adapters.placement import (
    ENTITIES,
    GLOBAL,
    BrandUnknown,
    Change,
    Invalidation,
    Place,
    places,
)
from call_control.adapters.row_kinds import row_of

TOMBSTONE_MS = 7 * 86_400_000
INVALIDATIONS_KEPT = 100_000
_apply = Script("call_control", "apply_entity.lua")
_sweep = Script("call_control", "sweep_tombstone.lua")


class ReadModel:
    """Writes rows and tells every process whose facts have changed."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch
        self._partitions: dict[str, int] = {}
        self._gone: set[str] = set()

    async def apply(self, changes: Sequence[Change], now_ms: int, source: str = "event") -> list[Change]:
        """Write the changes; returns those that must wait, because their brand is not known yet.

        Rows may come in any order and again. Invalidations are sent also for what changed nothing: a crash
        between the two would otherwise leave caches as they were. Only what was to be gone and was not there
        is told to nobody: else every device that registers would have its brand read anew.
        """
        kept = [change for change in changes if change.entity in ENTITIES]
        brands = [change for change in kept if change.entity == "brand"]
        told = await self._write_all(brands, now_ms, source)
        self._learn(brands)
        await self._learn_missing({c.brand_id for c in kept if c.brand_id} - self._partitions.keys())
        rest = [c for c in kept if c.entity != "brand" and c.brand_id not in self._gone]
        ready = [c for c in rest if self._placeable(c)]
        told += await self._write_all(ready, now_ms, source)
        if source != "snapshot":  # whoever loads one says "all" at its end
            await self.invalidate(told)
        return [c for c in rest if not self._placeable(c)]

    def _placeable(self, change: Change) -> bool:
        return change.brand_id is None or change.entity in GLOBAL or change.brand_id in self._partitions

    async def invalidate(self, invalidations: Iterable[Invalidation]) -> None:
        """Tell every process to read these facts anew."""
        fields = [("kind", i.kind, "id", i.id, "brand", i.brand_id) for i in dict.fromkeys(invalidations)]
        await asyncio.gather(
            *(
                self._batch.execute("XADD", INVALIDATE, "MAXLEN", "~", INVALIDATIONS_KEPT, "*", *each)
                for each in fields
            )
        )

    async def partition(self, brand_id: str) -> int:
        """The partition of a brand; BrandUnknown before its row has come."""
        await self._learn_missing({brand_id} - self._partitions.keys())
        try:
            return self._partitions[brand_id]
        except KeyError:
            raise BrandUnknown(brand_id) from None

    def fields_of(self, change: Change) -> list[tuple[str, str]]:
        """Where a row is kept, once it was applied: (key, field)."""
        if change.entity not in ENTITIES or not self._placeable(change):
            return []
        return [(place.key, place.field) for place in self._places(change) if not place.is_gone]

    async def sweep(self, now_ms: int) -> int:
        """Forget tombstones whose time has come; returns how many."""
        swept = 0
        models = [
            keys.BRANDS,
            keys.EDGES,
            keys.PROVIDER_ADDRESSES,
            keys.PROVIDER_REGISTRATIONS,
            keys.PLANS,
            keys.DECKS,
            keys.CARRIER_PROFILES,
            keys.PLATFORM,
        ]
        for slot in [*models, *(f"{{p{k}}}:x" for k in sorted(set(self._partitions.values())))]:
            zset = keys.tombstones(slot)
            for raw in await self._batch.execute("ZRANGEBYSCORE", zset, 0, now_ms, "LIMIT", 0, 1000):
                key, _, field = raw.decode().partition("\n")
                reply = await _sweep.run(self._batch, [key, zset], [field])
                swept += reply[0] == b"SWEPT"
        return swept

    def _learn(self, brands: Iterable[Change]) -> None:
        for change in brands:
            if change.data is not None:
                self._partitions[change.entity_id] = int(change.data["partition"])
                self._gone.discard(change.entity_id)

    async def _learn_missing(self, brand_ids: set[str]) -> None:
        if not brand_ids:
            return
        wanted = sorted(brand_ids)
        for brand_id, raw in zip(
            wanted, await self._batch.execute("HMGET", keys.BRANDS, *wanted), strict=True
        ):
            data = msgspec.json.decode(raw)["d"] if raw is not None else None
            if data is not None:
                self._partitions[brand_id] = int(data["partition"])
            elif raw is not None:
                self._gone.add(brand_id)  # deleted: late rows of it belong nowhere

    def _places(self, change: Change) -> list[Place]:
        return places(change, self._partitions.get(change.brand_id or ""))

    async def _write_all(self, changes: Iterable[Change], now_ms: int, source: str) -> list[Invalidation]:
        """Write each change's places; what is to be told of it."""
        told = await asyncio.gather(*(self._write_places(c, now_ms, source) for c in changes))
        return [each for one in told for each in one]

    async def _write_places(self, change: Change, now_ms: int, source: str) -> list[Invalidation]:
        first, *others = self._places(change)
        stale = await self._write(change, first, now_ms, source) == b"STALE"
        told = [first.changes]
        for place in others:
            if place.follows and (stale or (place.is_gone and source == "snapshot")):
                continue  # what a snapshot lacks is swept
            if await self._write(change, place, now_ms, source) != b"ABSENT":
                told.append(place.changes)
        return told

    async def _write(self, change: Change, place: Place, now_ms: int, source: str) -> bytes:
        """Run the script; a thing that moved meanwhile is looked up again. A row of a snapshot is taken to be
        where it was, which saves a round trip for each of a million numbers; the script says if it is not."""
        guess = source == "snapshot"
        while True:
            expected, former = (place.owner, place.key) if guess else await self._former(change, place)
            guess = False
            data = "" if place.data is None else msgspec.json.encode(place.data).decode()
            owners = self._owners(change) if place.owner else keys.unused(place.key)
            reply = await _apply.run(
                self._batch,
                [place.key, former, owners, place.names or place.key, keys.tombstones(place.key)],
                [
                    place.field, change.version, change.position, source, data, place.owner, expected,
                    place.name, place.holder, 0 if place.follows else now_ms + TOMBSTONE_MS, place.name_field,
                ],
            )  # fmt: skip
            if reply[0] != b"MOVED":
                return bytes(reply[0])

    async def _former(self, change: Change, place: Place) -> tuple[str, str]:
        """Who has the thing according to `owners`, and the key it then lives under."""
        if not place.owner:
            return "", place.key
        raw = await self._batch.execute("HGET", self._owners(change), place.field)
        owner = str(msgspec.json.decode(raw)["o"]) if raw is not None else ""
        if not owner:
            return "", place.key
        return owner, self._owner_key(change, owner)

    def _owner_key(self, change: Change, owner: str) -> str:
        brand_id = change.brand_id or ""
        partition = self._partitions[brand_id]
        return keys.pool(partition, brand_id) if owner == keys.POOL else keys.client(partition, owner)

    def _owners(self, change: Change) -> str:
        return keys.owners(self._partitions[change.brand_id or ""], change.brand_id or "")


def read_fields(raw: dict[bytes, bytes] | list[bytes]) -> dict[str, dict[str, Any]]:
    """A hash of the read model without its tombstones: field -> row as published."""
    rows = ((field.decode(), row_of(value)) for field, value in as_map(raw).items())
    return {field: row for field, row in rows if row is not None}
