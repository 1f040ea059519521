"""Which of two risk limits is tighter: pure rules (domain section 2, "risk limits, c may tighten")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIMITS = (
    "allowed_risk_classes",
    "price_cap_per_minute",
    "max_calls_per_minute",
    "spend_per_hour",
    "probation_days",
)
_UNLIMITED = float("inf")


def ceiling_of(field: str, operator: Mapping[str, Any], brand: Mapping[str, Any]) -> Any:
    """What the operator allows: its own value for the client, else the brand's; None: no limit."""
    own = operator.get(field)
    return brand.get(field) if own is None else own


def looser(field: str, value: Any, ceiling: Any) -> bool:
    """Whether a limit allows more than the ceiling does. Money in micros; 0 calls a minute: unlimited."""
    if ceiling is None or value is None:
        return False
    if field == "allowed_risk_classes":
        return not set(value) <= set(ceiling)
    if field == "max_calls_per_minute":
        return (value or _UNLIMITED) > (ceiling or _UNLIMITED)
    return bool(value < ceiling if field == "probation_days" else value > ceiling)
