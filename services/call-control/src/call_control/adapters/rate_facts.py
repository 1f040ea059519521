"""Rating plans from their published JSON."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from landline.rating.lookup import Plan, PlanEntry, Timing
from landline.rating.tariff import DAY_S, EVERY_DAY, weekday_mask


def plan_of(plan_id: str, row: Mapping[str, Any]) -> Plan:
    """A rating plan of `rating_plan.published.v1`."""
    return Plan(
        id=plan_id,
        version=row["version"],
        currency=row["currency"],
        timezone=row["timezone"],
        entries=tuple(_entry(each) for each in row["entries"]),
        decimals=row["decimals"],
        rounding=row["rounding"],
    )


def _entry(row: Mapping[str, Any]) -> PlanEntry:
    timed = any(row.get(part) is not None for part in ("weekdays", "start", "end"))
    return PlanEntry(row["deck_id"], Decimal(str(row.get("weight", 0))), _timing(row) if timed else None)


def _timing(row: Mapping[str, Any]) -> Timing:
    days = row.get("weekdays")
    return Timing(
        weekdays=EVERY_DAY if days is None else weekday_mask(*days),
        start_s=_second(row.get("start"), 0),
        end_s=_second(row.get("end"), DAY_S),
    )


def _second(text: str | None, default: int) -> int:
    """`HH:MM:SS` as the second of the day; `00:00:00` as an end is the day's end."""
    if text is None:
        return default
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + seconds or default
