"""From rows as published to what an outbound call is judged by: routes, risks, barrings, limits, codes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from landline.kernel.money import to_micros
from landline.numbering.countries import calling_code
from landline.numbering.service_codes import DEFAULTS

from call_control.adapters.row_kinds import Row, Rows, of_kind
from call_control.domain.facts import Route
from call_control.domain.risk import Barring, RiskLimits, RiskRange


def money(value: str | None) -> int | None:
    """A decimal string as micros; None stays None."""
    return None if value is None else to_micros(value)


def risk_limits(row: Row) -> RiskLimits:
    """The limits that a brand's or client's row, or its operator's part, names."""
    classes = row.get("allowed_risk_classes")
    return RiskLimits(
        classes=None if classes is None else frozenset(classes),
        price_cap=money(row.get("price_cap_per_minute")),
        per_minute=row.get("max_calls_per_minute"),
        per_hour=money(row.get("spend_per_hour")),
        probation_days=row.get("probation_days"),
    )


def barrings(rows: Rows) -> Iterable[Barring]:
    """The barrings of a client that are switched on."""
    return (barring_facts(row) for _, row in of_kind(rows, "barring") if row.get("enabled", True))


def barring_facts(row: Row) -> Barring:
    """Numbers a client does not want called."""
    return Barring(
        name=row["name"],
        prefixes=tuple(row["prefixes"]),
        weekdays=frozenset(row.get("weekdays") or ()),
        from_minute=_minute(row.get("from_time")),
        to_minute=_minute(row.get("to_time")),
    )


def _minute(clock: str | None) -> int | None:
    return None if clock is None else int(clock[:2]) * 60 + int(clock[3:5])


def moment_ms(text: str | None) -> int | None:
    """A UTC time as published, in Unix ms."""
    return None if text is None else int(datetime.fromisoformat(text).timestamp() * 1000)


def service_codes(rows: Rows) -> dict[str, str]:
    """The default codes, but where the brand has set another one, or none."""
    codes: dict[str, str | None] = dict(DEFAULTS)
    for _, row in of_kind(rows, "code"):
        codes[row["service"]] = row["code"] if row.get("enabled", True) else None
    return {code: service for service, code in codes.items() if code is not None}


def risks(rows: Rows) -> list[RiskRange]:
    """The risk classes of the platform or of a brand."""
    return [
        RiskRange(row["prefix"], row["risk"], calling_code(row.get("country") or ""))
        for _, row in of_kind(rows, "risk")
    ]


def numbers(rows: Rows, kind: str) -> list[tuple[str, str | None]]:
    """Emergency or special numbers, each with its country or None."""
    return [(row["number"], row.get("country")) for _, row in of_kind(rows, kind)]


def routes_of(rows: Rows) -> tuple[Route, ...]:
    """The routes that are switched on, with the prefixes of their pattern or group."""
    patterns = {pattern_id: row["prefix"] for pattern_id, row in of_kind(rows, "pattern")}
    groups = {group_id: row["destination_pattern_ids"] for group_id, row in of_kind(rows, "group")}
    routes = []
    for route_id, row in of_kind(rows, "route"):
        if row.get("enabled", True):
            alone = [row.get("destination_pattern_id")]
            ids = groups.get(row.get("destination_pattern_group_id") or "", alone)
            prefixes = tuple(patterns[each] for each in ids if each in patterns)
            routes.append(_route(route_id, row, prefixes))
    return tuple(routes)


def _route(route_id: str, row: Row, prefixes: tuple[str, ...]) -> Route:
    carriers = row.get("carrier_ids") or ([row["carrier_id"]] if row.get("carrier_id") else [])
    return Route(
        id=route_id,
        prefixes=prefixes,
        mode=row.get("mode", "static"),
        kind=_route_kind(row.get("kind", "pattern")),
        client_id=row.get("client_id"),
        carrier_ids=tuple(carriers),
        priority=row.get("priority", 1),
        weight=row.get("weight") or 1,
        stopper=row.get("stopper", False) or row.get("mode") == "block",
        prefix=row.get("prefix") or "",
        force_clid=row.get("force_clid") or None,
        disable_diversion=row.get("disable_diversion", False),
    )


def _route_kind(kind: str) -> str:
    return kind if kind in ("fax", "emergency") else "call"
