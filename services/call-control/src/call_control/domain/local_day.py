"""The client's local day: the name of the daily usage counter (domain.md section 6, architecture section 3).

Nothing runs at midnight: the counter's key is the date. A day has 23, 24 or 25 hours, as its zone says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

KEPT_AFTER_MS = 72 * 3_600_000
_SLICE_MS = 900_000  # no zone changes its offset, and no day begins, off the quarter of an hour
_LEAST_TTL_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A calendar day in a zone. `name`: ISO date; `end_ms`: the first millisecond of the next day."""

    name: str
    end_ms: int

    def ttl_ms(self, now_ms: int) -> int:
        """How long its counter is kept from now: until 72 h after its end; an old day at least an hour."""
        return max(_LEAST_TTL_MS, self.end_ms + KEPT_AFTER_MS - now_ms)


def local_day(now_ms: int, timezone: str) -> LocalDay:
    """The day at a moment. Raises zoneinfo.ZoneInfoNotFoundError for an unknown zone."""
    return _at(now_ms // _SLICE_MS, timezone)


def named_day(name: str, timezone: str) -> LocalDay:
    """The day of an ISO date."""
    return _of(date.fromisoformat(name), timezone)


@lru_cache(maxsize=4096)
def _at(slice_number: int, timezone: str) -> LocalDay:
    moment = datetime.fromtimestamp(slice_number * _SLICE_MS / 1000, ZoneInfo(timezone))
    return _of(moment.date(), timezone)


@lru_cache(maxsize=1024)
def _of(day: date, timezone: str) -> LocalDay:
    end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone))
    return LocalDay(day.isoformat(), round(end.timestamp() * 1000))
