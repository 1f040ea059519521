"""Calls for tests of call-control: facts, terms, and a tariff that a child can compute."""

from __future__ import annotations

from typing import Any

from call_control.domain.lease import first_hold
from call_control.domain.live_call import Terms
from call_control.domain.replies import NewCall
from landline.contracts.call_control.events import CallFacts
from landline.kernel.ids import CallId, new_id
from landline.rating.pinned import dumps
from landline.rating.tariff import Price, Tariff, Tier, always

NOON_MS = 1_795_348_800_000  # 2026-11-22 12:00:00 UTC
EDGE = "edge-1"


def tariff(per_minute: str = "0.60", increment_s: int = 1, connect_fee: str = "0") -> Tariff:
    """0.01 a second, per second, unless told otherwise."""
    price = Price.of(connect_fee, Tier.of(0, per_minute, increment_s))
    return Tariff(currency="EUR", windows=(always(price),))


def facts(partition: int = 0, at_ms: int = NOON_MS, **changes: Any) -> CallFacts:
    """A prepaid outbound call of client-1 of brand-1; `changes` are fields of CallFacts."""
    given: dict[str, Any] = {
        "call_id": str(CallId.new(partition)),
        "brand_id": "brand-1",
        "client_id": "client-1",
        "direction": "outbound",
        "caller": "+34944048182",
        "callee": "+34600123123",
        "billing_method": "prepaid",
        "currency": "EUR",
        "timezone": "UTC",
        "admitted_at_ms": at_ms,
        "edge_id": EDGE,
        "tariff": dumps(tariff()),
        **changes,
    }
    return CallFacts(**given)


def new_call(partition: int = 0, at_ms: int = NOON_MS, terms: Terms | None = None, **changes: Any) -> NewCall:
    """An admission of such a call with its first hold. Fields of NewCall go there, others to the facts."""
    own = {name: changes.pop(name) for name in list(changes) if name in NewCall.__struct_fields__}
    base = own.pop("facts", None) or facts(partition, at_ms, **changes)
    pinned = terms or Terms(rule=base.billing_method)
    hold = {}
    if base.tariff is not None and "hold_micros" not in own:
        first = first_hold(tariff_of(base), at_ms, base.lease_s, base.cap_s, pinned.rule)
        hold = {
            "hold_micros": first.hold_micros,
            "floor_micros": first.floor_micros,
            "covered_s": first.covered_s,
        }
    attempt = own.pop("attempt_id", new_id())
    return NewCall(**{"facts": base, "attempt_id": attempt, "terms": pinned, "answer": b"{}", **hold, **own})


def tariff_of(base: CallFacts) -> Tariff:
    """The pinned tariff of the facts."""
    from landline.rating.pinned import loads

    assert base.tariff is not None
    return loads(base.tariff)
