"""`daily_usage.crossed.v1` becomes a fact; the rest of the `calls` streams is none of our business."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from landline.chassis.streams import Entry
from landline.contracts.call_control.events import DailyUsageCrossed
from landline.contracts.envelope import Envelope
from landline.kernel.clock import Clock

from notifier.app.bell import Bell
from notifier.app.ports import Fact, FactRows
from notifier.domain.facts import daily_usage_key
from notifier.domain.kinds import DAILY_USAGE


class IncompleteEvent(ValueError):
    """The envelope lacks what every event of this type carries."""


class CallsHandler:
    """Notes facts. Idempotent by the fact's key, so any redelivery is free."""

    def __init__(self, rows: FactRows, clock: Clock, bell: Bell) -> None:
        self._rows, self._clock, self._bell = rows, clock, bell

    async def __call__(self, entries: list[Entry]) -> None:
        """One batch, one transaction."""
        facts = [crossed(e.event) for e in entries if e.event.type == DailyUsageCrossed.TYPE]
        if facts and await self._rows.note(facts, self._clock.now_ms()):
            self._bell.ring()


def crossed(event: Envelope) -> Fact:
    """The fact of a `daily_usage.crossed.v1`; ValueError when it is damaged."""
    data = event.read(DailyUsageCrossed)
    if event.brand_id is None or event.client_id is None:
        raise IncompleteEvent("daily_usage.crossed.v1 without brand or client")
    # Damaged values must fail here, as this entry's own fault, not later in the store's driver.
    brand_id, client_id = str(UUID(event.brand_id)), str(UUID(event.client_id))
    payload = {
        "day_iso": date.fromisoformat(data.day).isoformat(),
        "threshold": data.threshold,
        "limit_micros": data.limit_micros,
        "spend_micros": data.spend_micros,
        "currency": data.currency,
    }
    key = daily_usage_key(client_id, data.day, data.threshold)
    return Fact(key, DAILY_USAGE.name, brand_id, client_id, payload)
