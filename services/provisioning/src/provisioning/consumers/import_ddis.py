"""Import jobs: sheets of DDIs, taken in a few hundred lines at a time. Any number of workers may run.

`nothing`: one transaction, so that one bad line leaves everything as it was. `skip`: one transaction per
chunk, which also says how far the job is; a worker that dies leaves the rest to the next one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from landline.chassis.auth import Principal
from landline.chassis.background import take_jobs
from landline.chassis.logging import get_logger
from landline.chassis.postgres import Database, RawConnection, Scope
from landline.chassis.resources import Actor, Registry
from landline.chassis.settings import Settings
from landline.chassis.surroundings import is_surroundings
from landline.kernel.clock import utc
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.ddi_imports import KIND
from provisioning.api.ddi_lines import LineReader
from provisioning.api.ddi_writer import add_ddis, new_row
from provisioning.domain.ddi_sheet import MAX_ERRORS, Line, LineError, Sheet, read_sheet

LINES_AT_ONCE = 500
log = get_logger(__name__)

_OPEN = f"""
select j.id::text, j.brand_id::text, j.options::text, j.rows_done, j.error_count, j.errors::text,
       j.result::text, b.country
  from jobs j join brands b on b.id = j.brand_id
 where j.state in ('queued', 'running') and j.kind = '{KIND}' order by j.created_at, j.id limit 20
"""
_LOCK = "select pg_try_advisory_lock(hashtextextended('ddi import ' || $1, 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended('ddi import ' || $1, 0))"
_STANDS = text(
    "update jobs set state = :state, rows_done = :done, rows_total = :total, error_count = :count,"
    " errors = cast(:errors as jsonb), result = cast(:result as jsonb), updated_at = :now,"
    " finished_at = case when :state in ('done', 'failed') then cast(:now as timestamptz) end,"
    " version = version + 1 where id = :id and state in ('queued', 'running')"
)


class _SomeLineIsBad(Exception):
    """Rolls the whole import back."""


@dataclass(slots=True)
class Job:
    """A sheet being taken in, and how far it is."""

    id: UUID
    brand_id: UUID
    country: str
    options: dict[str, Any]
    done: int = 0
    total: int = 0
    created: int = 0
    error_count: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def skips(self) -> bool:
        """Whether good lines are kept beside bad ones."""
        return bool(self.options["on_error"] == "skip")

    def refuse(self, found: Sequence[LineError]) -> None:
        """Count errors; keep them while there is room."""
        self.error_count += len(found)
        self.errors = [*self.errors, *map(asdict, found)][:MAX_ERRORS]


async def run_imports(db: Database, registry: Registry, settings: Settings, stop: asyncio.Event) -> None:
    """Background work: take in the sheets that wait."""
    imports = Imports(db, registry, settings)

    async def look(conn: RawConnection) -> None:
        for row in await conn.fetch(_OPEN):
            if not stop.is_set() and await conn.fetchval(_LOCK, row["id"]):
                try:
                    await imports.run(_job(row))
                finally:
                    await conn.execute(_UNLOCK, row["id"])

    await take_jobs("imports of DDIs", db, "landline_provisioning_jobs", look, stop)


def _job(row: asyncpg.Record) -> Job:
    job = Job(UUID(row["id"]), UUID(row["brand_id"]), row["country"], json.loads(row["options"]))
    if job.skips:  # what came before stays; otherwise the whole sheet is read again
        job.done, job.error_count = row["rows_done"], row["error_count"]
        job.errors = json.loads(row["errors"])
        job.created = (json.loads(row["result"] or "{}")).get("created", 0)
    return job


class Imports:
    """Runs one job after the other."""

    def __init__(self, db: Database, registry: Registry, settings: Settings) -> None:
        self._db, self._registry, self._settings = db, registry, settings

    async def run(self, job: Job) -> None:
        """One job to its end; the caller holds its lock. Our own errors end the job as failed."""
        try:
            await self._take_in(job)
        except Exception as error:
            if is_surroundings(error):
                raise
            log.exception("import of DDIs failed", job_id=str(job.id))
            # Alone: what was told so far may be what cannot be stored, and the job would come back for ever.
            job.errors = [asdict(LineError(0, "file", "failed", "an error of ours; it has been logged"))]
            job.error_count += 1
            await self._say(job, "failed")

    async def _take_in(self, job: Job) -> None:
        async with self._db.asyncpg(Scope.system()) as conn:
            body = await conn.fetchval("select body from job_inputs where job_id = $1", job.id)
        if body is None:
            return
        sheet: Sheet = await asyncio.to_thread(read_sheet, bytes(body))
        job.total = len(sheet.lines)
        if sheet.errors:
            job.refuse(sheet.errors)
            await self._say(job, "failed")
        elif job.skips:
            await self._chunk_by_chunk(job, sheet.lines)
        else:
            await self._all_or_nothing(job, sheet.lines)
        async with self._db.asyncpg(Scope.system()) as conn:
            await conn.execute("delete from job_inputs where job_id = $1", job.id)

    async def _all_or_nothing(self, job: Job, lines: Sequence[Line]) -> None:
        reader = LineReader(job.brand_id, job.country)
        try:
            async with self._db.transaction(Scope.brand(str(job.brand_id))) as tx:
                for chunk in _chunks(lines, 0):
                    await self._chunk(tx, job, reader, chunk)
                    await self._say(job, "running")
                if job.error_count:
                    raise _SomeLineIsBad
                await self._say(job, "done", tx)
        except _SomeLineIsBad:
            job.done = job.created = 0
            await self._say(job, "failed")

    async def _chunk_by_chunk(self, job: Job, lines: Sequence[Line]) -> None:
        reader = LineReader(job.brand_id, job.country)
        for chunk in _chunks(lines, job.done):
            async with self._db.transaction(Scope.brand(str(job.brand_id))) as tx:
                await self._chunk(tx, job, reader, chunk)
                await self._say(job, "running", tx)
        await self._say(job, "done")

    async def _chunk(self, tx: AsyncConnection, job: Job, reader: LineReader, chunk: Sequence[Line]) -> None:
        found = await reader.read(tx, chunk)
        actor = self._actor(job)
        line_of = {values["number"]: line for line, values in found.rows}
        rows = [new_row(actor, job.brand_id, values) for _, values in found.rows]
        taken = await add_ddis(tx, self._registry, actor, rows)
        for number in sorted(taken, key=lambda n: line_of[n]):
            message = "this number exists already"
            found.errors.append(LineError(line_of[number], "number", "taken", message))
        job.refuse(sorted(found.errors, key=lambda error: error.line))
        job.done += len(chunk)
        job.created += len(rows) - len(taken)

    def _actor(self, job: Job) -> Actor:
        """Whoever sent the sheet: the audit log names a person, not the worker."""
        by = job.options["by"]
        who = Principal(
            level=by["level"],
            brand_id=str(job.brand_id),
            admin_id=by["admin_id"],
            username=by["username"],
            impersonator_id=by["impersonator_id"],
        )
        about = {name: by[name] for name in ("request_id", "address", "reason")}
        return Actor(who, self._settings, self._settings.clock.now_ms(), **about)

    async def _say(self, job: Job, state: str, tx: AsyncConnection | None = None) -> None:
        """How the job stands, in the transaction of what it says or, without one, at once."""
        if tx is None:
            async with self._db.transaction(Scope.system()) as own:
                return await self._say(job, state, own)
        result = {"lines": job.total, "created": job.created} if state != "failed" else None
        stands = {"state": state, "done": job.done, "total": job.total, "count": job.error_count}
        told = {"errors": json.dumps(job.errors), "result": json.dumps(result) if result else None}
        await tx.execute(_STANDS, {**stands, **told, "id": job.id, "now": utc(self._settings.clock.now_ms())})
        return None


def _chunks(lines: Sequence[Line], done: int) -> Iterator[Sequence[Line]]:
    for start in range(done, len(lines), LINES_AT_ONCE):
        yield lines[start : start + LINES_AT_ONCE]
