"""Events written by hand must be what the envelope's own encoder would write."""

from __future__ import annotations

import msgspec
from call_control.adapters.call_events import PRODUCER, SPEND_PLACEHOLDER, sealed_admission, thresholds
from call_control.domain.live_call import Terms
from call_control.domain.local_day import local_day
from landline.contracts.call_control.events import CallAdmitted, DailyUsageCrossed
from landline.contracts.envelope import seal, unseal

from tests.support.calls import facts

NOON_MS = 1_790_000_000_123


def test_the_event_by_hand_is_the_event_that_the_encoder_writes() -> None:
    """A field more in the envelope, or in another order of types, must not pass here unseen."""
    call = facts(17, caller='+34"quoted\\')
    by_hand = sealed_admission(call, msgspec.json.encode(call), 600_000, NOON_MS)
    read = unseal(by_hand)
    event = CallAdmitted(call=call, held_micros=600_000)
    by_encoder = seal(
        event,
        producer=PRODUCER,
        now_ms=NOON_MS,
        brand_id=call.brand_id,
        client_id=call.client_id,
        call_id=call.call_id,
        event_id=read.id,
    )
    assert by_hand == by_encoder
    assert read.read(CallAdmitted) == event


def test_the_template_of_a_crossing_is_the_event_that_the_encoder_writes() -> None:
    """But for percent and spend, which the script puts in (each status test of the scripts reads them)."""
    call, terms = facts(17), Terms(limit_micros=1_000_001, thresholds=(80,))
    today = local_day(NOON_MS, call.timezone)
    template, *pairs = thresholds(terms, call, today, NOON_MS)
    assert pairs == [80, 800_001, 100, 1_000_001]
    assert isinstance(template, bytes)
    event = DailyUsageCrossed(
        day=today.name,
        threshold=0,
        limit_micros=1_000_001,
        spend_micros=SPEND_PLACEHOLDER,
        currency=call.currency,
    )
    by_encoder = seal(
        event,
        producer=PRODUCER,
        now_ms=NOON_MS,
        brand_id=call.brand_id,
        client_id=call.client_id,
        event_id=unseal(template).id,
    )
    assert template == by_encoder
    assert unseal(template).id.endswith("000")
