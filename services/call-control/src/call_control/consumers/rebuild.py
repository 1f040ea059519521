"""Building the read model from snapshots: cold start, and `call-control rebuild` (architecture 3.1).

In place, while admissions go on: a row of a snapshot replaces what is older than the snapshot's position in
the stream, and what the snapshot does not have is removed if it is older than that. So no second generation
of keys is needed, and a change that arrives meanwhile is never undone. Decision 0008.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
import structlog
from landline.chassis.redis import AutoBatch
from landline.kernel.clock import Clock

from call_control.adapters import read_model_keys as keys
from call_control.adapters.model_scan import MODEL, fields, scanned
from call_control.adapters.placement import Change, Invalidation
from call_control.adapters.read_model import ReadModel
from call_control.adapters.snapshots import BILLING, PROVISIONING, Peers

ROWS_AT_ONCE = 500
LOCK_S = 60
log = structlog.get_logger(__name__)


class SetsBalances(Protocol):
    """`adapters.postings.Postings`, as far as needed here."""

    async def set_balance(
        self,
        partition: int,
        client_id: str,
        sequence: int,
        balance_micros: int,
        posted: Sequence[str],
        days: Mapping[str, int],
        now_ms: int,
        *,
        backwards: bool,
    ) -> Any: ...


class Rebuild:
    """One rebuild at a time over all processes: the lock is a key that lives as long as its holder."""

    def __init__(
        self, batch: AutoBatch, model: ReadModel, peers: Peers, balances: SetsBalances, clock: Clock
    ) -> None:
        self._batch = batch
        self._model = model
        self._peers = peers
        self._balances = balances
        self._clock = clock

    async def needed(self) -> bool:
        """Whether the read model was never built, or was lost with its Redis."""
        return not await self._batch.execute("EXISTS", keys.READY)

    async def run(self, *, backwards: bool = False) -> dict[str, str]:
        """Build it; returns the positions of the streams it stands for.

        `backwards`: take balances also where we are ahead of the ledger, which was restored from a backup.

        Raises httpx.HTTPError or SnapshotCutShort when a snapshot can't be read: run it again.
        """
        async with self._alone():
            try:
                config = await self._load(PROVISIONING)
                rates = await self._load(BILLING, backwards=backwards)
                ready = {"config": config, "rates": rates, "at": str(self._clock.now_ms())}
                await self._batch.execute("SET", keys.READY, msgspec.json.encode(ready))
            finally:  # what was written before it failed is true as well
                await self._model.invalidate([Invalidation("all")])
            log.info("read model built", **ready)
            return ready

    async def _load(self, path: str, *, backwards: bool = False) -> str:
        """Apply one service's snapshot, then remove what it does not have. Returns its position."""
        seen: set[int] = set()
        async with self._peers.snapshot(path) as (head, rows):
            position = str(head["position"])
            async for part in _parts(rows):
                seen |= await self._take_in(part, position, backwards)
        await self._sweep(seen, position, rates=path == BILLING)
        return position

    async def _take_in(self, part: list[dict[str, Any]], position: str, backwards: bool) -> set[int]:
        """Write some rows; where they stand now."""
        changes = [change_of(row, position) for row in part if "entity" in row]
        waiting = await self._model.apply(changes, self._clock.now_ms(), "snapshot")
        for change in waiting:
            log.error("row of an unknown brand", entity=change.entity, id=change.entity_id)
        await asyncio.gather(*(self._balance(row, backwards) for row in part if "settled_micros" in row))
        return {hash(place) for change in changes for place in self._model.fields_of(change)}

    async def _balance(self, row: dict[str, Any], backwards: bool) -> None:
        partition = await self._model.partition(row["brand_id"])
        await self._balances.set_balance(
            partition,
            row["client_id"],
            row["applied_seq"],
            row["settled_micros"],
            row.get("posted") or (),
            row.get("days") or {},
            self._clock.now_ms(),
            backwards=backwards,
        )

    async def _sweep(self, seen: set[int], position: str, *, rates: bool) -> None:
        """Remove fields of this service that the snapshot lacks and that are not newer than it.

        `seen` holds hashes of (key, field): a million of them fit where the names would take gigabytes; of
        two with one hash a row too many stays, until the next rebuild.
        """
        async for found in scanned(self._batch, MODEL):
            models = [key for key in found if _is_model(key, rates)]
            await asyncio.gather(*(self._sweep_key(key, seen, position, rates) for key in models))

    async def _sweep_key(self, key: str, seen: set[int], position: str, rates: bool) -> None:
        async for page in fields(self._batch, key):
            for field, value in page.items():
                name = field.decode()
                if hash((key, name)) not in seen and _is_of(key, name, rates):
                    await self._remove(key, name, value, position)

    async def _remove(self, key: str, field: str, value: bytes, position: str) -> None:
        row = msgspec.json.decode(value)
        if row["d"] is not None and _number(row["i"]) <= _number(position):
            log.warning("removed what the snapshot lacks", key=key, field=field)
            await self._batch.execute("HDEL", key, field)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        while not await self._batch.execute("SET", keys.REBUILDING, "1", "NX", "EX", LOCK_S):
            await asyncio.sleep(0.2)
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            await self._batch.execute("DEL", keys.REBUILDING)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LOCK_S / 3)
            await self._batch.execute("EXPIRE", keys.REBUILDING, LOCK_S)


def change_of(row: dict[str, Any], position: str) -> Change:
    """A line of a snapshot."""
    return Change(
        entity=row["entity"],
        entity_id=row["entity_id"],
        version=row["entity_version"],
        brand_id=row.get("brand_id"),
        client_id=row.get("client_id"),
        data=None if row.get("deleted") else row["data"],
        position=position,
    )


async def _parts(rows: AsyncIterator[dict[str, Any]]) -> AsyncIterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    async for row in rows:
        part.append(row)
        if len(part) >= ROWS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


_INDEXES = ("device-names", "ddi-numbers", "owners", "onnet}")


def _is_model(key: str, rates: bool) -> bool:
    """Whether a hash holds rows of that service: indexes follow their rows."""
    kind = key.partition("landline:cfg:")[2].partition(":")[0]
    if kind in _INDEXES:
        return False
    return rates if kind in ("plans", "decks", "carrier-profiles") else not rates or kind == "client"


def _is_of(key: str, field: str, rates: bool) -> bool:
    """In a client's hash both services have fields: profiles are billing's."""
    return ":cfg:client:" not in key or field.startswith("profile:") == rates


def _number(position: str) -> tuple[int, int]:
    ms, _, seq = position.partition("-")
    return int(ms), int(seq or 0)
