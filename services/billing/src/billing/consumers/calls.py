"""The `calls` streams of all partitions: what ended becomes call records and postings, once.

Money events are kept as they came for 90 days, so that `billing replay` can prove the ledger from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from landline.chassis.postgres import Database, Scope
from landline.chassis.streams import Entry
from landline.contracts.call_control.events import CallCorrected, CallEnded
from landline.kernel.clock import Clock, utc

from billing.app.connection import Connection
from billing.app.record_calls import Recorded, record_calls
from billing.domain.call_record import uuid_time

ENDED = CallEnded.TYPE
CORRECTED = CallCorrected.TYPE
RAW_DAYS = 90

_KEEP = """
insert into raw_events (id, id_time, brand_id, client_id, call_id, type, stream, entry_id, event, received_at)
select *, $10::timestamptz
  from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[],
              $8::text[], $9::bytea[])
on conflict (id, id_time) do nothing
"""


class CallsHandler:
    """Handler for a StreamConsumer: one batch, one transaction, idempotent."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def __call__(self, entries: list[Entry]) -> None:
        """Record and charge what ended; everything else on the stream is not for billing."""
        money = [entry for entry in entries if entry.event.type in (ENDED, CORRECTED)]
        if money:
            async with self._db.asyncpg(Scope.system()) as conn:
                await handle(conn, money, self._clock.now_ms())


async def handle(conn: Connection, money: Sequence[Entry], now_ms: int) -> Recorded:
    """The batch inside its transaction. Ends go first: a correction may stand before its call's end."""
    ends = [entry.event.read(CallEnded) for entry in money if entry.event.type == ENDED]
    corrections = [entry.event.read(CallCorrected) for entry in money if entry.event.type == CORRECTED]
    await _keep(conn, money, now_ms)
    return await record_calls(conn, ends, corrections, now_ms)


async def _keep(conn: Connection, money: Sequence[Entry], now_ms: int) -> None:
    by_id = {entry.event.id: entry for entry in money}
    ids = sorted(by_id)
    kept = [by_id[event_id] for event_id in ids]
    await conn.execute(
        _KEEP,
        [UUID(event_id) for event_id in ids],
        [uuid_time(event_id) for event_id in ids],
        [entry.event.brand_id for entry in kept],
        [entry.event.client_id for entry in kept],
        [entry.event.call_id for entry in kept],
        [entry.event.type for entry in kept],
        [entry.stream for entry in kept],
        [entry.id for entry in kept],
        [entry.raw for entry in kept],
        utc(now_ms),
    )
