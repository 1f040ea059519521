"""`POST ddis/import`: a sheet of DDIs, taken in by a background job (see `consumers.import_ddis`)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from landline.chassis.auth import Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer
from landline.chassis.problems import FieldError, InvalidInput, responses
from landline.chassis.resources import Actor, allowed, fetch, post_once
from landline.chassis.resources.audit import record
from landline.chassis.resources.wire import read_schema, to_wire
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.ddis import DDIS
from provisioning.api.jobs import JOBS

BODY_LIMIT_BYTES = 32 * 1024 * 1024
KIND = "ddi_import"
router = APIRouter(tags=["ddis"])

_JOB = text(
    "insert into jobs (id, brand_id, version, created_at, updated_at, kind, state, rows_done, error_count,"
    " errors, options) values (:id, :brand_id, 1, :now, :now, :kind, 'queued', 0, 0, '[]',"
    " cast(:options as jsonb))"
)
_INPUT = text("insert into job_inputs (job_id, brand_id, body) values (:id, :brand_id, :body)")


@router.post(
    "/ddis/import",
    name="import ddis",
    status_code=202,
    response_model=read_schema(JOBS),
    responses=responses(401, 403, 413, 422),
    openapi_extra=WRITE_HEADERS,
)
async def import_ddis(
    request: Request,
    caller: Annotated[Principal, allowed(DDIS, "c")],
    file: Annotated[UploadFile, File(description="CSV with a header line, at most 32 MiB, 200,000 lines")],
    on_error: Annotated[
        Literal["nothing", "skip"],
        Form(description="nothing: one bad line and no number is taken in; skip: the good lines are"),
    ] = "nothing",
    brand_id: Annotated[UUID | None, Form(description="the platform level says for which brand")] = None,
) -> Response:
    """Take in a sheet of numbers in the background.

    Columns: `number`, and any of country, client, ddi_provider, device (these three by name or id), kind,
    state, description, record, display_name, language, unusual_number. Follow the job at the answer's
    Location; what is wrong is told line by line.
    """
    body, place = await file.read(), _brand(caller.brand_id, brand_id)

    async def effect(tx: AsyncConnection, actor: Actor) -> Answer:
        return await _queue(tx, actor, place, on_error, body)

    return await post_once(request, caller, effect, content=body + f"{on_error} {place}".encode())


def _brand(own: str | None, said: UUID | None) -> UUID:
    if own is None and said is None:
        raise InvalidInput([FieldError("brand_id", "required", "say for which brand")])
    if own is not None and said is not None and str(said) != own:
        raise InvalidInput([FieldError("brand_id", "not_found", "no such brand")])
    return UUID(own) if own is not None else said  # type: ignore[return-value]


async def _queue(tx: AsyncConnection, actor: Actor, brand_id: UUID, on_error: str, body: bytes) -> Answer:
    known = await tx.scalar(text("select true from brands where id = :id"), {"id": brand_id})
    if not known:
        raise InvalidInput([FieldError("brand_id", "not_found", "no such brand")])
    who = actor.principal
    options: dict[str, Any] = {
        "on_error": on_error,
        "by": {
            "level": who.level,
            "admin_id": who.admin_id,
            "username": who.username,
            "impersonator_id": who.impersonator_id,
            "request_id": actor.request_id,
            "address": actor.address,
            "reason": actor.reason,
        },
    }
    job = {"id": uuid7(actor.now_ms), "brand_id": brand_id}
    about = {"kind": KIND, "now": utc(actor.now_ms), "options": json.dumps(options)}
    await tx.execute(_JOB, {**job, **about})
    await tx.execute(_INPUT, {**job, "body": body})
    await record(
        tx,
        actor,
        resource=DDIS.name,
        entity_id=str(job["id"]),
        action="import",
        changes={"job_id": {"before": None, "after": str(job["id"])}},
        brand_id=brand_id,
    )
    row = await fetch(tx, JOBS, who, job["id"])
    return Answer(202, to_wire(JOBS, row), {"Location": f"/api/provisioning/v1/jobs/{job['id']}"})
