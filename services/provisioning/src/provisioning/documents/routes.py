"""`GET brands/{id}/export` and `POST brands/{id}/apply`."""

from __future__ import annotations

import asyncio
import zlib
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from landline.chassis.auth import Principal
from landline.chassis.document_text import JSON_TYPE, YAML_TYPE, Unreadable, read_text, write_yaml
from landline.chassis.idempotency import Answer, once, request_key
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, InvalidInput, responses
from landline.chassis.request_headers import header
from landline.chassis.resources import Actor, Registry, actor_of, allowed, fetch
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.brands import BRANDS
from provisioning.documents.apply import apply_document
from provisioning.documents.export import export_brand, operators_only
from provisioning.documents.outcome import ApplyAnswer
from provisioning.documents.reading import read_document
from provisioning.documents.rows import BrandRows

BODY_LIMIT_BYTES = 16 * 1024 * 1024
PATIENCE_S = 10.0
_LOCKS_OF_APPLY = 30

_DOCUMENT: dict[str, Any] = {"schema": {"type": "object", "additionalProperties": True}}
_BOTH = {JSON_TYPE: _DOCUMENT, YAML_TYPE: _DOCUMENT}
_KEY = header("Idempotency-Key")


def documents_router(registry: Registry) -> APIRouter:
    """Both routes. Needs `app.state.db`."""
    router = APIRouter(tags=["brands"])

    @router.get(
        "/brands/{id}/export",
        name="export brand",
        responses={200: {"content": _BOTH}, **responses(401, 403, 404, 409, 422)},
        response_class=JSONResponse,
    )
    async def export(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(BRANDS, "r")]
    ) -> Response:
        """The whole brand as one document, without secrets and ids; YAML if `Accept` asks for it."""
        document = await export_brand(request.app.state.db, registry, caller, id)
        if "yaml" not in request.headers.get("accept", ""):
            return JSONResponse(document)
        return Response(await asyncio.to_thread(write_yaml, document), media_type=YAML_TYPE)

    @router.post(
        "/brands/{id}/apply",
        name="apply brand",
        response_model=ApplyAnswer,
        responses=responses(401, 403, 404, 409, 413, 422),
        openapi_extra={"requestBody": {"required": True, "content": _BOTH}, "parameters": [_KEY]},
    )
    async def apply(
        id: UUID,
        request: Request,
        caller: Annotated[Principal, allowed(BRANDS, "r")],
        dry_run: Annotated[bool, Query(description="say what would change, and change nothing")] = False,
        prune: Annotated[bool, Query(description="delete what a section of the document lacks")] = False,
    ) -> Response:
        """Make the brand what the document says, in one transaction; what it does not say stays."""
        operators_only(caller)
        actor, db = actor_of(request, caller), request.app.state.db
        media_type = request.headers.get("content-type", JSON_TYPE)
        document = await _read(await request.body(), media_type)
        key = None if dry_run else await request_key(request, caller)
        done = await _apply(db, registry, actor, id, document, key, dry_run=dry_run, prune=prune)
        return done.response()

    return router


async def _read(raw: bytes, media_type: str) -> Any:
    try:
        return await asyncio.to_thread(read_text, raw, media_type)
    except Unreadable as error:
        raise InvalidInput([FieldError("body", error.code, error.message)], code=error.code) from None


async def _apply(
    db: Database,
    registry: Registry,
    actor: Actor,
    brand_id: UUID,
    document: Any,
    key: Any,
    *,
    dry_run: bool,
    prune: bool,
) -> Answer:
    caller = actor.principal
    async with db.transaction(Scope.of(caller)) as tx:
        row = await fetch(tx, registry.named("brands"), caller, brand_id)
        await _one_at_a_time(tx, brand_id)

        async def effect() -> Answer:
            brand = await BrandRows(registry, caller, row).read(tx)
            said = read_document(document, brand.root, brand.sections)
            applied = await apply_document(tx, brand, said, actor, prune=prune)
            return Answer(200, applied.answer(brand_id, dry_run=dry_run))

        if not dry_run:
            return await once(tx, key, effect)
        savepoint = await tx.begin_nested()
        answer = await effect()
        await savepoint.rollback()
        return answer


async def _one_at_a_time(tx: AsyncConnection, brand_id: UUID) -> None:
    """Two applies of one brand at once would each see half of the other: the second waits, then looks."""
    values = {"kind": _LOCKS_OF_APPLY, "lock": zlib.crc32(brand_id.bytes) - 2**31}
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not await tx.scalar(text("select pg_try_advisory_xact_lock(:kind, :lock)"), values):
        if asyncio.get_running_loop().time() > deadline:
            detail = "another document is being applied to this brand"
            raise Conflict("apply_in_progress", detail, headers={"Retry-After": "5"})
        await asyncio.sleep(0.05)
