"""Rows whose text contains something, by an index (decision 0033).

LIKE is not leak-proof, so below row-level security Postgres never uses an index for it. A finder is a
function of the database, made by a migration (`chassis.finders`), that looks by index and applies the table's
own policies. It answers ids, or null when there are so many that reading the list in order is quicker.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.resources.declaration import Resource
from landline.chassis.resources.listing import ListQuery

MOST_FOUND = 2_000


async def found(tx: AsyncConnection, resource: Resource, query: ListQuery) -> ListQuery:
    """The query with the ids of what its finders find, where they find little enough."""
    where = list(query.where)
    for find in query.finds:
        ask = getattr(func, find.finder)(find.pattern, MOST_FOUND, type_=ARRAY(Uuid))
        ids = await tx.scalar(select(ask))
        if ids is not None:
            where[find.place] = resource.table.c.id == any_(bindparam(None, ids, ARRAY(Uuid)))
    return replace(query, where=where)
