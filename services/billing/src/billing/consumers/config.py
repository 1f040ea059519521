"""The `config` stream: who the clients, brands and carriers are. A new client gets its account here."""

from __future__ import annotations

from landline.chassis.postgres import Database, Scope
from landline.chassis.streams import Entry
from landline.contracts.provisioning.events import EntityChanged

from billing.app.follow_config import follow_config

FOLLOWED = frozenset(f"{entity}.changed.v1" for entity in ("brand", "client", "carrier"))


class ConfigHandler:
    """Handler for a StreamConsumer: one batch, one transaction, idempotent by entity version."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, entries: list[Entry]) -> None:
        """Keep what billing needs of the entities that it follows."""
        events = [entry.event for entry in entries if entry.event.type in FOLLOWED]
        if events:
            changes = [(event.read(EntityChanged), event.brand_id) for event in events]
            async with self._db.asyncpg(Scope.system()) as conn:
                await follow_config(conn, changes)
