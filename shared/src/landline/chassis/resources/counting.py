"""How many rows a list has in all: counted up to 100,000, and estimated from there on (decision 0033).

Counting a million rows under row-level security reads a million rows, for a figure that is stale when it is
shown. Postgres' own estimate of the same query costs a plan, and its error is that of its last ANALYZE.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ClauseElement, Select, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import Executable

from landline.chassis.auth import Principal
from landline.chassis.resources.declaration import Resource
from landline.chassis.resources.listing import ListQuery
from landline.chassis.resources.scope import in_scope

MOST_EXACT = 100_000


async def total_of(
    tx: AsyncConnection, resource: Resource, query: ListQuery, principal: Principal
) -> dict[str, Any]:
    """`total`, and `total_estimated`: whether it is only about right, which it may be above `MOST_EXACT`."""
    rows = select(literal(1)).select_from(resource.table)
    rows = rows.where(*in_scope(resource, principal), *query.where)
    some = rows.limit(MOST_EXACT + 1).subquery()
    counted = await tx.scalar(select(func.count()).select_from(some)) or 0
    if counted <= MOST_EXACT:
        return {"total": counted, "total_estimated": False}
    plan = (await tx.execute(_Explain(rows))).scalar_one()
    plans = json.loads(plan) if isinstance(plan, str) else plan
    return {"total": max(counted, int(plans[0]["Plan"]["Plan Rows"])), "total_estimated": True}


class _Explain(Executable, ClauseElement):
    """EXPLAIN of a statement."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explain(element: _Explain, compiler: Any, **options: Any) -> str:
    return f"explain (format json) {compiler.process(element.statement, **options)}"
