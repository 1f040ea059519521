"""Plans and profiles on the `rates` stream: whole values with a growing version, tombstones included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from landline.contracts.billing.events import PlanPublished, ProfilePublished
from landline.kernel.clock import to_ms

END_OF_DAY = "24:00:00"


def plan_event(plan: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> PlanPublished:
    """A plan's row and its entries' rows as an event."""
    return PlanPublished(
        plan_id=str(plan["id"]),
        version=plan["version"],
        currency=plan["currency"],
        timezone=plan["timezone"],
        decimals=plan["decimals"],
        rounding=plan["rounding"],
        entries=[_entry(entry) for entry in entries],
    )


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    weekdays = entry["weekdays"]
    return {
        "deck_id": str(entry["rate_deck_id"]),
        "weight": entry["weight"],
        "weekdays": None if weekdays is None else list(weekdays),
        "start": entry["time_in"],
        "end": None if entry["time_out"] == END_OF_DAY else entry["time_out"],
    }


def profile_event(profile: Mapping[str, Any], *, deleted: bool = False) -> ProfilePublished:
    """A profile's row as an event."""
    client_id, carrier_id = profile["client_id"], profile["carrier_id"]
    return ProfilePublished(
        profile_id=str(profile["id"]),
        version=profile["version"],
        deleted=deleted,
        client_id=str(client_id) if client_id else None,
        carrier_id=str(carrier_id) if carrier_id else None,
        plan_id=str(profile["rating_plan_id"]),
        activation_at_ms=to_ms(profile["activation_time"]),
    )
