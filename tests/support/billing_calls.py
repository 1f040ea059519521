"""Calls as call-control reports their end, for billing's tests: a story in a few words each."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from landline.chassis.streams import Entry
from landline.contracts.call_control.events import CallCorrected, CallEnded, CallFacts
from landline.contracts.envelope import FIELD, Event, seal
from landline.contracts.streams import calls
from landline.kernel.ids import CallId, new_id
from landline.kernel.money import to_micros
from landline.rating import pinned
from landline.rating.tariff import Price, Tariff, Tier, always

# Yesterday at noon: what reconcile looks at must not depend on when the tests run.
NOW_MS = (int(time.time()) // 86_400 - 1) * 86_400_000 + 43_200_000
DAY = datetime.fromtimestamp(NOW_MS / 1000, UTC).date().isoformat()
MINUTE = Tariff("EUR", (always(Price.of("0.05", Tier.of(0, "0.10", 60))),), destination="Spain", prefix="+34")


@dataclass
class Client:
    """A client that calls. Ids are made up once per client."""

    client_id: str = field(default_factory=new_id)
    brand_id: str = field(default_factory=new_id)
    currency: str = "EUR"
    partition: int = 17

    def facts(self, call_id: str | None = None, **more: Any) -> CallFacts:
        """A call of this client, admitted at NOW_MS."""
        given: dict[str, Any] = {
            "call_id": call_id or str(CallId.new(self.partition, NOW_MS)),
            "brand_id": self.brand_id,
            "client_id": self.client_id,
            "direction": "outbound",
            "caller": "+34944048182",
            "callee": "+34600123123",
            "billing_method": "prepaid",
            "currency": self.currency,
            "timezone": "Europe/Madrid",
            "admitted_at_ms": NOW_MS,
            "tariff": pinned.dumps(MINUTE),
        }
        return CallFacts(**(given | more))

    def ended(self, duration_s: int = 60, charge: str = "0.15", **more: Any) -> CallEnded:
        """An answered call of one minute for 0.15, unless told otherwise; duration 0: unanswered."""
        facts = {k: more.pop(k) for k in list(more) if k in CallFacts.__struct_fields__}
        answered = NOW_MS + 5_000 if duration_s else None
        micros = to_micros(charge)
        given: dict[str, Any] = {
            "call": self.facts(**facts),
            "ended_at_ms": NOW_MS + 5_000 + duration_s * 1000,
            "answered_at_ms": answered,
            "duration_s": duration_s,
            "charge_micros": micros,
            "spend_by_day": {DAY: micros} if micros else {},
        }
        return CallEnded(**(given | more))


def corrected(ended: CallEnded, duration_s: int, charge: str) -> CallCorrected:
    """The call was reported after all, with these totals."""
    micros = to_micros(charge)
    return CallCorrected(
        correction_id=new_id(),
        ended=msgspec.structs.replace(
            ended,
            answered_at_ms=NOW_MS + 5_000,
            duration_s=duration_s,
            charge_micros=micros,
            spend_by_day={DAY: micros},
            cause="normal",
        ),
    )


def sealed(event: Event) -> bytes:
    """An event in call-control's envelope."""
    call = event.ended.call if isinstance(event, CallCorrected) else getattr(event, "call", None)
    return seal(
        event,
        producer="call-control",
        now_ms=NOW_MS,
        event_id=new_id(),
        brand_id=call.brand_id if call else None,
        client_id=call.client_id if call else None,
        call_id=call.call_id if call else None,
    )


def entry(event: Event, entry_id: str = "1-1") -> Entry:
    """A stream entry that carries the event."""
    return Entry(calls(17), entry_id, {FIELD: sealed(event)})
