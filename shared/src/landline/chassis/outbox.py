"""Events leave in the transaction that made them: the transactional outbox (architecture section 3.1).

`add` writes a sealed event into the `outbox` table; one publisher per service sends rows to their streams
and then deletes them. Killed in between, it sends them again: duplicates are allowed, loss is not.

Order. Rows leave in the order of their ids, and whoever changes a row locks it before it adds the event. So
of two changes of one row the second adds its event after the first has committed: it has the larger id, and
whoever sees the second sees the first. The same holds for anything that was done because of something seen.
Only events of transactions that ran side by side, about different rows, may change places.

Why not the order of transaction ids (xid below the snapshot's xmin)? Postgres may give a transaction its xid
before it waits for a row, so two changes of one row can carry xids in the wrong order (tried: they did). And
nothing can be skipped here that would need the xmin: a row that becomes visible late is still in the table
when it does, because rows are deleted one by one, not by "everything up to". A long transaction elsewhere
holds nothing back. See docs/decisions/0014-outbox-order.md.
"""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.background import keep_on, pause
from landline.chassis.metrics import OUTBOX_FAILURES, OUTBOX_PUBLISHED
from landline.chassis.postgres import Database, Scope
from landline.chassis.streams import AnyRedis
from landline.contracts.envelope import fields

BATCH = 500
POLL_S = 0.25

_ADD = "insert into outbox (stream, event) values ($1, $2)"
_READY = f"select id, stream, event from outbox order by id limit {BATCH}"
_SENT = "delete from outbox where id = any($1::bigint[])"
_ONE_PUBLISHER = "select pg_try_advisory_lock(hashtextextended('outbox ' || current_user, 0))"


async def add(tx: AsyncConnection, stream: str, event: bytes) -> None:
    """Send a sealed event to a stream once this transaction has committed."""
    await tx.execute(text("insert into outbox (stream, event) values (:s, :e)"), {"s": stream, "e": event})


async def add_many(conn: asyncpg.Connection[Any], events: list[tuple[str, bytes]]) -> None:
    """The same for many (stream, sealed event) at once, on a raw connection."""
    await conn.executemany(_ADD, events)


async def run_outbox(db: Database, redis: AnyRedis, stop: asyncio.Event) -> None:
    """Publish this service's outbox until told to stop. Any number may run; one of them works."""

    async def serve(stop: asyncio.Event) -> None:
        try:
            async with db.session(Scope.system()) as conn:
                await _serve(conn, db.role, redis, stop)
        except Exception:
            OUTBOX_FAILURES.labels(db.role).inc()
            raise

    await keep_on("outbox", serve, stop)


async def _serve(conn: asyncpg.Connection[Any], service: str, redis: AnyRedis, stop: asyncio.Event) -> None:
    wake = asyncio.Event()
    await conn.add_listener(f"landline_outbox_{service}", lambda *_: wake.set())
    ours = False
    while not stop.is_set():
        wake.clear()
        ours = ours or bool(await conn.fetchval(_ONE_PUBLISHER))
        if ours:
            await publish_all(conn, service, redis, stop)
        await pause(wake, POLL_S)


async def publish_all(
    conn: asyncpg.Connection[Any], service: str, redis: AnyRedis, stop: asyncio.Event
) -> None:
    """Send what is ready, batch by batch, until nothing is left; the caller holds the publisher's lock."""
    while not stop.is_set():
        rows = await conn.fetch(_READY)
        if not rows:
            break
        await send(redis, [(row["stream"], bytes(row["event"])) for row in rows])
        await conn.execute(_SENT, [row["id"] for row in rows])
        OUTBOX_PUBLISHED.labels(service).inc(len(rows))


async def send(redis: AnyRedis, events: list[tuple[str, bytes]]) -> None:
    """XADD all in one pipeline, in order within each stream; raises when any of them failed.

    Streams are never trimmed here: that is for whoever knows what its readers have read.
    """
    pipeline = redis.pipeline(transaction=False)
    for stream, event in events:
        pipeline.xadd(stream, fields(event))
    await pipeline.execute()
