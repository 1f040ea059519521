"""The query parameters of `GET calls`, checked: what is wrong is named, all at once (contracts section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from landline.chassis.problems import FieldError, InvalidInput
from landline.chassis.resources.parameters import (
    DEFAULT_ROWS,
    MOST_ROWS,
    Wrong,
    limit_of,
    taken,
    true_or_false,
)
from landline.kernel.clock import to_ms

from call_control.app.list_calls import NotACursor, Place, parse_cursor
from call_control.domain.live_call import LiveCall, State

LONGEST: Final = 100
_STATES = frozenset({State.ADMITTED, State.RINGING, State.ANSWERED})
_FIELDS: Final[dict[str, Callable[[LiveCall], str | None]]] = {
    "brand_id": lambda call: call.facts.brand_id,
    "client_id": lambda call: call.facts.client_id,
    "device_id": lambda call: call.facts.device_id,
    "ddi_id": lambda call: call.facts.ddi_id,
    "edge_id": lambda call: call.facts.edge_id,
    "state": lambda call: call.state.value,
    "direction": lambda call: call.facts.direction,
    "class": lambda call: call.facts.class_,
    "billing_method": lambda call: call.facts.billing_method,
    "callee": lambda call: call.facts.callee,
}
NAMES: Final = (*_FIELDS, "caller", "admitted_at__gte", "admitted_at__lt")

_SAID: Final = {
    "limit": f"Calls per page, 1 to {MOST_ROWS}; {DEFAULT_ROWS} when left out.",
    "cursor": "`next_cursor` of the page before.",
    "sort": "`-admitted_at`, the only order.",
    "count": "`true`: tell the `total`, by client or brand alone.",
    "admitted_at__gte": "Calls admitted at this UTC time or later.",
    "admitted_at__lt": "Calls admitted before this UTC time.",
    "caller": "Calls that show exactly this caller, as the token may see it.",
}


@dataclass
class CallQuery:
    """What a list was asked for."""

    limit: int = DEFAULT_ROWS
    count: bool = False
    after: Place | None = None
    since_ms: int = 0
    before_ms: int | None = None
    equal: dict[str, str] = field(default_factory=dict)

    def wants(self, call: LiveCall, shown_caller: str) -> bool:
        """Whether a call passes. `shown_caller`: as who asks sees it, so that no filter reveals it."""
        if self.before_ms is not None and call.facts.admitted_at_ms >= self.before_ms:
            return False
        if (
            call.facts.admitted_at_ms < self.since_ms
            or self.equal.get("caller", shown_caller) != shown_caller
        ):
            return False
        return all(read(call) == self.equal[name] for name, read in _FIELDS.items() if name in self.equal)

    @property
    def counts_alone(self) -> bool:
        """Whether the counters know the total: nothing but brand and client is asked for."""
        return not self.since_ms and self.before_ms is None and self.equal.keys() <= {"brand_id", "client_id"}


def parse_query(params: Iterable[tuple[str, str]]) -> CallQuery:
    """Raises InvalidInput with everything that is wrong."""
    query = CallQuery()
    errors = taken(params, lambda name, value: _take(query, name, value))
    if query.count and not query.counts_alone:
        message = "the total is known by brand_id and client_id only"
        errors.append(FieldError("count", "not_countable", message))
    if errors:
        raise InvalidInput(errors)
    return query


def _take(query: CallQuery, name: str, value: str) -> None:
    if len(value) > LONGEST:
        raise Wrong("invalid_value", f"at most {LONGEST} characters")
    if name == "limit":
        query.limit = limit_of(value)
    elif name == "cursor":
        query.after = _cursor(value)
    elif name == "count":
        query.count = true_or_false(value)
    elif name == "sort":
        if value != "-admitted_at":
            raise Wrong("unknown_sort", "live calls are listed by -admitted_at")
    elif name == "admitted_at__gte":
        query.since_ms = _moment(value)
    elif name == "admitted_at__lt":
        query.before_ms = _moment(value)
    elif name == "state" and value not in _STATES:
        raise Wrong("invalid_value", "admitted, ringing or answered")
    elif name in _FIELDS or name == "caller":
        query.equal[name] = _uuid(value) if name.endswith("_id") else value
    else:
        raise Wrong("unknown_filter", "no such filter")


def _cursor(value: str) -> Place:
    try:
        return parse_cursor(value)
    except NotACursor:
        raise Wrong("invalid_cursor", "not a cursor of this list") from None


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise Wrong("invalid_value", "a UUID") from None


def _moment(value: str) -> int:
    try:
        return max(0, to_ms(datetime.fromisoformat(value.replace(" ", "+"))))
    except (ValueError, OverflowError):
        raise Wrong("invalid_value", "a UTC time such as 2026-11-22T21:00:00Z") from None


def described() -> list[dict[str, Any]]:
    """The parameters for OpenAPI."""
    names = {**_SAID, **{name: f"Calls with exactly this {name}." for name in NAMES if name not in _SAID}}
    place = {"in": "query", "required": False, "schema": {"type": "string"}}
    return [{"name": name, "description": said, **place} for name, said in names.items()]
