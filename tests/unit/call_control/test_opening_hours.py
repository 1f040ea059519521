"""Opening hours by the wall clock of their zone."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from call_control.domain.opening import DAY_MIN, Hours, Opening

WEEK = 0b11111
OFFICE = Opening(WEEK, 9 * 60, 18 * 60)
NIGHT = Opening(1 << 4, 22 * 60, 6 * 60)  # from Friday 22:00 to Saturday 06:00


def at(text: str, zone: str = "Europe/Madrid") -> int:
    """Unix ms of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("opening", "moment", "is_open"),
    [
        (OFFICE, "2026-11-23T09:00", True),
        (OFFICE, "2026-11-23T08:59", False),
        (OFFICE, "2026-11-23T18:00", False),
        (OFFICE, "2026-11-22T12:00", False),  # a Sunday
        (NIGHT, "2026-11-27T22:00", True),
        (NIGHT, "2026-11-28T05:59", True),
        (NIGHT, "2026-11-28T06:00", False),
        (NIGHT, "2026-11-28T23:00", False),
        (Opening(WEEK, 0, DAY_MIN), "2026-11-23T23:59", True),
    ],
)
def test_an_opening_holds_from_its_start_to_before_its_end(
    opening: Opening, moment: str, is_open: bool
) -> None:
    """Over midnight it belongs to the day on which it began."""
    assert Hours((opening,), timezone="Europe/Madrid").open_at(at(moment)) is is_open


def test_no_hours_are_always_and_closed_days_are_closed() -> None:
    """A holiday closes from midnight to midnight where the filter's people live."""
    assert Hours().open_at(at("2026-11-23T03:00"))
    christmas = Hours(closed_on=frozenset({date(2026, 12, 25)}), timezone="Europe/Madrid")
    assert not christmas.open_at(at("2026-12-25T00:00"))
    assert not christmas.open_at(at("2026-12-25T23:59"))
    assert christmas.open_at(at("2026-12-26T00:00"))


def test_the_clock_may_be_put_back() -> None:
    """02:30 comes twice on 2026-10-25 in Madrid; both are open."""
    early = Hours((Opening(1 << 6, 2 * 60, 3 * 60),), timezone="Europe/Madrid")
    first = at("2026-10-25T02:30")
    assert early.open_at(first)
    assert early.open_at(first + 3_600_000)
    assert not early.open_at(first + 2 * 3_600_000)
