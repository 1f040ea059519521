"""The whole configuration as one stream of lines: how a reader that starts cold, or rebuilds, catches up.

First the position of the `config` stream from before the database snapshot, then every row as it is
published, then a closing line. A reader applies the rows, then the stream from that position on: what
happened in between comes twice, and the entity's version decides. Nothing can fall between: an event that
was published before the position was committed before the snapshot began.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from landline.chassis.auth import only_system
from landline.chassis.postgres import Database, Scope
from landline.chassis.resources import Micros, Registry, Resource, Row, owners
from landline.chassis.resources.wire import wire_value
from landline.chassis.streams import AnyRedis, last_id
from landline.contracts import streams
from landline.kernel.money import decimal_string
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_PER_FETCH = 100

_encode = msgspec.json.Encoder(enc_hook=str).encode


def snapshot_router(registry: Registry) -> APIRouter:
    """`GET /internal/snapshot`, for services only. Needs `app.state.db` and `app.state.redis`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/internal/snapshot", dependencies=[Depends(only_system)])
    async def get_snapshot(request: Request) -> StreamingResponse:
        lines = snapshot(registry, request.app.state.db, request.app.state.redis)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return router


async def snapshot(registry: Registry, db: Database, redis: AnyRedis) -> AsyncIterator[bytes]:
    """The lines: `{"position"}`, rows, `{"complete": true, "rows": n}`. No closing line: it was cut short."""
    yield _line({"position": await last_id(redis, streams.CONFIG)})
    count = 0
    async with db.one_moment(Scope.system()) as tx:  # it takes no xid and holds back no outbox
        for resource in published(registry):
            async for block, rows in _blocks(tx, resource):
                count += rows
                yield block
    yield _line({"complete": True, "rows": count})


def published(registry: Registry) -> list[Resource]:
    """The resources whose changes travel on the config stream, in the order of their declaration."""
    return [resource for resource in registry.resources if resource.stream == streams.CONFIG]


async def _blocks(tx: AsyncConnection, resource: Resource) -> AsyncIterator[tuple[bytes, int]]:
    """Rows by a server-side cursor, a hundred per write: flat memory, and no long hold of the loop."""
    as_line = line_writer(resource)
    result = await tx.stream(select(resource.table))
    async for part in result.mappings().partitions(ROWS_PER_FETCH):
        yield b"".join([as_line(dict(row)) for row in part]), len(part)


def line_writer(resource: Resource) -> Callable[[Row], bytes]:
    """A function: a row as the snapshot's line; the same data as `changed_event`, held by a test.

    The kit looks every field's column up for each row it shows, which is fine for one row and would take
    minutes for a million; here it is done once per resource.
    """
    columns = [(name, resource.column(name)) for name in resource.shown()]
    fields = [(n, c.key, isinstance(c.type, Micros)) for n, c in columns if c is not None]
    absent = {name: None for name, column in columns if column is None}

    def write(row: Row) -> bytes:
        data = {n: _money(row[key]) if money else wire_value(row[key]) for n, key, money in fields}
        data |= absent
        if resource.publish is not None:
            data = resource.publish(row, data)
        brand_id, client_id = owners(resource, row)
        return _line(
            {
                "entity": resource.entity,
                "entity_id": str(row["id"]),
                "entity_version": row["version"],
                "brand_id": None if brand_id is None else str(brand_id),
                "client_id": None if client_id is None else str(client_id),
                "data": data,
            }
        )

    return write


def _money(micros: int | None) -> str | None:
    return None if micros is None else decimal_string(micros)


def _line(content: dict[str, Any]) -> bytes:
    return _encode(content) + b"\n"
