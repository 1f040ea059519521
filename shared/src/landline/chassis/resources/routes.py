"""The HTTP side of the kit: five routes per resource, complete in OpenAPI, all conventions of contracts 2."""

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, create_model

from landline.chassis.auth import Caller, Principal
from landline.chassis.idempotency import Answer, once, request_key
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import FieldError, InvalidInput, responses
from landline.chassis.resources import listing, wire, writing
from landline.chassis.resources.declaration import Action, Actor, Registry, Resource, Row
from landline.chassis.resources.writing import etag
from landline.chassis.settings import Settings

CSV_ROWS_PER_READ = 1000
LONGEST_REASON = 500


def actor_of(request: Request, principal: Principal) -> Actor:
    """Who writes, as the audit log keeps it. InvalidInput when X-Reason is no decent text."""
    reason = request.headers.get("x-reason")
    if reason is not None and (len(reason) > LONGEST_REASON or not reason.isprintable()):
        raise InvalidInput(
            [FieldError("X-Reason", "text_form", f"printable, at most {LONGEST_REASON} characters")]
        )
    settings: Settings = request.app.state.settings
    return Actor(
        principal,
        settings,
        settings.clock.now_ms(),
        request_id=str(getattr(request.state, "request_id", "")),
        address=request.client.host if request.client else None,
        reason=reason,
    )


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


def allowed(resource: Resource, action: Action) -> Any:
    """A dependency: who asks, if they may do this at all. It is asked before the body is looked at.

    Also for routes beside the kit's: `caller: Annotated[Principal, allowed(DDIS, "u")]`.
    """

    async def check(caller: Caller) -> Principal:
        resource.require(caller, action)
        return caller

    return Depends(check)


def _db(request: Request) -> Database:
    db: Database = request.app.state.db
    return db


def _add_list(router: APIRouter, resource: Resource, read: type[BaseModel]) -> None:
    page: Any = create_model(
        f"{read.__name__}Page",
        items=(list[read], ...),  # type: ignore[valid-type]
        next_cursor=(str | None, None),
        total=(int | None, None),
    )
    described: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
    }

    @router.get(
        f"/{resource.name}",
        name=f"list {resource.name}",
        response_model=page,
        responses={**described, **responses(401, 403, 422)},
        openapi_extra={"parameters": _list_parameters(resource)},
        description=resource.about or None,
    )
    async def list_rows(request: Request, caller: Annotated[Principal, allowed(resource, "r")]) -> Response:
        query = listing.parse_list(resource, request.query_params.multi_items(), caller)
        if _wants_csv(request):
            head = {"Content-Disposition": f'attachment; filename="{resource.name}.csv"'}
            lines = _csv(_db(request), resource, query, caller)
            return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=head)
        async with _db(request).transaction(Scope.of(caller)) as tx:
            statement = listing.page_statement(resource, query, caller)
            rows = [dict(r) for r in (await tx.execute(statement)).mappings()]
            body = _page(resource, query, rows, caller)
            if query.count:
                body["total"] = await tx.scalar(listing.count_statement(resource, query, caller))
        return JSONResponse(body)


def _page(resource: Resource, query: listing.ListQuery, rows: list[Row], caller: Principal) -> Row:
    more = len(rows) > query.limit
    items = [wire.to_wire(resource, row, caller) for row in rows[: query.limit]]
    cursor = listing.cursor_of(resource, query, rows[query.limit - 1]) if more else None
    return {"items": items, "next_cursor": cursor}


def _wants_csv(request: Request) -> bool:
    return "text/csv" in request.headers.get("accept", "")


async def _csv(
    db: Database, resource: Resource, query: listing.ListQuery, caller: Principal
) -> AsyncIterator[str]:
    """The whole filtered list, read by key in short transactions: a slow reader holds no connection."""
    names = [n for n in resource.shown() if n not in resource.hidden(caller)]
    yield _csv_line(names)
    query = replace(query, limit=CSV_ROWS_PER_READ)
    while True:
        async with db.transaction(Scope.of(caller)) as tx:
            statement = listing.page_statement(resource, query, caller)
            rows = [dict(r) for r in (await tx.execute(statement)).mappings()]
        page = rows[: query.limit]
        seen = (resource.seen(row, caller) for row in page)
        yield "".join(_csv_line([wire.field_value(resource, n, row) for n in names]) for row in seen)
        if len(rows) <= query.limit:
            return
        query = replace(query, after=[page[-1][s.column.key] for s in query.sorts])


def _csv_line(values: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_csv_cell(v) for v in values])
    return out.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(v, str | int) for v in value):
        return ";".join(str(v) for v in value)
    return json.dumps(value) if isinstance(value, dict | list) else value


def _add_get(router: APIRouter, resource: Resource, read: type[BaseModel]) -> None:
    @router.get(
        f"/{resource.name}/{{id}}",
        name=f"get {resource.entity}",
        response_model=read,
        responses={200: _TAGGED, 304: {"description": "still the version of If-None-Match"}, **_REFUSED_GET},
        openapi_extra={"parameters": [_header("If-None-Match")]},
        description=f"One row of {resource.name}; its ETag is what If-Match takes.",
    )
    async def get_row(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(resource, "r")]
    ) -> Response:
        async with _db(request).transaction(Scope.of(caller)) as tx:
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
        openapi_extra={"parameters": [_header("Idempotency-Key"), _header("X-Reason")]},
        description=resource.fields.__doc__ or f"A new row of {resource.name}.",
    )
    async def create_row(
        request: Request,
        caller: Annotated[Principal, allowed(resource, "c")],
        body: schema,  # type: ignore[valid-type]
    ) -> Response:
        check_texts(await request.json())
        key, actor = await request_key(request, caller), actor_of(request, caller)
        async with _db(request).transaction(Scope.of(caller)) as tx:

            async def effect() -> Answer:
                row, reveal = await writing.create(tx, registry, resource, actor, body)
                place = f"/api/{registry.producer}/v1/{resource.name}/{row['id']}"
                shown = wire.to_wire(resource, row, caller) | reveal
                return Answer(201, shown, {"Location": place, "ETag": etag(row)})

            answer = await once(tx, key, effect)
        return answer.response()


def _add_update(router: APIRouter, registry: Registry, resource: Resource, read: type[BaseModel]) -> None:
    schema = wire.patch_schema(resource)

    @router.patch(
        f"/{resource.name}/{{id}}",
        name=f"change {resource.entity}",
        response_model=read,
        responses={200: _TAGGED, **responses(401, 403, 404, 409, 412, 413, 422)},
        openapi_extra={"parameters": [_header("If-Match"), _header("X-Reason")]},
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
        async with _db(request).transaction(Scope.of(caller)) as tx:
            row, reveal = await writing.update(tx, registry, resource, actor, id, patch, _if_match(request))
        return JSONResponse(wire.to_wire(resource, row, caller) | reveal, headers={"ETag": etag(row)})


def _add_delete(router: APIRouter, registry: Registry, resource: Resource) -> None:
    @router.delete(
        f"/{resource.name}/{{id}}",
        name=f"delete {resource.entity}",
        status_code=204,
        response_class=Response,
        responses=responses(401, 403, 404, 409, 412, 422),
        openapi_extra={"parameters": [_header("If-Match"), _header("X-Reason")]},
        description="Refused with 409 and the list of what still needs the row, if anything does.",
    )
    async def delete_row(
        id: UUID, request: Request, caller: Annotated[Principal, allowed(resource, "d")]
    ) -> Response:
        actor = actor_of(request, caller)
        async with _db(request).transaction(Scope.of(caller)) as tx:
            await writing.delete(tx, registry, resource, actor, id, _if_match(request))
        return Response(status_code=204)


_ETAG = {"description": "the version of the row", "schema": {"type": "string"}}
_LOCATION = {"description": "where the new row is", "schema": {"type": "string"}}
_TAGGED: dict[str, Any] = {"headers": {"ETag": _ETAG}}
_MADE: dict[str, Any] = {"headers": {"ETag": _ETAG, "Location": _LOCATION}}
_REFUSED_GET = responses(401, 403, 404, 422)

_HEADERS = {
    "If-None-Match": "an ETag that you have: 304 without a body while the row is still that version",
    "Idempotency-Key": "same key and body within 24 h: the same answer, one effect",
    "If-Match": "the version you saw, as its ETag; 412 when it is another by now",
    "X-Reason": "kept with the audit entry",
}


def _header(name: str) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": LONGEST_REASON}
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": _HEADERS[name]}


def _if_match(request: Request) -> str | None:
    return request.headers.get("if-match")


def check_texts(body: Any) -> None:
    """InvalidInput names every text that Postgres could not keep."""
    if errors := wire.unstorable(body):
        raise InvalidInput(errors)


_SHAPES = {"gte": "at least", "gt": "more than", "lte": "at most", "lt": "less than"}


def _list_parameters(resource: Resource) -> list[dict[str, Any]]:
    """The query parameters of a list, for OpenAPI; they are parsed by `listing`."""
    text = {"type": "string"}
    sorts = ", ".join(listing.sortable(resource))
    found = [
        _parameter(
            "limit", {"type": "integer", "minimum": 1, "maximum": listing.MOST_ROWS, "default": 50}, ""
        ),
        _parameter("cursor", text, "the next_cursor of the page before"),
        _parameter("sort", text, f"one or more of: {sorts}; a minus in front turns it round"),
        _parameter("count", {"type": "boolean", "default": False}, "also answer the total"),
    ]
    for name in listing.filterable(resource):
        column = resource.column(name)
        assert column is not None, f"{resource.name}: no column for the filter {name}"
        found.append(_parameter(name, text, "equals"))
        for operation in listing.operations(column):
            schema = {"type": "boolean"} if operation == "isnull" else text
            found.append(_parameter(f"{name}__{operation}", schema, _SHAPES.get(operation, operation)))
    return found


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
