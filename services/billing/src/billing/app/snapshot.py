"""All of billing that others keep copies of, as NDJSON: positions first, rows, then their count.

The positions are read before the rows: whatever was committed but not yet published then is in the rows,
and comes again on the streams with the same version or sequence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from landline.chassis.postgres import Database, Scope
from landline.chassis.streams import AnyRedis, last_id
from landline.contracts import streams
from landline.contracts.billing.events import TariffPublished
from landline.kernel.clock import utc
from landline.kernel.money import to_micros

from billing.app.connection import Connection
from billing.app.ledger_facts import DAYS, POSTED_HOURS
from billing.app.rate_events import plan_event, profile_event

_ENTRIES = "select * from rating_plan_entries order by id"
_DECKS = """
select d.id::text, d.brand_id::text, v.version, v.rows, v.sha256 from rate_decks d
  join deck_versions v on v.deck_id = d.id and v.version = d.published_version
"""
_BALANCES = """
select a.client_id::text, a.brand_id::text, a.last_sequence, a.balance, p.posted, d.days from accounts a
  left join (select client_id, array_agg(coalesce(operation_id, call_id)) as posted from postings
              where created_at > $1 and call_id is not null group by 1) p using (client_id)
  left join (select client_id, jsonb_object_agg(day, micros)::text as days
               from (select r.client_id, d.key as day, sum(d.value::bigint) as micros
                       from call_records r, jsonb_each_text(r.spend_by_day) d
                      where r.id_time > $2 group by 1, 2) s
              group by 1) d using (client_id)
"""


async def snapshot_lines(db: Database, redis: AnyRedis, now_ms: int) -> AsyncIterator[bytes]:
    """The lines, each with its newline."""
    rates, ledger = await last_id(redis, streams.RATES), await last_id(redis, streams.LEDGER)
    yield _line({"position": rates, "ledger_position": ledger})
    count = 0
    async with db.asyncpg(Scope.system()) as conn:
        for rows in (_rate_rows(conn), _balance_rows(conn, utc(now_ms))):
            async for row in rows:
                count += 1
                yield _line(row)
    yield _line({"complete": True, "rows": count})


async def _rate_rows(conn: Connection) -> AsyncIterator[dict[str, Any]]:
    for deck in await conn.fetch(_DECKS):
        published = TariffPublished(
            deck_id=deck["id"], version=deck["version"], rows=deck["rows"], sha256=deck["sha256"]
        )
        yield _row("deck", deck["id"], deck["version"], deck["brand_id"], published)
    entries: dict[Any, list[Any]] = {}
    for entry in await conn.fetch(_ENTRIES):
        entries.setdefault(entry["rating_plan_id"], []).append(entry)
    for plan in await conn.fetch("select * from rating_plans"):
        event = plan_event(dict(plan), entries.get(plan["id"], []))
        yield _row("plan", str(plan["id"]), plan["version"], str(plan["brand_id"]), event)
    async for profile in conn.cursor("select * from rating_profiles", prefetch=1_000):
        row = profile_event(dict(profile))
        line = _row("profile", row.profile_id, row.version, str(profile["brand_id"]), row)
        yield {**line, "client_id": row.client_id}


async def _balance_rows(conn: Connection, now: datetime) -> AsyncIterator[dict[str, Any]]:
    posted_since, spent_since = now - timedelta(hours=POSTED_HOURS), now - timedelta(days=DAYS)
    async for row in conn.cursor(_BALANCES, posted_since, spent_since, prefetch=1_000):
        yield {
            "client_id": row["client_id"],
            "brand_id": row["brand_id"],
            "applied_seq": row["last_sequence"],
            "settled_micros": to_micros(row["balance"]),
            "posted": row["posted"] or [],
            "days": msgspec.json.decode(row["days"]) if row["days"] else {},
        }


def _row(entity: str, entity_id: str, version: int, brand_id: str, data: msgspec.Struct) -> dict[str, Any]:
    return {
        "entity": entity,
        "entity_id": entity_id,
        "entity_version": version,
        "brand_id": brand_id,
        "data": data,
    }


def _line(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode(row) + b"\n"
