"""Clients as billing knows them, and their accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, time
from uuid import UUID

from landline.chassis.postgres import Database, Scope
from landline.kernel.money import to_micros

from billing.app.connection import Connection
from billing.domain.ledger import Account

PATIENCE_S = 2.0
YOUNG_S = 30.0


@dataclass(frozen=True, slots=True)
class Party:
    """A client by what a call of it tells."""

    client_id: str
    brand_id: str
    currency: str
    timezone: str
    billing_method: str


_CLIENTS = """
insert into clients (client_id, brand_id, currency, timezone, billing_method, version)
select client_id, brand_id, currency, timezone, billing_method, 0
  from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
       as c (client_id, brand_id, currency, timezone, billing_method)
 order by client_id
on conflict (client_id) do nothing
"""

_ACCOUNTS = """
insert into accounts (client_id, brand_id, currency)
select client_id, brand_id, currency
  from unnest($1::uuid[], $2::uuid[], $3::text[]) as a (client_id, brand_id, currency)
 where not exists (select 1 from accounts known where known.client_id = a.client_id)
 order by client_id
on conflict (client_id) do nothing
"""


async def ensure_accounts(conn: Connection, parties: Sequence[Party]) -> None:
    """Clients and accounts for those still missing. What the config stream says later replaces this."""
    unique = list({party.client_id: party for party in parties}.values())
    if not unique:
        return
    ids, brands = [p.client_id for p in unique], [p.brand_id for p in unique]
    currencies = [p.currency for p in unique]
    missing = await conn.fetchval(
        "select exists (select from unnest($1::uuid[]) id where id not in (select client_id from accounts"
        " where client_id = any($1::uuid[])))",
        ids,
    )
    if missing:
        methods = [p.billing_method for p in unique]
        await conn.execute(_CLIENTS, ids, brands, currencies, [p.timezone for p in unique], methods)
        await conn.execute(_ACCOUNTS, ids, brands, currencies)


_ACCOUNT = """
select client_id::text, brand_id::text, currency, last_sequence, balance from accounts where client_id = $1
"""


async def client_appears(db: Database, scope: Scope, client_id: UUID) -> Account | None:
    """The account, or None where the scope has no such client.

    A client made in provisioning a moment ago (its UUIDv7 tells) may still be on its way here: then wait a
    little, so that "create, then top up" works for those who do it in one go.
    """
    deadline = monotonic() + (PATIENCE_S if _is_young(client_id) else 0)
    while True:
        async with db.asyncpg(scope) as conn:
            row = await conn.fetchrow(_ACCOUNT, client_id)
        if row is not None:
            micros = to_micros(row["balance"])
            return Account(row["client_id"], row["brand_id"], row["currency"], row["last_sequence"], micros)
        if monotonic() >= deadline:
            return None
        await asyncio.sleep(0.05)


def _is_young(client_id: UUID) -> bool:
    return client_id.version == 7 and abs(time() - (client_id.int >> 80) / 1000) < YOUNG_S
