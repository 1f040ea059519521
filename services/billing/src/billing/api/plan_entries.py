"""`rating-plans/{id}/entries`: the decks of a plan, as parts of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from landline.chassis.auth import Caller, Principal
from landline.chassis.idempotency import WRITE_HEADERS, Answer
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import NotFound, responses
from landline.chassis.resources import Actor, Registry, Row, actor_of, allowed, check_texts, fetch, post_once
from landline.chassis.resources.wire import create_schema, patch_schema, read_schema, to_wire
from landline.chassis.resources.writing import create, delete, etag, update
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.api.rating_plans import ENTRY, PLAN, EntryFields, entries_of

READ: Any = read_schema(ENTRY)
PATCH: Any = patch_schema(ENTRY)
PATH = "/rating-plans/{id}/entries"


class Entries(BaseModel):
    """All entries of a plan; they are few."""

    items: list[READ]
    next_cursor: str | None = None


def entries_router(registry: Registry) -> APIRouter:
    """List, add, change and remove a plan's entries. Each change is a new version of the plan."""
    router = APIRouter(tags=["rating-plans"])
    _add_list(router)
    _add_create(router, registry)
    _add_change(router, registry)
    _add_delete(router, registry)
    return router


def _db(request: Request) -> Database:
    db: Database = request.app.state.db
    return db


def _add_list(router: APIRouter) -> None:
    @router.get(PATH, response_model=Entries, responses=responses(401, 403, 404, 422))
    async def list_entries(id: UUID, request: Request, caller: Caller) -> Response:
        PLAN.require(caller, "r")
        caller.require(ENTRY.name, "r")
        async with _db(request).transaction(Scope.of(caller)) as tx:
            await fetch(tx, PLAN, caller, id)
            rows = await entries_of(tx, id)
        return JSONResponse({"items": [to_wire(ENTRY, row, caller) for row in rows], "next_cursor": None})


def _add_create(router: APIRouter, registry: Registry) -> None:
    @router.post(
        PATH,
        status_code=201,
        response_model=READ,
        responses=responses(401, 403, 404, 409, 422),
        openapi_extra=WRITE_HEADERS,
    )
    async def add_entry(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(ENTRY, "c")], body: EntryFields
    ) -> Response:
        check_texts(await request.json())
        return await post_once(request, caller, lambda tx, actor: _add(tx, registry, actor, id, body))


async def _add(
    tx: AsyncConnection, registry: Registry, actor: Actor, plan_id: UUID, body: EntryFields
) -> Answer:
    plan = await fetch(tx, PLAN, actor.principal, plan_id, lock=True)
    given = _EntryOf(**body.model_dump(), rating_plan_id=plan_id, brand_id=plan["brand_id"])
    row, _ = await create(tx, registry, ENTRY, actor, given)
    place = f"/api/{registry.producer}/v1/rating-plans/{plan_id}/entries/{row['id']}"
    return Answer(201, to_wire(ENTRY, row, actor.principal), {"Location": place, "ETag": etag(row)})


class _EntryOf(create_schema(ENTRY)):  # type: ignore[misc]
    rating_plan_id: UUID


def _add_change(router: APIRouter, registry: Registry) -> None:
    @router.patch(
        f"{PATH}/{{entry_id}}", response_model=READ, responses=responses(401, 403, 404, 409, 412, 422)
    )
    async def change_entry(
        id: UUID,
        entry_id: UUID,
        request: Request,
        caller: Annotated[Principal, allowed(ENTRY, "u")],
        _body: PATCH,
    ) -> Response:
        patch = await request.json()
        check_texts(patch)
        actor = actor_of(request, caller)
        async with _db(request).transaction(Scope.of(caller)) as tx:
            await _of_plan(tx, actor, id, entry_id)
            version = request.headers.get("if-match")
            row, _ = await update(tx, registry, ENTRY, actor, entry_id, patch, version)
        return JSONResponse(to_wire(ENTRY, row, caller), headers={"ETag": etag(row)})


def _add_delete(router: APIRouter, registry: Registry) -> None:
    @router.delete(
        f"{PATH}/{{entry_id}}",
        status_code=204,
        response_class=Response,
        responses=responses(401, 403, 404, 412, 422),
    )
    async def remove_entry(
        id: UUID, entry_id: UUID, request: Request, caller: Annotated[Principal, allowed(ENTRY, "d")]
    ) -> Response:
        actor = actor_of(request, caller)
        async with _db(request).transaction(Scope.of(caller)) as tx:
            await _of_plan(tx, actor, id, entry_id)
            await delete(tx, registry, ENTRY, actor, entry_id, request.headers.get("if-match"))
        return Response(status_code=204)


async def _of_plan(tx: AsyncConnection, actor: Actor, plan_id: UUID, entry_id: UUID) -> Row:
    row = await fetch(tx, ENTRY, actor.principal, entry_id)
    if row["rating_plan_id"] != plan_id:
        raise NotFound("no such entry in this plan")
    return row
