"""What a rating plan may not be, said before it is stored rather than when a call is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from landline.rating.errors import InvalidTariff
from landline.rating.lookup import Plan, PlanEntry, Timing, check_plan
from landline.rating.tariff import DAY_S, EVERY_DAY, weekday_mask


def plan_of(plan: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Plan:
    """A plan's row and its entries' rows as the rating engine takes them."""
    return Plan(
        id=str(plan["id"]),
        version=plan["version"],
        currency=plan["currency"],
        timezone=plan["timezone"],
        entries=tuple(_entry(entry) for entry in entries),
        decimals=plan["decimals"],
        rounding=plan["rounding"],
    )


def problem_of(plan: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> InvalidTariff | None:
    """What is wrong with the plan as a whole, or None."""
    if not entries:
        return None
    try:
        check_plan(plan_of(plan, entries))
    except InvalidTariff as error:
        return error
    return None


def _entry(row: Mapping[str, Any]) -> PlanEntry:
    timed = any(row[part] is not None for part in ("weekdays", "time_in", "time_out"))
    return PlanEntry(str(row["rate_deck_id"]), row["weight"], _timing(row) if timed else None)


def _timing(row: Mapping[str, Any]) -> Timing:
    days = row["weekdays"]
    mask = EVERY_DAY if days is None else weekday_mask(*days)
    return Timing(mask, second_of(row["time_in"], 0), second_of(row["time_out"], DAY_S))


def second_of(text: str | None, default: int) -> int:
    """`HH:MM:SS` as the second of the day; 24:00:00 is the day's end."""
    if text is None:
        return default
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + seconds
