"""A list as CSV: all of it, not one page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from landline.chassis.auth import Principal
from landline.chassis.csv_text import csv_line
from landline.chassis.postgres import Database, Scope
from landline.chassis.resources import listing, wire
from landline.chassis.resources.declaration import Resource

ROWS_PER_READ = 1000


async def csv_lines(
    db: Database, resource: Resource, query: listing.ListQuery, caller: Principal
) -> AsyncIterator[str]:
    """The whole filtered list, read by key in short transactions: a slow reader holds no connection."""
    names = [n for n in resource.shown() if n not in resource.hidden(caller)]
    yield csv_line(names)
    query = replace(query, limit=ROWS_PER_READ)
    while True:
        async with db.transaction(Scope.of(caller)) as tx:
            statement = listing.page_statement(resource, query, caller)
            rows = [dict(r) for r in (await tx.execute(statement)).mappings()]
        page = rows[: query.limit]
        seen = (resource.seen(row, caller) for row in page)
        yield "".join(csv_line([wire.field_value(resource, n, row) for n in names]) for row in seen)
        if len(rows) <= query.limit:
            return
        query = replace(query, after=[page[-1][s.column.key] for s in query.sorts])
