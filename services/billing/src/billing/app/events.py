"""Billing's events, into the outbox of the transaction that made them."""

from __future__ import annotations

from collections.abc import Sequence

from landline.contracts import streams
from landline.contracts.billing.events import CallRecordRated, PostingMade
from landline.contracts.envelope import Event, seal

from billing.app.connection import Connection
from billing.domain.ledger import Posting

# One statement for any number of events: a batch of 200 calls sends 400 of them.
_ADD = """
insert into outbox (stream, event)
select stream, event from unnest($1::text[], $2::bytea[]) with ordinality as e (stream, event, n) order by n
"""


async def send(conn: Connection, events: Sequence[tuple[str, bytes]]) -> None:
    """Hand sealed events to the outbox; they leave, in this order, once the transaction has committed."""
    if events:
        await conn.execute(_ADD, [stream for stream, _ in events], [event for _, event in events])


def sealed(
    stream: str,
    event: Event,
    now_ms: int,
    *,
    brand_id: str | None = None,
    client_id: str | None = None,
    call_id: str | None = None,
) -> tuple[str, bytes]:
    """An event of billing's in its envelope, with the stream it goes to."""
    return stream, seal(
        event, producer="billing", now_ms=now_ms, brand_id=brand_id, client_id=client_id, call_id=call_id
    )


def posting_made(posting: Posting, now_ms: int) -> tuple[str, bytes]:
    """`posting.made.v1`: by it call-control's copy of the balance follows the ledger."""
    new = posting.new
    event = PostingMade(
        client_id=new.client_id,
        sequence=posting.sequence,
        kind=new.kind,
        amount_micros=new.amount_micros,
        balance_after_micros=posting.balance_after_micros,
        call_id=new.call_id,
        operation_id=new.operation_id,
    )
    return sealed(
        streams.LEDGER,
        event,
        now_ms,
        brand_id=posting.brand_id,
        client_id=new.client_id,
        call_id=new.call_id,
    )


def record_rated(
    call_id: str, brand_id: str, client_id: str, price_micros: int | None, now_ms: int
) -> tuple[str, bytes]:
    """`call_record.rated.v1`."""
    event = CallRecordRated(call_id=call_id, price_micros=price_micros)
    return sealed(streams.BILLING, event, now_ms, brand_id=brand_id, client_id=client_id, call_id=call_id)
