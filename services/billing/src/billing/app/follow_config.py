"""Brands, clients and carriers as provisioning publishes them: the newest version wins, in any order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from landline.contracts.provisioning.events import EntityChanged

from billing.app.connection import Connection

_BRAND = """
insert into brands (brand_id, name, currency, timezone, deleted, version)
values ($1, $2, $3, $4, $5, $6)
on conflict (brand_id) do update
   set name = excluded.name, currency = excluded.currency, timezone = excluded.timezone,
       deleted = excluded.deleted, version = excluded.version
 where brands.version < excluded.version
"""

_CLIENT = """
insert into clients (client_id, brand_id, name, currency, timezone, language, billing_method,
                     show_billing_details, deleted, version)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (client_id) do update
   set name = excluded.name, currency = excluded.currency, timezone = excluded.timezone,
       language = excluded.language, billing_method = excluded.billing_method,
       show_billing_details = excluded.show_billing_details, deleted = excluded.deleted,
       version = excluded.version
 where clients.version < excluded.version
returning currency
"""

# A currency may still be chosen while no money has moved; afterwards the account keeps its own.
_ACCOUNT = """
insert into accounts (client_id, brand_id, currency) values ($1, $2, $3)
on conflict (client_id) do update set currency = excluded.currency
 where accounts.last_sequence = 0 and accounts.currency <> excluded.currency
"""

_CARRIER = """
insert into carriers (carrier_id, brand_id, name, currency, deleted, version)
values ($1, $2, $3, $4, $5, $6)
on conflict (carrier_id) do update
   set name = excluded.name, currency = excluded.currency, deleted = excluded.deleted,
       version = excluded.version
 where carriers.version < excluded.version
"""

_DELETED = "update {table} set deleted = true, version = $2 where {key} = $1 and version < $2"
_KEYS = {
    "brand": ("brands", "brand_id"),
    "client": ("clients", "client_id"),
    "carrier": ("carriers", "carrier_id"),
}


async def follow_config(conn: Connection, changes: Iterable[tuple[EntityChanged, str | None]]) -> None:
    """Apply changes (each with its envelope's brand_id), in id order: parallel batches must not deadlock."""
    for change, brand_id in sorted(changes, key=lambda pair: (pair[0].entity, pair[0].entity_id)):
        if change.entity in _KEYS:
            await _apply(conn, change, brand_id)


async def _apply(conn: Connection, change: EntityChanged, brand_id: str | None) -> None:
    if change.deleted:
        table, key = _KEYS[change.entity]
        await conn.execute(_DELETED.format(table=table, key=key), change.entity_id, change.entity_version)
    elif change.entity == "client":
        await _client(conn, change, brand_id)
    elif change.entity == "brand":
        await _brand(conn, change)
    else:
        await _carrier(conn, change, brand_id)


async def _brand(conn: Connection, change: EntityChanged) -> None:
    data = change.data
    await conn.execute(
        _BRAND,
        change.entity_id,
        data["name"],
        data.get("currency") or "EUR",
        data.get("timezone") or "UTC",
        False,
        change.entity_version,
    )


async def _client(conn: Connection, change: EntityChanged, brand_id: str | None) -> None:
    data, brand = change.data, brand_id or change.data["brand_id"]
    fallback = await _of_brand(conn, brand) if not (data.get("currency") and data.get("timezone")) else {}
    currency = await conn.fetchval(
        _CLIENT,
        change.entity_id,
        brand,
        data.get("name"),
        data.get("currency") or fallback.get("currency", "EUR"),
        data.get("timezone") or fallback.get("timezone", "UTC"),
        data.get("language"),
        data.get("billing_method"),
        data.get("show_billing_details", True),
        False,
        change.entity_version,
    )
    if currency is not None:
        await conn.execute(_ACCOUNT, change.entity_id, brand, currency)


async def _of_brand(conn: Connection, brand_id: str) -> Mapping[str, Any]:
    row = await conn.fetchrow("select currency, timezone from brands where brand_id = $1", brand_id)
    return dict(row) if row else {}


async def _carrier(conn: Connection, change: EntityChanged, brand_id: str | None) -> None:
    data = change.data
    brand = brand_id or data["brand_id"]
    currency = data.get("currency")
    entity = (change.entity_id, brand, data.get("name"), currency, False, change.entity_version)
    await conn.execute(_CARRIER, *entity)
