"""What the ledger says about clients, for services that keep a copy of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from landline.kernel.clock import utc
from landline.kernel.money import to_micros

from billing.app.connection import Connection

PAGE = 1_000
DAYS = 5  # call-control's day counters live 72 h after their day
POSTED_HOURS = 6

_AFTER = f"""
select client_id::text, sequence, kind, amount, balance_after, call_id, operation_id
  from postings where client_id = $1 and sequence > $2 order by sequence limit {PAGE}
"""

_ACCOUNTS = """
select a.client_id::text, a.brand_id::text, a.last_sequence, a.balance,
       (select array_agg(coalesce(p.operation_id, p.call_id)) from postings p
         where p.client_id = a.client_id and p.created_at > $2 and p.call_id is not null) as posted
  from accounts a where a.client_id = any($1::uuid[])
"""

_DAYS = """
select client_id::text, jsonb_object_agg(day, micros)::text as days
  from (select r.client_id, d.key as day, sum(d.value::bigint) as micros
          from call_records r, jsonb_each_text(r.spend_by_day) d
         where r.client_id = any($1::uuid[]) and r.id_time > $2
         group by 1, 2) s
 group by 1
"""


async def postings_after(conn: Connection, client_id: UUID, after: int) -> list[dict[str, Any]]:
    """A page of a client's postings, as in `posting.made.v1`."""
    return [
        {
            "client_id": row["client_id"],
            "sequence": row["sequence"],
            "kind": row["kind"],
            "amount_micros": to_micros(row["amount"]),
            "balance_after_micros": to_micros(row["balance_after"]),
            "call_id": row["call_id"],
            "operation_id": row["operation_id"],
        }
        for row in await conn.fetch(_AFTER, client_id, after)
    ]


async def ledger_of(conn: Connection, client_ids: Sequence[UUID], now_ms: int) -> list[dict[str, Any]]:
    """Balance, sequence, charges per local day (from the records) of the last days, and what was posted
    for calls in the last hours (call or correction ids). Clients without an account are left out."""
    now = utc(now_ms)
    accounts = await conn.fetch(_ACCOUNTS, client_ids, now - timedelta(hours=POSTED_HOURS))
    days = {
        row["client_id"]: json.loads(row["days"])
        for row in await conn.fetch(_DAYS, client_ids, now - timedelta(days=DAYS))
    }
    return [
        {
            "client_id": row["client_id"],
            "brand_id": row["brand_id"],
            "balance_micros": to_micros(row["balance"]),
            "sequence": row["last_sequence"],
            "days": days.get(row["client_id"], {}),
            "posted": row["posted"] or [],
        }
        for row in accounts
    ]
