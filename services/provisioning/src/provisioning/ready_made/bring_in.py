"""Brings ready-made rows into the tables, in a migration: as rows of the platform, told like any other.

Who built its copy of provisioning's rows before the migration (call-control's read model) hears of the new
ones by their events; a platform that is just being made has nobody to tell: its copies begin with a snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alembic import op
from landline.chassis.migrations import is_new
from landline.chassis.resources import Resource, Row
from landline.chassis.resources.wire import field_value
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.clock import SystemClock
from landline.kernel.ids import uuid7
from sqlalchemy import text

PRODUCER = "provisioning"


def bring_in(resource: Resource, rows: Sequence[Row]) -> None:
    """Insert rows of columns, all of one form; one that an operator made already stays as it is."""
    table, names = resource.table.name, list(rows[0])
    statement = (
        f"insert into {table} (id, version, created_at, updated_at, {', '.join(names)})"
        f" values (:id, 1, now(), now(), {', '.join(f':{name}' for name in names)})"
        " on conflict do nothing"
    )
    new = [{"id": uuid7(), **row} for row in rows]
    op.get_bind().execute(text(statement), new)
    if is_new():
        return
    made = text(f"select * from {table} where id = any(:ids)")
    found = op.get_bind().execute(made, {"ids": [row["id"] for row in new]})
    _tell(resource, [dict(row) for row in found.mappings()])


def _tell(resource: Resource, rows: Sequence[Row]) -> None:
    now_ms = SystemClock().now_ms()
    events = [seal(_event(resource, row), producer=PRODUCER, now_ms=now_ms) for row in rows]
    if events:
        told = [{"stream": resource.stream, "event": event} for event in events]
        op.get_bind().execute(text("insert into outbox (stream, event) values (:stream, :event)"), told)


def _event(resource: Resource, row: Row) -> EntityChanged:
    """As `chassis.resources.changed_event`, of the fields whose columns there are at this revision."""
    columns = {name: resource.column(name) for name in resource.shown()}
    shown = [name for name, column in columns.items() if column is not None and column.key in row]
    data: dict[str, Any] = {name: field_value(resource, name, row) for name in shown}
    return EntityChanged(
        entity=resource.entity,
        entity_id=str(row["id"]),
        entity_version=row["version"],
        deleted=False,
        data=data,
    )
