"""Import jobs: a rate sheet becomes the deck's next version, or nothing changes and every line says why.

The rows of the new version are written in many short transactions, invisible until the deck is switched to
it: a long transaction would hold back every event of every service (chassis.outbox).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
import structlog
from landline.chassis.background import take_jobs
from landline.chassis.postgres import Database, Scope
from landline.chassis.surroundings import is_surroundings
from landline.kernel.clock import Clock, utc
from landline.rating.deck_file import DeckMeta

from billing.app.connection import Connection
from billing.app.publish_deck import DeckChangedMeanwhile, NewVersion, publish_deck

CLEAN_ROWS = 20_000
log = structlog.get_logger(__name__)


class Build(Protocol):
    """What turns a sheet into a deck (adapters.deck_builder)."""

    def __call__(
        self, *, sheet: bytes, mapping: dict[str, Any], meta: DeckMeta, previous: bytes | None
    ) -> Awaitable[Any]:
        """The built deck, or its errors."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """An import that waits, or was begun by a worker that died."""

    id: str
    deck_id: str
    options: dict[str, Any]


_OPEN = """
select id::text, rate_deck_id::text, options::text from jobs
 where state in ('queued', 'running') and kind = 'rates_import' order by created_at limit 20
"""
_LOCK = "select pg_try_advisory_lock(hashtextextended('billing import ' || $1, 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended('billing import ' || $1, 0))"
_INPUT = """
select i.body, d.name, d.currency, d.deductible_connect_fee, d.published_version, v.file
  from job_inputs i
  join jobs j on j.id = i.job_id
  join rate_decks d on d.id = j.rate_deck_id
  left join deck_versions v on v.deck_id = d.id and v.version = d.published_version
 where i.job_id = $1
"""
_ROWS = """
insert into rates (deck_id, deck_version, prefix, brand_id, destination, connect_fee, tiers)
select $1, $2, r.p, d.brand_id, r.d, r.f * 0.000001, r.t::bigint[]
  from json_to_recordset($3::text::json) as r (p text, d text, f bigint, t text), rate_decks d where d.id = $1
"""
_PROGRESS = """
update jobs set state = 'running', stage = $2, rows_done = $3, rows_total = coalesce($4, rows_total),
       updated_at = $5, version = version + 1
 where id = $1
"""
_FINISH = """
update jobs
   set state = $2, stage = null, errors = $3::text::jsonb, error_count = $4, result = $5::text::jsonb,
       rows_done = case when $2 = 'done' then $6 else 0 end, rows_total = coalesce($6, rows_total),
       updated_at = $7, finished_at = $7, version = version + 1
 where id = $1
"""
_CLEAN = """
with gone as (select r.ctid from rates r join rate_decks d on d.id = r.deck_id
               where r.deck_id = $1 and r.deck_version <> d.published_version limit $2)
delete from rates where ctid in (select ctid from gone)
"""


class ImportWorker:
    """Runs import jobs one after the other until told to stop. Any number of workers may run."""

    def __init__(self, db: Database, clock: Clock, build: Build) -> None:
        self._db, self._clock, self._build = db, clock, build

    async def run(self, stop: asyncio.Event) -> None:
        """Background work: run the jobs that wait."""

        async def look(conn: Connection) -> None:
            for row in await conn.fetch(_OPEN):
                job = Job(row["id"], row["rate_deck_id"], json.loads(row["options"]))
                if not stop.is_set() and await conn.fetchval(_LOCK, job.deck_id):
                    try:
                        await self.run_job(job)
                    finally:
                        await conn.execute(_UNLOCK, job.deck_id)

        await take_jobs("imports of rates", self._db, "landline_billing_jobs", look, stop)

    async def run_job(self, job: Job) -> None:
        """One job to its end; nothing for a job already done. The caller holds the lock of its deck."""
        try:
            await self._import(job)
        except Exception as error:
            if is_surroundings(error):
                raise
            log.exception("import failed", job_id=job.id)
            await self._finish(job, "failed", [_fault("an error of ours; it has been logged")], 1)

    async def _import(self, job: Job) -> None:
        given = await self._read(job)
        if given is None:
            return
        await self._progress(job, "reading", 0, None)
        version = given["published_version"] + 1
        meta = DeckMeta(
            job.deck_id, version, given["currency"], given["deductible_connect_fee"], given["name"]
        )
        previous = given["file"] if job.options.get("mode") == "merge" else None
        mapping = job.options.get("mapping") or {}
        built = await self._build(sheet=given["body"], mapping=mapping, meta=meta, previous=previous)
        if built.error_count:
            await self._finish(job, "failed", built.errors, built.error_count, built.lines)
            return
        await self._store(job, version, built.chunks, built.rows)
        await self._publish(
            job, NewVersion(job.deck_id, version, built.rows, built.sha256, built.file), built.lines
        )
        await self._clean(job.deck_id)

    async def _read(self, job: Job) -> asyncpg.Record | None:
        async with self._db.asyncpg(Scope.system()) as conn:
            return await conn.fetchrow(_INPUT, job.id)

    async def _store(self, job: Job, version: int, chunks: list[str], rows: int) -> None:
        """The version's rows, chunk by chunk; what a worker that died had written is thrown away first."""
        await self._clean(job.deck_id)
        done = 0
        for number, chunk in enumerate(chunks, 1):
            async with self._db.asyncpg(Scope.system()) as conn:
                await conn.execute(_ROWS, job.deck_id, version, chunk)
            done = rows * number // len(chunks)
            await self._progress(job, "storing", done, rows)

    async def _publish(self, job: Job, new: NewVersion, lines: int) -> None:
        result = json.dumps({"version": new.version, "rows": new.rows, "sha256": new.sha256, "lines": lines})
        now_ms = self._clock.now_ms()
        try:
            async with self._db.asyncpg(Scope.system()) as conn:
                await publish_deck(conn, new, now_ms)
                await conn.execute(_FINISH, job.id, "done", "[]", 0, result, new.rows, utc(now_ms))
                await conn.execute("delete from job_inputs where job_id = $1", job.id)
        except DeckChangedMeanwhile:
            await self._finish(job, "failed", [_fault("the deck was changed meanwhile: import again")], 1)

    async def _clean(self, deck_id: str) -> None:
        """Delete rows of versions that are not in force, in short transactions."""
        while True:
            async with self._db.asyncpg(Scope.system()) as conn:
                gone = await conn.execute(_CLEAN, deck_id, CLEAN_ROWS)
            if int(gone.rpartition(" ")[2]) < CLEAN_ROWS:
                return

    async def _progress(self, job: Job, stage: str, done: int, total: int | None) -> None:
        async with self._db.asyncpg(Scope.system()) as conn:
            await conn.execute(_PROGRESS, job.id, stage, done, total, utc(self._clock.now_ms()))

    async def _finish(
        self, job: Job, state: str, errors: list[dict[str, Any]], count: int, lines: int | None = None
    ) -> None:
        async with self._db.asyncpg(Scope.system()) as conn:
            now = utc(self._clock.now_ms())
            await conn.execute(_FINISH, job.id, state, json.dumps(errors), count, None, lines, now)
            await conn.execute("delete from job_inputs where job_id = $1", job.id)


def _fault(message: str) -> dict[str, Any]:
    return {"line": 0, "field": "file", "code": "failed", "message": message}
