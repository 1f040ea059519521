"""The client's local day, in zones that change their clocks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from call_control.domain.local_day import local_day, named_day

HOUR_MS = 3_600_000


def ms(text: str, zone: str) -> int:
    """A local time as Unix ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", "2026-03-29", 23),
        ("Europe/Madrid", "2026-10-25", 25),
        ("Europe/Madrid", "2026-11-22", 24),
        ("UTC", "2026-03-29", 24),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Kathmandu", "2026-01-01", 24),
    ],
)
def test_a_day_is_as_long_as_its_zone_says(zone: str, day: str, hours: float) -> None:
    """A counter reset an hour early gives the daily limit twice."""
    start, found = ms(f"{day}T00:00", zone), named_day(day, zone)
    assert found.end_ms - start == hours * HOUR_MS
    assert local_day(start, zone) == local_day(found.end_ms - 1, zone) == found
    assert local_day(start - 1, zone).name < day < local_day(found.end_ms, zone).name


def test_a_day_key_is_kept_72_hours_after_its_day() -> None:
    """Late ends and corrections still find it; an old day gets at least an hour."""
    day = named_day("2026-11-22", "UTC")
    assert day.ttl_ms(day.end_ms) == 72 * HOUR_MS
    assert day.ttl_ms(day.end_ms + 100 * HOUR_MS) == HOUR_MS
