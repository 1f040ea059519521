"""`rating-plans/{id}/prices.csv`: every price of a plan, to be sent to customers or checked by eye."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from landline.chassis.auth import Principal
from landline.chassis.csv_text import csv_line
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import responses
from landline.chassis.resources import allowed, fetch
from landline.kernel.money import decimal_string, to_micros

from billing.api.rating_plans import PLAN

HEAD = [
    "plan",
    "destination",
    "prefix",
    "connect_fee",
    "rate_per_minute",
    "increment_s",
    "interval_start_s",
    "weight",
    "weekdays",
    "time_in",
    "time_out",
    "rate_deck_id",
]
ROWS_AT_ONCE = 2_000

router = APIRouter(tags=["rating-plans"])

_PAGE = f"""
select e.id as entry_id, r.prefix, r.destination, r.connect_fee, r.tiers, e.weight, e.weekdays, e.time_in,
       e.time_out, r.deck_id::text
  from rating_plan_entries e
  join rate_decks d on d.id = e.rate_deck_id
  join rates r on r.deck_id = d.id and r.deck_version = d.published_version
 where e.rating_plan_id = $1 and (r.prefix, e.id) > ($2, $3)
 order by r.prefix, e.id limit {ROWS_AT_ONCE}
"""
_BEFORE_ALL = UUID(int=0)


@router.get(
    "/rating-plans/{id}/prices.csv",
    summary="Download a plan's prices",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        **responses(401, 403, 404, 422),
    },
)
async def prices(id: UUID, request: Request, caller: Annotated[Principal, allowed(PLAN, "r")]) -> Response:
    """All prices of a plan's decks in force now, one line per tier, by prefix."""
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        plan = await fetch(tx, PLAN, caller, id)
    head = {"Content-Disposition": 'attachment; filename="prices.csv"'}
    lines = _lines(db, Scope.of(caller), id, plan["name"])
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=head)


async def _lines(db: Database, scope: Scope, plan_id: UUID, name: str) -> AsyncIterator[str]:
    """Page by page in short transactions: a slow reader holds no connection."""
    yield csv_line(HEAD)
    after: tuple[str, UUID] = ("", _BEFORE_ALL)
    while True:
        async with db.asyncpg(scope) as conn:
            rows = await conn.fetch(_PAGE, plan_id, *after)
        yield "".join(csv_line(line) for row in rows for line in _tiers(name, row))
        if len(rows) < ROWS_AT_ONCE:
            return
        after = (rows[-1]["prefix"], rows[-1]["entry_id"])


def _tiers(name: str, row: Any) -> list[list[Any]]:
    tiers, days = row["tiers"], row["weekdays"]
    fee = decimal_string(to_micros(row["connect_fee"]))
    first = [name, row["destination"], row["prefix"], fee]
    last = [row["weight"], "" if days is None else ";".join(map(str, days))]
    last += [row["time_in"] or "", row["time_out"] or "", row["deck_id"]]
    return [[*first, _rate(tiers[at + 1]), tiers[at + 2], tiers[at], *last] for at in range(0, len(tiers), 3)]


def _rate(nanos: int) -> str:
    units, rest = divmod(nanos, 10**9)
    digits = f"{rest:09d}"
    return f"{units}.{digits[:2]}{digits[2:].rstrip('0')}"
