"""What billing does when calls end: one record each, one charge where they cost something, exactly once.

One batch, one transaction. That a record exists means that its charge is posted, since both are written
together: a redelivered event finds the record and does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import msgspec
from landline.contracts.call_control.events import CallCorrected, CallEnded, CallFacts
from landline.kernel.clock import utc
from landline.kernel.money import to_micros

from billing.app import events
from billing.app.accounts import Party, ensure_accounts
from billing.app.connection import Connection
from billing.app.correct_calls import correct_calls
from billing.app.post import post
from billing.app.record_metrics import count_checks
from billing.domain.call_record import CallRecord, record_of
from billing.domain.ledger import NewPosting

COLUMNS = """id text, id_time timestamptz, brand_id uuid, client_id uuid, device_id uuid, ddi_id uuid,
    direction text, endpoint_type text, caller text, callee text, class text, billing_method text,
    currency text, timezone text, started_at timestamptz, admitted_at timestamptz, answered_at timestamptz,
    ended_at timestamptz, duration_s integer, price numeric, price_check text, unbilled_s integer,
    unbilled_amount numeric, spend_by_day jsonb, tariff text, rating_plan_id uuid, rating_profile_id uuid,
    rate_deck_id uuid, rate_deck_version integer, prefix text, destination text, carrier_id uuid,
    server_id uuid, attempts jsonb, cause text, ended_by text, sip_code integer,
    sip_call_id text, edge_id uuid,
    outage boolean, withheld_caller text, parent_call_id text, on_net boolean, cost numeric"""
_NAMES = ", ".join(column.split()[0] for column in COLUMNS.split(","))

# In id order: two consumers with the same calls (one was thought dead) wait instead of deadlocking.
_INSERT = f"""
insert into call_records ({_NAMES}, created_at, updated_at)
select r.*, $2, $2 from jsonb_to_recordset($1::text::jsonb) as r ({COLUMNS}) order by r.id
on conflict (id, id_time) do nothing
returning id
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch came to; repeated deliveries count as nothing."""

    records: int
    charges: int
    corrections: int


async def record_calls(
    conn: Connection, ends: Sequence[CallEnded], corrections: Sequence[CallCorrected], now_ms: int
) -> Recorded:
    """Record and charge calls that ended, then apply corrections. Money events; call it in system scope.

    Raises InvalidCall for an end that makes no sense, CallNotYetRecorded for a correction whose call's
    end is still on its way, CurrencyDiffers for a call in another currency than its client's account.
    """
    facts = [ended.call for ended in ends] + [correction.ended.call for correction in corrections]
    records: dict[str, CallRecord] = {}
    for record in map(record_of, ends):
        records.setdefault(record.id, record)
    await ensure_accounts(conn, [_party(call) for call in facts])
    inserted = await _insert(conn, list(records.values()), now_ms)
    new = [record for record in records.values() if record.id in inserted]
    charges = await post(conn, [_charge(record) for record in new if record.price], now_ms)
    await events.send(conn, [_rated(record, now_ms) for record in new])
    applied = await correct_calls(conn, corrections, now_ms)
    count_checks(new)
    return Recorded(len(new), len(charges), applied)


async def _insert(conn: Connection, records: Sequence[CallRecord], now_ms: int) -> set[str]:
    if not records:
        return set()
    rows = await conn.fetch(_INSERT, as_rows(records), utc(now_ms))
    return {row["id"] for row in rows}


def as_rows(records: Sequence[CallRecord]) -> str:
    """Records as the JSON that `jsonb_to_recordset` reads."""
    return msgspec.json.encode([_row(record) for record in records]).decode()


def _row(record: CallRecord) -> dict[str, Any]:
    row = asdict(record)
    row["class"] = row.pop("class_")
    return row


def _party(call: CallFacts) -> Party:
    return Party(call.client_id, call.brand_id, call.currency, call.timezone, call.billing_method)


def _charge(record: CallRecord) -> NewPosting:
    return NewPosting(
        client_id=record.client_id,
        kind="charge",
        amount_micros=-to_micros(record.price or Decimal(0)),
        currency=record.currency,
        author="system",
        call_id=record.id,
    )


def _rated(record: CallRecord, now_ms: int) -> tuple[str, bytes]:
    price = None if record.price is None else to_micros(record.price)
    return events.record_rated(record.id, record.brand_id, record.client_id, price, now_ms)
