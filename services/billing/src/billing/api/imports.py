"""Taking in rate sheets as jobs, and watching the jobs."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer
from landline.chassis.problems import FieldError, InvalidInput, responses
from landline.chassis.resources import Actor, ApiModel, Resource, Rights, allowed, fetch, post_once
from landline.chassis.resources.audit import record
from landline.chassis.resources.wire import read_schema, to_wire
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.adapters.tables import JOBS
from billing.api.rate_decks import RATE_DECK
from billing.domain.rate_columns import ORDER

BODY_LIMIT_BYTES = 64 * 1024 * 1024


class JobRead(ApiModel):
    """How an import stands. `errors`: line (from 1), field, code, message; the first 1,000."""

    kind: str = Field(description="what it does, such as an import of rates")
    rate_deck_id: UUID | None = Field(description="the deck that it fills")
    state: Literal["queued", "running", "done", "failed"] = Field(description="done and failed are final")
    stage: str | None = Field(description="what it is at while running; else null")
    rows_done: int = Field(description="rows handled so far in this stage")
    rows_total: int | None = Field(description="rows in the file; null: not counted yet")
    error_count: int = Field(description="all errors, also those that errors leaves out")
    errors: list[dict[str, Any]] = Field(description="line (from 1), field, code, message; the first 1,000")
    result: dict[str, Any] | None = Field(description="what it made; null until it is done")
    finished_at: Any = Field(description="null: not over yet")


class NothingToWrite(ApiModel):
    """Jobs are made by what they do."""


JOB = Resource(
    name="jobs",
    entity="job",
    table=JOBS,
    fields=NothingToWrite,
    read_only=JobRead,
    tenancy="brand",
    rights=Rights("r", "r", ""),
    filters=("kind", "state", "rate_deck_id"),
    sorts=("created_at",),
    default_sort="-created_at",
    about="Work in the background: state queued, running, done or failed.",
)
router = APIRouter(tags=["rate-decks"])

_JOB = text(
    "insert into jobs (id, brand_id, kind, rate_deck_id, options, created_by, created_at, updated_at)"
    " values (:id, :brand_id, 'rates_import', :deck_id, cast(:options as jsonb), :by, :now, :now)"
)
_INPUT = text("insert into job_inputs (job_id, brand_id, body) values (:id, :brand_id, :body)")


@router.post(
    "/rate-decks/{id}/import",
    status_code=202,
    response_model=read_schema(JOB),
    responses=responses(401, 403, 404, 413, 422),
    openapi_extra=WRITE_HEADERS,
)
async def import_rates(
    id: UUID,
    request: Request,
    caller: Annotated[Principal, allowed(RATE_DECK, "u")],
    file: Annotated[UploadFile, File(description="CSV, at most 64 MiB")],
    mode: Annotated[Literal["replace", "merge"], Form()] = "replace",
    mapping: Annotated[str, Form(description='JSON: {"prefix": "Dial code", "rate": 4}')] = "{}",
) -> Response:
    """Import a rate sheet in the background: all of it or, with errors by line, nothing.

    `replace`: the sheet is the whole deck; `merge`: it adds to the deck and changes what it names.
    Follow the job at the answer's Location.
    """
    options = {"mode": mode, "mapping": read_mapping(mapping)}
    body = await file.read()

    async def effect(tx: AsyncConnection, actor: Actor) -> Answer:
        return await _queue(tx, actor, id, options, body)

    content = body + json.dumps(options, sort_keys=True).encode()
    return await post_once(request, caller, effect, content=content)


def read_mapping(given: str) -> dict[str, str | int]:
    """The form field `mapping`. Raises InvalidInput."""
    try:
        mapping = json.loads(given)
    except (ValueError, RecursionError):
        raise InvalidInput([FieldError("mapping", "malformed_json", "a JSON object")]) from None
    fits = isinstance(mapping, dict) and all(isinstance(v, str | int) for v in mapping.values())
    if not fits or set(mapping) - set(ORDER):
        raise InvalidInput([FieldError("mapping", "invalid_value", f"column by field: {', '.join(ORDER)}")])
    return dict(mapping)


async def _queue(
    tx: AsyncConnection, actor: Actor, deck_id: UUID, options: dict[str, Any], body: bytes
) -> Answer:
    deck = await fetch(tx, RATE_DECK, actor.principal, deck_id)
    job = {"id": uuid7(actor.now_ms), "brand_id": deck["brand_id"]}
    about = {"deck_id": deck_id, "options": json.dumps(options), "by": actor.principal.username}
    await tx.execute(_JOB, {**job, **about, "now": utc(actor.now_ms)})
    await tx.execute(_INPUT, {**job, "body": body})
    await record(
        tx,
        actor,
        resource="rate-decks",
        entity_id=str(deck_id),
        action="import",
        changes={"job_id": {"before": None, "after": str(job["id"])}},
        brand_id=deck["brand_id"],
    )
    row = await fetch(tx, JOB, actor.principal, job["id"])
    return Answer(202, to_wire(JOB, row), {"Location": f"/api/billing/v1/jobs/{job['id']}"})
