"""Corrections: a call closed as lost was reported after all. The record gets the new totals, the ledger
the difference, once per correction id, whatever is redelivered and in whatever order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from landline.chassis.stream_consumer import NotYet
from landline.contracts.call_control.events import CallCorrected
from landline.kernel.clock import utc
from landline.kernel.money import to_micros

from billing.app import events
from billing.app.connection import Connection
from billing.app.post import post
from billing.domain.call_record import CallRecord, record_of
from billing.domain.ledger import NewPosting


class CallNotYetRecorded(NotYet):
    """The correction overtook the call's end, which still stands in the stream."""


_PRESENT = """
select price from call_records where id = $1 and id_time = $2 for update
"""

_ONCE = """
insert into call_corrections (correction_id, brand_id, client_id, call_id, difference, applied_at)
values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning true
"""

_CHANGE = """
update call_records
   set price = $3, price_check = $4, answered_at = $5, ended_at = $6, started_at = $7, duration_s = $8,
       unbilled_s = $9, unbilled_amount = $10, spend_by_day = $11::text::jsonb, cause = $12, ended_by = $13,
       sip_code = $14, server_id = $15, carrier_id = $16, attempts = $17::text::jsonb, corrected = true,
       updated_at = $18, version = version + 1
 where id = $1 and id_time = $2
"""


async def correct_calls(conn: Connection, corrections: Sequence[CallCorrected], now_ms: int) -> int:
    """Apply those not yet applied; returns how many. Raises CallNotYetRecorded, InvalidCall."""
    applied = 0
    for correction in corrections:
        applied += await _correct(conn, correction.correction_id, record_of(correction.ended), now_ms)
    return applied


async def _correct(conn: Connection, correction_id: str, record: CallRecord, now_ms: int) -> bool:
    present = await conn.fetchrow(_PRESENT, record.id, record.id_time)
    if present is None:
        raise CallNotYetRecorded(f"the end of call {record.id} is not recorded yet")
    difference = (record.price or Decimal(0)) - (present["price"] or Decimal(0))
    owner = (record.brand_id, record.client_id, record.id)
    if not await conn.fetchval(_ONCE, correction_id, *owner, difference, utc(now_ms)):
        return False
    await _change(conn, record, now_ms)
    if difference:
        await post(conn, [_posting(correction_id, record, difference)], now_ms)
    price = None if record.price is None else to_micros(record.price)
    await events.send(
        conn, [events.record_rated(record.id, record.brand_id, record.client_id, price, now_ms)]
    )
    return True


def _posting(correction_id: str, record: CallRecord, difference: Decimal) -> NewPosting:
    return NewPosting(
        client_id=record.client_id,
        kind="adjustment",
        amount_micros=-to_micros(difference),
        currency=record.currency,
        author="system",
        call_id=record.id,
        operation_id=correction_id,
        reason="the call's end was reported late",
    )


async def _change(conn: Connection, record: CallRecord, now_ms: int) -> None:
    await conn.execute(
        _CHANGE,
        record.id,
        record.id_time,
        record.price,
        record.price_check,
        record.answered_at,
        record.ended_at,
        record.started_at,
        record.duration_s,
        record.unbilled_s,
        record.unbilled_amount,
        msgspec.json.encode(record.spend_by_day).decode(),
        record.cause,
        record.ended_by,
        record.sip_code,
        record.server_id,
        record.carrier_id,
        msgspec.json.encode(record.attempts).decode(),
        utc(now_ms),
    )
