"""Which window is in force at a moment, and until when. Local wall clock of the plan's zone.

Within a stretch of constant offset the next change is plain arithmetic; where the clock is put forward or
back before it, the jump itself counts as a change, and the caller asks again there. So days of 23 and 25 h
need no special case, and neither do zones that jump at midnight.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from landline.rating.errors import InvalidTariff, NoRate
from landline.rating.tariff import DAY_S, EVERY_DAY, Tariff, Window

NEVER: Final = 1 << 62


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone. Raises InvalidTariff for an unknown name (or a path, which zoneinfo would open)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidTariff("timezone", f"unknown zone: {name!r}") from None


def wall_clock(timezone: str, at_s: int) -> tuple[int, int]:
    """Weekday (Monday = 0) and second of the local day that the wall clock shows at an epoch second."""
    local = datetime.fromtimestamp(at_s, zone(timezone))
    return local.weekday(), local.hour * 3600 + local.minute * 60 + local.second


def in_force(window: Window, weekday: int, second: int) -> bool:
    return bool(window.weekdays >> weekday & 1) and window.start_s <= second < window.end_s


def window_at(tariff: Tariff, at_s: int) -> tuple[int, int]:
    """Index of the window in force at an epoch second, and the epoch second at which to ask again.

    Raises NoRate when none is: the plan leaves that moment uncovered.
    """
    if tariff.untimed:
        return 0, NEVER
    timezone = tariff.timezone or "UTC"
    weekday, second = wall_clock(timezone, at_s)
    active = [i for i, window in enumerate(tariff.windows) if in_force(window, weekday, second)]
    if not active:
        raise NoRate(f"no window of the plan covers weekday {weekday}, second {second} of the day")
    best = max(active, key=lambda i: (tariff.windows[i].weight, tariff.windows[i].start_s))
    return best, at_s + _until_change(zone(timezone), at_s, _next_edge(tariff.windows, second) - second)


def _next_edge(windows: Iterable[Window], second: int) -> int:
    edges = [edge for window in windows for edge in (window.start_s, window.end_s) if edge > second]
    return min(edges, default=DAY_S)


def _until_change(tz: ZoneInfo, at_s: int, wait_s: int) -> int:
    """`wait_s`, or less when the zone's offset changes before: then the seconds to that change."""
    offset = datetime.fromtimestamp(at_s, tz).utcoffset()
    if datetime.fromtimestamp(at_s + wait_s, tz).utcoffset() == offset:
        return wait_s
    same, changed = 0, wait_s
    while changed - same > 1:
        middle = (same + changed) // 2
        if datetime.fromtimestamp(at_s + middle, tz).utcoffset() == offset:
            same = middle
        else:
            changed = middle
    return changed


def covers_week(windows: Iterable[Window]) -> bool:
    """Whether some window is in force at every second of every weekday."""
    ordered = sorted(windows, key=lambda window: window.start_s)
    return all(_covered_until(ordered, day) == DAY_S for day in range(EVERY_DAY.bit_length()))


def _covered_until(ordered: list[Window], day: int) -> int:
    reached = 0
    for window in ordered:
        if window.weekdays >> day & 1 and window.start_s <= reached:
            reached = max(reached, window.end_s)
    return reached
