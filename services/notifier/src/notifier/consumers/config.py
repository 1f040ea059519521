"""Brands and clients of the `config` stream, kept as copies."""

from __future__ import annotations

from landline.chassis.streams import Entry
from landline.contracts.provisioning.events import EntityChanged, PasswordResetRequested

from notifier.adapters.people_rows import PostgresPeopleRows
from notifier.app.bell import Bell
from notifier.app.tell_resets import ResetTeller

OURS = ("brand.changed.v1", "client.changed.v1")


class ConfigHandler:
    """Applies changes of brands and clients; then facts that waited for them may be told.

    Who asked for a new password gets a mail, by `resets`.
    """

    def __init__(
        self,
        rows: PostgresPeopleRows,
        bell: Bell,
        resets: ResetTeller | None = None,
        mails: Bell | None = None,
    ) -> None:
        self._rows, self._bell, self._resets, self._mails = rows, bell, resets, mails

    async def __call__(self, entries: list[Entry]) -> None:
        """One batch, one transaction."""
        ours = [e.event for e in entries if e.event.type in OURS]
        if ours:
            await self._rows.apply([(event.brand_id, event.read(EntityChanged)) for event in ours])
            self._bell.ring()
        asked = [e.event for e in entries if e.event.type == PasswordResetRequested.TYPE]
        if asked and self._resets is not None and await self._resets.tell(asked) and self._mails:
            self._mails.ring()
