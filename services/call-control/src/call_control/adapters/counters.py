"""Reading and repairing the counters of a partition for `reconcile`. Walks keys: never on a call's path."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

from landline.chassis.redis import AutoBatch

from call_control.adapters import scripts
from call_control.adapters.call_reads import as_map
from call_control.adapters.keys import keys_of
from call_control.adapters.model_scan import fields
from call_control.domain.drift import Counter, Drift
from call_control.domain.replies import Status

_FIELDS: Final = {
    "client": ("active", "held_micros", "unposted_micros"),
    "brand": ("active",),
    "day": ("held_micros", "begun_micros"),
}


_KEY: Final = re.compile(r"\{p(\d+)\}:landline:(client|brand|day|unposted|reserved):.+")
Names = Mapping[tuple[int, str], Sequence[str]]


class Counters:
    """Counters by partition; a repair is refused when the counter has moved since it was read.

    `names`: what one walk over all keys found; without it, a partition's keys are looked for each time.
    """

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def names(self) -> dict[tuple[int, str], list[str]]:
        """One walk over all keys: the counters' names by partition and kind."""
        found: dict[tuple[int, str], list[str]] = {}
        async for raw in self._batch.redis.scan_iter(match="{p*}:landline:*", count=1000):
            match = _KEY.fullmatch(raw.decode())
            if match is not None:
                found.setdefault((int(match[1]), match[2]), []).append(match[0])
        return found

    async def read(self, partition: int, names: Names | None = None) -> dict[Counter, int]:
        """Every counter of the partition's clients, brands and days."""
        found = {}
        for kind, counted in _FIELDS.items():
            keys = await self._keys(partition, kind, names)
            rows = await asyncio.gather(*(self._batch.execute("HMGET", key, *counted) for key in keys))
            for name, row in zip(keys, rows, strict=True):
                owner_id, _, day = name.partition(f":{kind}:")[2].partition(":")
                for field, value in zip(counted, row, strict=True):
                    found[Counter(kind, owner_id, field, day)] = int(value or 0)
        return {**found, **await self._of_devices(await self._keys(partition, "client", names))}

    async def _of_devices(self, keys: Sequence[str]) -> dict[Counter, int]:
        """The lines that received calls take of their devices."""
        rows = await asyncio.gather(*(self._batch.execute("HGETALL", name) for name in keys))
        return {
            Counter("client", name.partition(":client:")[2], field.decode()): int(value)
            for name, row in zip(keys, rows, strict=True)
            for field, value in as_map(row).items()
            if field.startswith(b"device:")
        }

    async def unposted(self, partition: int, names: Names | None = None) -> dict[str, int]:
        """Client id -> the sum of its waiting charges; clients without any are left out."""
        return await self._amounts(partition, "unposted", names)

    async def reserved(self, partition: int, names: Names | None = None) -> dict[str, int]:
        """Client id -> what operations on its balance hold together."""
        return await self._amounts(partition, "reserved", names)

    async def _amounts(self, partition: int, kind: str, names: Names | None) -> dict[str, int]:
        keys = await self._keys(partition, kind, names)
        sums = await asyncio.gather(*(self._amount(key) for key in keys))
        return {
            key.partition(f":{kind}:")[2]: sum(found.values())
            for key, found in zip(keys, sums, strict=True)
            if found
        }

    async def _amount(self, key: str) -> dict[bytes, int]:
        """By page: a client whose 100,000 calls wait for billing must not hold up all others."""
        return {
            field: int(micros) async for page in fields(self._batch, key) for field, micros in page.items()
        }

    async def balances(self, partition: int, names: Names | None = None) -> dict[str, tuple[int, int]]:
        """Client id -> (applied_seq, settled_micros), to be compared with the ledger."""
        keys = await self._keys(partition, "client", names)
        rows = await asyncio.gather(
            *(self._batch.execute("HMGET", name, "applied_seq", "settled_micros") for name in keys)
        )
        return {
            name.partition(":client:")[2]: (int(row[0] or 0), int(row[1] or 0))
            for name, row in zip(keys, rows, strict=True)
        }

    async def spends(self, partition: int, names: Names | None = None) -> dict[str, dict[str, int]]:
        """Client id -> local date -> micros spent, to be compared with the call records."""
        keys = await self._keys(partition, "day", names)
        rows = await asyncio.gather(*(self._batch.execute("HGET", name, "spend_micros") for name in keys))
        found: dict[str, dict[str, int]] = {}
        for name, spend in zip(keys, rows, strict=True):
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

    async def _keys(self, partition: int, kind: str, names: Names | None) -> Sequence[str]:
        if names is not None:
            return names.get((partition, kind), ())
        pattern = keys_of(partition).pattern(kind)
        return [name.decode() async for name in self._batch.redis.scan_iter(match=pattern, count=1000)]
