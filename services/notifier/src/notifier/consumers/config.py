"""Brands and clients of the `config` stream, kept as copies."""

from __future__ import annotations

from landline.chassis.streams import Entry
from landline.contracts.provisioning.events import EntityChanged

from notifier.adapters.people_rows import PostgresPeopleRows
from notifier.app.bell import Bell

OURS = ("brand.changed.v1", "client.changed.v1")


class ConfigHandler:
    """Applies changes of brands and clients; then facts that waited for them may be told."""

    def __init__(self, rows: PostgresPeopleRows, bell: Bell) -> None:
        self._rows, self._bell = rows, bell

    async def __call__(self, entries: list[Entry]) -> None:
        """One batch, one transaction."""
        ours = [e.event for e in entries if e.event.type in OURS]
        if ours:
            await self._rows.apply([(event.brand_id, event.read(EntityChanged)) for event in ours])
            self._bell.ring()
