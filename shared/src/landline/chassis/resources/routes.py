"""The HTTP side of the kit: five routes per resource, complete in OpenAPI, all conventions of contracts 2."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field, create_model
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.auth import Principal
from landline.chassis.csv_text import wants_csv
from landline.chassis.idempotency import Answer
from landline.chassis.postgres import Scope
from landline.chassis.problems import responses
from landline.chassis.request_headers import takes
from landline.chassis.resources import listing, wire, writing
from landline.chassis.resources.counting import total_of
from landline.chassis.resources.csv_export import csv_lines
from landline.chassis.resources.declaration import Actor, Registry, Resource, Row
from landline.chassis.resources.finding import found
from landline.chassis.resources.list_parameters import list_parameters
from landline.chassis.resources.requests import actor_of, allowed, check_texts, database, post_once
from landline.chassis.resources.writing import etag


def resource_router(registry: Registry, resource: Resource) -> APIRouter:
    """The routes of one resource, as far as anybody has a right to them. Needs `app.state.db`."""
    router = APIRouter(tags=[resource.name])
    letters = "".join((resource.rights.platform, resource.rights.brand, resource.rights.client))
    read = wire.read_schema(resource)
    _add_list(router, resource, read)
    _add_get(router, resource, read)
    if "c" in letters:
        _add_create(router, registry, resource, read)
    if "u" in letters:
        _add_update(router, registry, resource, read)
    if "d" in letters:
        _add_delete(router, registry, resource)
    return router


def _add_list(router: APIRouter, resource: Resource, read: type[BaseModel]) -> None:
    page: Any = create_model(
        f"{read.__name__}Page",
        items=(list[read], Field(description="the rows of this page")),  # type: ignore[valid-type]
        next_cursor=(
            str | None,
            Field(None, description="the cursor of the next page; null: this is the last"),
        ),
        total=(int | None, Field(None, description="rows on all pages; only when asked for with count")),
        total_estimated=(bool | None, Field(None, description="true: total is an estimate")),
    )
    described: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
    }

    @router.get(
        f"/{resource.name}",
        name=f"list {resource.name}",
        response_model=page,
        responses={**described, **responses(401, 403, 422)},
        openapi_extra={"parameters": list_parameters(resource)},
        description=resource.about or None,
    )
    async def list_rows(request: Request, caller: Annotated[Principal, allowed(resource, "r")]) -> Response:
        query = listing.parse_list(resource, request.query_params.multi_items(), caller)
        if wants_csv(request.headers.get("accept", "")):
            head = {"Content-Disposition": f'attachment; filename="{resource.name}.csv"'}
            lines = csv_lines(database(request), resource, query, caller)
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=head)
        async with database(request).transaction(Scope.of(caller)) as tx:
            query = await found(tx, resource, query)
            statement = listing.page_statement(resource, query, caller)
            rows = [dict(r) for r in (await tx.execute(statement)).mappings()]
            body = _page(resource, query, rows, caller)
            if query.count:
                body |= await total_of(tx, resource, query, caller)
        return JSONResponse(body)


def _page(resource: Resource, query: listing.ListQuery, rows: list[Row], caller: Principal) -> Row:
    more = len(rows) > query.limit
    items = [wire.to_wire(resource, row, caller) for row in rows[: query.limit]]
    cursor = listing.cursor_of(resource, query, rows[query.limit - 1]) if more else None
    return {"items": items, "next_cursor": cursor}


def _add_get(router: APIRouter, resource: Resource, read: type[BaseModel]) -> None:
    @router.get(
        f"/{resource.name}/{{id}}",
        name=f"get {resource.entity}",
        response_model=read,
        responses={200: _TAGGED, 304: {"description": "still the version of If-None-Match"}, **_REFUSED_GET},
        openapi_extra=takes("If-None-Match"),
        description=f"One row of {resource.name}; its ETag is what If-Match takes.",
    )
    async def get_row(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(resource, "r")]
    ) -> Response:
        async with database(request).transaction(Scope.of(caller)) as tx:
            row = await writing.fetch(tx, resource, caller, id)
        if request.headers.get("if-none-match") == etag(row):
            return Response(status_code=304, headers={"ETag": etag(row)})
        return JSONResponse(wire.to_wire(resource, row, caller), headers={"ETag": etag(row)})


def _add_create(router: APIRouter, registry: Registry, resource: Resource, read: type[BaseModel]) -> None:
    schema = wire.create_schema(resource)

    @router.post(
        f"/{resource.name}",
        name=f"create {resource.entity}",
        status_code=201,
        response_model=read,
        responses={201: _MADE, **responses(401, 403, 409, 413, 422)},
        openapi_extra=takes("Idempotency-Key", "X-Reason"),
        description=resource.fields.__doc__ or f"A new row of {resource.name}.",
    )
    async def create_row(
        request: Request,
        caller: Annotated[Principal, allowed(resource, "c")],
        body: schema,  # type: ignore[valid-type]
    ) -> Response:
        check_texts(await request.json())

        async def effect(tx: AsyncConnection, actor: Actor) -> Answer:
            row, reveal = await writing.create(tx, registry, resource, actor, body)
            place = f"/api/{registry.producer}/v1/{resource.name}/{row['id']}"
            shown = wire.to_wire(resource, row, caller) | reveal
            return Answer(201, shown, {"Location": place, "ETag": etag(row)})

        return await post_once(request, caller, effect)


def _add_update(router: APIRouter, registry: Registry, resource: Resource, read: type[BaseModel]) -> None:
    schema = wire.patch_schema(resource)

    @router.patch(
        f"/{resource.name}/{{id}}",
        name=f"change {resource.entity}",
        response_model=read,
        responses={200: _TAGGED, **responses(401, 403, 404, 409, 412, 413, 422)},
        openapi_extra=takes("If-Match", "X-Reason"),
        description="JSON merge patch (RFC 7396). With If-Match, only while the version is the one you saw.",
    )
    async def change_row(
        id: UUID,
        request: Request,
        caller: Annotated[Principal, allowed(resource, "u")],
        _body: schema,  # type: ignore[valid-type]
    ) -> Response:
        # The raw document: a merge patch tells null from absent, and is merged before it is validated.
        patch = await request.json()
        check_texts(patch)
        actor = actor_of(request, caller)
        async with database(request).transaction(Scope.of(caller)) as tx:
            row, reveal = await writing.update(
                tx, registry, resource, actor, id, patch, request.headers.get("if-match")
            )
        return JSONResponse(wire.to_wire(resource, row, caller) | reveal, headers={"ETag": etag(row)})


def _add_delete(router: APIRouter, registry: Registry, resource: Resource) -> None:
    @router.delete(
        f"/{resource.name}/{{id}}",
        name=f"delete {resource.entity}",
        status_code=204,
        response_class=Response,
        responses=responses(401, 403, 404, 409, 412, 422),
        openapi_extra=takes("If-Match", "X-Reason"),
        description="Refused with 409 and the list of what still needs the row, if anything does.",
    )
    async def delete_row(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(resource, "d")]
    ) -> Response:
        actor, if_match = actor_of(request, caller), request.headers.get("if-match")
        async with database(request).transaction(Scope.of(caller)) as tx:
            await writing.delete(tx, registry, resource, actor, id, if_match)
        return Response(status_code=204)


_ETAG = {"description": "the version of the row", "schema": {"type": "string"}}
_LOCATION = {"description": "where the new row is", "schema": {"type": "string"}}
_TAGGED: dict[str, Any] = {"headers": {"ETag": _ETAG}}
_MADE: dict[str, Any] = {"headers": {"ETag": _ETAG, "Location": _LOCATION}}
_REFUSED_GET = responses(401, 403, 404, 422)
