"""A rejected call as it is kept for people (promise 3): why, by which rule, and what they can do. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from landline.contracts.call_control.events import CallRejected
from landline.contracts.envelope import Envelope

from call_control.domain.denials import REASONS

ANONYMOUS: Final = "anonymous"
KEPT_DAYS: Final = 30
LONGEST_TEXT: Final = 500
_V6_HOME: Final = 64


@dataclass(frozen=True, slots=True)
class Rejection:
    """`caller` is what the called party may see; `withheld_caller`: the one who withholds, for operators."""

    id: UUID
    at_ms: int
    brand_id: UUID | None
    client_id: UUID | None
    event: CallRejected
    caller: str | None
    withheld_caller: str | None
    detail: str
    trace: list[dict[str, str]]


def rejection_of(envelope: Envelope) -> Rejection:
    """The rejection an event tells of. Raises ValueError for a damaged one."""
    event = envelope.read(CallRejected)
    hidden = event.caller if event.withheld else None

    def told(text: str) -> str:
        shown = text.replace(hidden, ANONYMOUS) if hidden else text
        return shown[:LONGEST_TEXT].replace("\x00", "")

    return Rejection(
        id=UUID(envelope.id),
        at_ms=event.at_ms,
        brand_id=_uuid(envelope.brand_id),
        client_id=_uuid(envelope.client_id),
        event=event,
        caller=ANONYMOUS if event.withheld else event.caller,
        withheld_caller=hidden,
        detail=told(event.detail),
        trace=[{name: told(text) for name, text in line.items()} for line in event.trace],
    )


ABOUT_MONEY: Final = frozenset(
    {
        "too_expensive",
        "hourly_limit_reached",
        "daily_limit_reached",
        "no_credit",
        "no_rating_profile",
        "no_rate",
        "rates_unavailable",
    }
)
"""Reasons whose figures and details say what calls cost, or by which plan."""


def as_client_sees(row: Mapping[str, Any], prices_hidden: bool) -> dict[str, Any]:
    """A kept rejection for the client's own people: by which carrier and plan is not theirs to know.

    With prices hidden, a refusal about money says so without its figures.
    """
    silent = prices_hidden and row["reason"] in ABOUT_MONEY
    trace = [
        line if line["outcome"] != "continue" and not silent else {**line, "detail": ""}
        for line in row["trace"]
    ]
    if not silent:
        return {**row, "trace": trace}
    told = REASONS[row["reason"]].sentence.partition(". ")[0] + "."
    return {**row, "trace": trace, "detail": told, "limit": None, "value": None}


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def subject_of(client_id: str | None, source_ip: str) -> str:
    """Whose rejections of a day are counted together: the client's, else the source's.

    An IPv6 source is its /64, which is what one customer has (RFC 6177): 2^64 counters would be no limit.
    """
    if client_id is not None:
        return client_id
    if ":" not in source_ip:
        return source_ip
    try:
        found = ipaddress.IPv6Address(source_ip.partition("%")[0])
    except ValueError:
        return source_ip
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _V6_HOME), strict=False))
