"""The events that scripts write, sealed beforehand: a script only adds what it alone knows."""

from __future__ import annotations

from landline.contracts.call_control.events import CallFacts, DailyUsageCrossed
from landline.contracts.envelope import Event, seal

from call_control.domain.live_call import Terms
from call_control.domain.local_day import LocalDay

PRODUCER = "call-control"
SPEND_PLACEHOLDER = 2**53 - 1  # _money.lua puts the day's spend in its place


def sealed(event: Event, facts: CallFacts, now_ms: int) -> bytes:
    """The event of a call in its envelope."""
    return seal(
        event,
        producer=PRODUCER,
        now_ms=now_ms,
        brand_id=facts.brand_id,
        client_id=facts.client_id,
        call_id=facts.call_id,
    )


def thresholds(terms: Terms, facts: CallFacts, day: LocalDay, now_ms: int) -> list[int | bytes]:
    """(percent, at_micros, event template) for each threshold of the day's limit; none without a limit.

    100 % is always among them. The event has no call_id: it is the day's, whichever call crossed it.
    """
    limit = terms.limit_micros
    if limit is None:
        return []
    row: list[int | bytes] = []
    for percent in sorted({*terms.thresholds, 100}):
        event = DailyUsageCrossed(
            day=day.name,
            threshold=percent,
            limit_micros=limit,
            spend_micros=SPEND_PLACEHOLDER,
            currency=facts.currency,
        )
        envelope = seal(
            event, producer=PRODUCER, now_ms=now_ms, brand_id=facts.brand_id, client_id=facts.client_id
        )
        row += [percent, -(-limit * percent // 100), envelope]
    return row
