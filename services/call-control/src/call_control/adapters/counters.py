"""Reading and repairing the counters of a partition for `reconcile`. Walks keys: never on a call's path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from landline.chassis.redis import AutoBatch

from call_control.adapters import scripts
from call_control.adapters.keys import Keys, keys_of
from call_control.domain.drift import Counter, Drift
from call_control.domain.replies import Status

_FIELDS: Final = {
    "client": ("active", "held_micros", "unposted_micros"),
    "brand": ("active",),
    "day": ("held_micros", "begun_micros"),
}


class Counters:
    """Counters by partition; a repair is refused when the counter has moved since it was read."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def read(self, partition: int) -> dict[Counter, int]:
        """Every counter of the partition's clients, brands and days."""
        keys, found = keys_of(partition), {}
        for kind, fields in _FIELDS.items():
            names = [name async for name in self._names(keys, kind)]
            rows = await asyncio.gather(*(self._batch.execute("HMGET", name, *fields) for name in names))
            for name, row in zip(names, rows, strict=True):
                owner_id, _, day = name.partition(f":{kind}:")[2].partition(":")
                for field, value in zip(fields, row, strict=True):
                    found[Counter(kind, owner_id, field, day)] = int(value or 0)
        return found

    async def unposted(self, partition: int) -> dict[str, list[int]]:
        """Client id -> its waiting charges."""
        names = [name async for name in self._names(keys_of(partition), "unposted")]
        rows = await asyncio.gather(*(self._batch.execute("HVALS", name) for name in names))
        return {
            name.partition(":unposted:")[2]: [int(micros) for micros in row]
            for name, row in zip(names, rows, strict=True)
        }

    async def balances(self, partition: int) -> dict[str, tuple[int, int]]:
        """Client id -> (applied_seq, settled_micros), to be compared with the ledger."""
        names = [name async for name in self._names(keys_of(partition), "client")]
        rows = await asyncio.gather(
            *(self._batch.execute("HMGET", name, "applied_seq", "settled_micros") for name in names)
        )
        return {
            name.partition(":client:")[2]: (int(row[0] or 0), int(row[1] or 0))
            for name, row in zip(names, rows, strict=True)
        }

    async def spends(self, partition: int) -> dict[str, dict[str, int]]:
        """Client id -> local date -> micros spent, to be compared with the call records."""
        names = [name async for name in self._names(keys_of(partition), "day")]
        rows = await asyncio.gather(*(self._batch.execute("HGET", name, "spend_micros") for name in names))
        found: dict[str, dict[str, int]] = {}
        for name, spend in zip(names, rows, strict=True):
            client_id, _, day = name.partition(":day:")[2].partition(":")
            found.setdefault(client_id, {})[day] = int(spend or 0)
        return found

    async def repair(self, drift: Drift) -> Status:
        """REPAIRED, or CHANGED when a call began or ended meanwhile."""
        counter, keys = drift.counter, keys_of(drift.partition)
        key = {
            "client": keys.client(counter.owner_id),
            "brand": keys.brand(counter.owner_id),
            "day": keys.day(counter.owner_id, counter.day),
        }[counter.kind]
        raw = await scripts.REPAIR_COUNTER.run(self._batch, [key], [counter.field, drift.found, drift.right])
        return Status(raw[0].decode())

    async def _names(self, keys: Keys, kind: str) -> AsyncIterator[str]:
        async for name in self._batch.redis.scan_iter(match=keys.pattern(kind), count=1000):
            yield name.decode()
