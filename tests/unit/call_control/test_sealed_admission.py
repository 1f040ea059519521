"""The event of an admission is written by hand: it must be what the envelope's own encoder would write."""

from __future__ import annotations

import msgspec
from call_control.adapters.call_events import PRODUCER, sealed_admission
from landline.contracts.call_control.events import CallAdmitted
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
