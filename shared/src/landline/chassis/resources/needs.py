"""Who needs a row: what refers to it holds its deletion back, what is part of it goes with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Select, any_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.problems import Conflict
from landline.chassis.resources.declaration import Need, Registry, Resource

SHOWN = 5


async def refuse_while_needed(
    tx: AsyncConnection, registry: Registry, resource: Resource, row_id: UUID
) -> None:
    """Conflict lists, by resource and field, what still needs the row: how many, and the first ids."""
    found = []
    for need in registry.needs(resource.table.name):
        if need.reference.holds_back and not need.reference.cascade:
            rows = (await tx.execute(_needing(need, row_id, func.count().over()).limit(SHOWN))).all()
            if rows:
                found.append(
                    {
                        "resource": need.resource.name,
                        "field": need.column,
                        "count": rows[0][1],
                        "ids": [str(r[0]) for r in rows],
                    }
                )
    if found:
        names = ", ".join(f"{f['count']} {f['resource']}" for f in found)
        raise Conflict("still_needed", f"still needed by {names}", extra={"needed_by": found})


async def needing(tx: AsyncConnection, need: Need, row_id: UUID) -> list[UUID]:
    """The ids of the rows that refer to the row in this one way."""
    return list((await tx.execute(_needing(need, row_id))).scalars())


def _needing(need: Need, row_id: UUID, *more: Any) -> Select[Any]:
    table, column = need.resource.table, need.resource.table.c[need.column]
    hit: Any = any_(column) == row_id if isinstance(column.type, ARRAY) else column == row_id
    return select(table.c.id, *more).where(hit)
