"""Opening hours of a call filter: the wall clock of its zone says whether calls are let through. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Opening:
    """From `start_min` to `end_min` of the days (Monday = bit 0); over midnight when the end is not later."""

    weekdays: int
    start_min: int
    end_min: int

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether it is open then. What goes over midnight belongs to the day on which it began."""
        if self.start_min < self.end_min:
            return bool(self.weekdays >> weekday & 1) and self.start_min <= minute < self.end_min
        yesterday = (weekday - 1) % 7
        return (bool(self.weekdays >> weekday & 1) and minute >= self.start_min) or (
            bool(self.weekdays >> yesterday & 1) and minute < self.end_min
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """When a filter is open. No opening: always, but on the days that are closed."""

    openings: tuple[Opening, ...] = ()
    closed_on: frozenset[date] = frozenset()
    timezone: str = "UTC"

    def open_at(self, now_ms: int) -> bool:
        """Whether calls are let through at a moment."""
        if not self.openings and not self.closed_on:
            return True
        local = datetime.fromtimestamp(now_ms / 1000, _zone(self.timezone))
        if local.date() in self.closed_on:
            return False
        minute = local.hour * 60 + local.minute
        return not self.openings or any(each.holds(local.weekday(), minute) for each in self.openings)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # provisioning knows zones: only a damaged row comes here
        return ZoneInfo("UTC")
