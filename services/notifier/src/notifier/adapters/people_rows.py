"""Copies of brands and clients. Only a higher entity_version is applied, in whatever order events come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from landline.chassis.postgres import Database, Scope
from landline.contracts.provisioning.events import EntityChanged

BRAND = """
insert into brands (id, version, deleted, name, language, country, template_ids)
values ($1, $2, $3, $4, $5, $6, $7::jsonb)
on conflict (id) do update set version = excluded.version, deleted = excluded.deleted, name = excluded.name,
    language = excluded.language, country = excluded.country, template_ids = excluded.template_ids
where brands.version < excluded.version
"""
CLIENT = """
insert into clients (id, version, deleted, name, language, country, template_ids, brand_id, timezone,
    currency, daily_usage_emails)
values ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11)
on conflict (id) do update set version = excluded.version, deleted = excluded.deleted, name = excluded.name,
    language = excluded.language, country = excluded.country, template_ids = excluded.template_ids,
    brand_id = excluded.brand_id, timezone = excluded.timezone, currency = excluded.currency,
    daily_usage_emails = excluded.daily_usage_emails
where clients.version < excluded.version
"""


class PostgresPeopleRows:
    """The copies, written by the config consumer and by `rebuild`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def apply(self, changes: Sequence[tuple[str | None, EntityChanged]]) -> None:
        """(brand id, change) of brands and clients, in one transaction; others are left out."""
        brands = [_brand(c) for _, c in changes if c.entity == "brand"]
        clients = [_client(brand_id, c) for brand_id, c in changes if c.entity == "client"]
        async with self._db.asyncpg(Scope.system()) as conn:
            # In id order, so that two consumers with overlapping batches cannot deadlock.
            await conn.executemany(BRAND, sorted(brands, key=lambda row: (row[0], row[1])))
            await conn.executemany(CLIENT, sorted(clients, key=lambda row: (row[0], row[1])))


def _brand(change: EntityChanged) -> tuple[Any, ...]:
    """A tombstone keeps the id and its version and forgets the rest."""
    data = {} if change.deleted else change.data
    return (
        UUID(change.entity_id), change.entity_version, change.deleted, str(data.get("name") or ""),
        data.get("language"), data.get("default_country") or data.get("country"),
        json.dumps(_template_ids(data)),
    )  # fmt: skip


def _client(brand_id: str | None, change: EntityChanged) -> tuple[Any, ...]:
    data = {} if change.deleted else change.data
    return (
        UUID(change.entity_id), change.entity_version, change.deleted, str(data.get("name") or ""),
        data.get("language"), data.get("country"), json.dumps(_template_ids(data)),
        UUID(brand_id or change.data.get("brand_id")), data.get("timezone"), data.get("currency"),
        [str(text) for text in data.get("daily_usage_emails") or []],
    )  # fmt: skip


def _template_ids(data: dict[str, Any]) -> dict[str, str]:
    """`notification_template_ids: {kind: id}`; kinds without one are left out."""
    return {k: str(v) for k, v in (data.get("notification_template_ids") or {}).items() if v}
