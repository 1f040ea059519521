"""Clients as billing knows them, and their accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.app.connection import Connection


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
