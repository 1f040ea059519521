"""Posting to the ledger: many postings in one go, each exactly once, each client's in one unbroken line."""

from __future__ import annotations

from collections.abc import Sequence

from landline.kernel.clock import utc
from landline.kernel.ids import new_id
from landline.kernel.money import to_decimal, to_micros

from billing.app import events
from billing.app.connection import Connection
from billing.domain.ledger import Account, NewPosting, Posting, extend

# In id order, so that two batches with the same clients wait for each other instead of deadlocking.
_LOCK = """
select client_id::text, brand_id::text, currency, last_sequence, balance
  from accounts where client_id = any($1::uuid[]) order by client_id for update
"""

# Asked after the lock: whoever posted the same call or operation before us has committed by then.
_POSTED = """
select call_id as id from postings where kind = 'charge' and call_id = any($1::text[])
 union all
select operation_id from postings where operation_id = any($2::text[])
"""

_INSERT = """
insert into postings (id, client_id, brand_id, sequence, kind, amount, balance_after, call_id, operation_id,
                      author, reason, idempotency_key, created_at)
select *, $13::timestamptz
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::numeric[], $7::numeric[],
              $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
"""


async def post(conn: Connection, news: Sequence[NewPosting], now_ms: int) -> list[Posting]:
    """Post what is not yet posted, publish each posting, and return those made now.

    Accounts must exist. Raises what `domain.ledger.extend` raises; the transaction must then be rolled back.
    """
    if not news:
        return []
    accounts = await lock_accounts(conn, {new.client_id for new in news})
    postings = extend(accounts, await _not_posted(conn, news))
    await _insert(conn, postings, now_ms)
    await events.send(conn, [events.posting_made(posting, now_ms) for posting in postings])
    return postings


async def lock_accounts(conn: Connection, client_ids: set[str]) -> dict[str, Account]:
    """The accounts that exist, locked until the transaction ends."""
    rows = await conn.fetch(_LOCK, sorted(client_ids))
    return {
        row["client_id"]: Account(
            row["client_id"],
            row["brand_id"],
            row["currency"],
            row["last_sequence"],
            to_micros(row["balance"]),
        )
        for row in rows
    }


async def _not_posted(conn: Connection, news: Sequence[NewPosting]) -> list[NewPosting]:
    """Those whose call or operation has no posting; of two with the same id in one batch, the first."""
    calls = [new.call_id for new in news if new.kind == "charge"]
    operations = [new.operation_id for new in news if new.operation_id]
    seen = {row["id"] for row in await conn.fetch(_POSTED, calls, operations)}
    fresh = []
    for new in news:
        key = new.operation_id or (new.call_id if new.kind == "charge" else None)
        if key is None or key not in seen:
            fresh.append(new)
            seen.add(key)
    return fresh


async def _insert(conn: Connection, postings: Sequence[Posting], now_ms: int) -> None:
    if not postings:
        return
    news = [posting.new for posting in postings]
    await conn.execute(
        _INSERT,
        sorted(new_id() for _ in postings),  # so that lists by time and id keep the order of the ledger
        [new.client_id for new in news],
        [posting.brand_id for posting in postings],
        [posting.sequence for posting in postings],
        [new.kind for new in news],
        [to_decimal(new.amount_micros) for new in news],
        [to_decimal(posting.balance_after_micros) for posting in postings],
        [new.call_id for new in news],
        [new.operation_id for new in news],
        [new.author for new in news],
        [new.reason for new in news],
        [new.idempotency_key for new in news],
        utc(now_ms),
    )
