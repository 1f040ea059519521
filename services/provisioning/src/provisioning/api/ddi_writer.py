"""Many new DDIs at once: what the kit writes row by row (row, audit entry, event), in three statements.

The caller has checked the rows; the database decides which numbers exist already, also those of brands that
the caller may not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from landline.chassis.postgres import RawConnection, raw
from landline.chassis.resources import Actor, Registry, Row
from landline.chassis.resources.wire import to_wire
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7
from sqlalchemy import DateTime, Integer, Uuid
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.ddis import DDIS, TABLE

_COLUMNS = [column.key for column in TABLE.c]
_encode = msgspec.json.Encoder(enc_hook=str).encode


def _array_type(kind: Any) -> str:
    if isinstance(kind, Uuid):
        return "uuid[]"
    if isinstance(kind, DateTime):
        return "timestamptz[]"
    return "integer[]" if isinstance(kind, Integer) else "text[]"


_ARRAYS = ", ".join(f"${n}::{_array_type(c.type)}" for n, c in enumerate(TABLE.c, 1))
_DDIS = (
    f"insert into ddis ({', '.join(_COLUMNS)}) select * from unnest({_ARRAYS})"
    " on conflict (number) do nothing returning number"
)
_AUDIT = """
insert into audit_log (id, created_at, request_id, admin_id, username, level, impersonator_id, brand_id,
                       client_id, resource, entity_id, action, changes, reason, address)
select a.id, $1, $2, $3, $4, $5, $6, $7, a.client_id, 'ddis', a.entity_id, 'create', a.changes::jsonb, $8, $9
  from unnest($10::uuid[], $11::uuid[], $12::text[], $13::text[]) as a (id, client_id, entity_id, changes)
"""
_OUTBOX = "insert into outbox (stream, event) select $1, unnest($2::bytea[])"
_NOT_TOLD = frozenset({"id", "version", "created_at", "updated_at"})


def new_row(actor: Actor, brand_id: Any, values: Row) -> Row:
    """A row as the table keeps it: `values` by column, the rest null or its beginning."""
    moment = utc(actor.now_ms)
    own = {"id": uuid7(actor.now_ms), "version": 1, "created_at": moment, "updated_at": moment}
    return {**dict.fromkeys(_COLUMNS), **values, **own, "brand_id": brand_id}


async def add_ddis(tx: AsyncConnection, registry: Registry, actor: Actor, rows: Sequence[Row]) -> set[str]:
    """Write the rows, of one brand, in the caller's transaction. Returns the numbers that were taken."""
    if not rows:
        return set()
    conn = await raw(tx)
    columns = [[row[name] for row in rows] for name in _COLUMNS]
    added = {record["number"] for record in await conn.fetch(_DDIS, *columns)}
    made = [row for row in rows if row["number"] in added]
    wire = [to_wire(DDIS, row) for row in made]
    await _record(conn, actor, made, wire)
    events = [_event(registry, actor, row, data) for row, data in zip(made, wire, strict=True)]
    await conn.execute(_OUTBOX, DDIS.stream, events)
    return {row["number"] for row in rows} - added


async def _record(conn: RawConnection, actor: Actor, rows: Sequence[Row], wire: Sequence[Row]) -> None:
    who = actor.principal
    if rows:
        await conn.execute(
            _AUDIT,
            *(utc(actor.now_ms), actor.request_id, who.admin_id, who.username, who.level),
            *(who.impersonator_id, rows[0]["brand_id"], actor.reason, actor.address),
            [uuid7() for _ in rows],
            [row["client_id"] for row in rows],
            [str(row["id"]) for row in rows],
            [_changes(data) for data in wire],
        )


def _changes(data: Row) -> str:
    found = {
        name: {"before": None, "after": value}
        for name, value in data.items()
        if value is not None and name not in _NOT_TOLD
    }
    return _encode(found).decode()


def _event(registry: Registry, actor: Actor, row: Row, data: Row) -> bytes:
    event = EntityChanged(entity=DDIS.entity, entity_id=str(row["id"]), entity_version=1, data=data)
    client_id = row["client_id"]
    return seal(
        event,
        producer=registry.producer,
        now_ms=actor.now_ms,
        brand_id=str(row["brand_id"]),
        client_id=str(client_id) if client_id else None,
    )
