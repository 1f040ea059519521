"""Consumer of the `calls` streams: `call.rejected.v1` becomes a row that people can read for 30 days.

Admissions bound what comes here: at most 1,000 a day of each client or source leave as events. A flood from
ever new sources is bounded once more, by what is kept of calls that no client could be found for.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from landline.chassis.streams import Entry
from landline.contracts.call_control.events import CallRejected
from landline.kernel.clock import utc
from prometheus_client import Counter

from call_control.adapters.rejection_rows import RejectionRows
from call_control.domain.rejection import Rejection, rejection_of

LINGER_S: Final = 0.5
"""Nobody waits for a rejection's row: fewer, larger reads leave Redis to the admissions."""
STRANGERS_PER_DAY: Final = 100_000
_MARK: Final = CallRejected.TYPE.encode()
KEPT = Counter("landline_rejections_kept_total", "Rejected calls written for people to read")
PASSED_OVER = Counter("landline_rejections_passed_over_total", "Rejected calls of strangers, only counted")


class RejectionsHandler:
    """Handler for a StreamConsumer: one batch, one statement, idempotent by the event's id."""

    def __init__(self, rows: RejectionRows, strangers_per_day: int = STRANGERS_PER_DAY) -> None:
        self._rows = rows
        self._most = strangers_per_day
        self._day: date | None = None
        self._strangers = 0

    async def __call__(self, entries: list[Entry]) -> None:
        """Keep what was rejected; the rest of the streams is none of its business."""
        events = (entry.event for entry in entries if _MARK in entry.fields.get(b"event", b""))
        found = [rejection_of(event) for event in events if event.type == CallRejected.TYPE]
        kept = [one for one in found if await self._is_kept(one)]
        if kept:
            await self._rows.keep(kept)
            KEPT.inc(len(kept))

    async def _is_kept(self, one: Rejection) -> bool:
        """A client's always; a stranger's while the day has room for it."""
        if one.client_id is not None:
            return True
        day = utc(one.at_ms).date()
        if day != self._day:
            self._day, self._strangers = day, await self._rows.without_client(day)
        self._strangers += 1
        if self._strangers <= self._most:
            return True
        PASSED_OVER.inc()
        return False
