"""An operator's hand on a balance: one posting per idempotency key, whoever asks how often at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from landline.kernel.ids import new_id
from landline.kernel.money import to_micros

from billing.app.connection import Connection
from billing.app.post import lock_accounts, post
from billing.domain.ledger import NewPosting, Posting

Reserve = Callable[[str, str, int], Awaitable[None]]
"""(client, operation, micros): holds the money against live calls, or raises."""


class NotTheSameOperation(ValueError):
    """The key was used before, with another amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Signed micros for a client; `key` names it for ever, within its client."""

    client_id: str
    amount_micros: int
    author: str
    reason: str
    key: str


_BEFORE = "select * from postings where client_id = $1 and idempotency_key = $2"


async def operate(
    conn: Connection, operation: Operation, now_ms: int, reserve: Reserve | None = None
) -> tuple[Posting, str, bool]:
    """The posting, the account's currency, and whether it is an old one found by the key.

    `reserve`: asked first, for an operation that may only take what live calls do not hold.

    The account's row is locked first: of two requests with one key the second finds the first's posting.
    Raises NotTheSameOperation, BalanceOutOfRange, LookupError without an account.
    """
    accounts = await lock_accounts(conn, {operation.client_id})
    account = accounts[operation.client_id]
    row = await conn.fetchrow(_BEFORE, operation.client_id, operation.key)
    if row is not None:
        return _same(row, operation, account.currency), account.currency, True
    operation_id = new_id()
    if reserve is not None:
        await reserve(operation.client_id, operation_id, -operation.amount_micros)
    new = NewPosting(
        client_id=operation.client_id,
        kind="top_up" if operation.amount_micros > 0 else "adjustment",
        amount_micros=operation.amount_micros,
        currency=account.currency,
        author=operation.author,
        operation_id=operation_id,
        reason=operation.reason,
        idempotency_key=operation.key,
    )
    (posting,) = await post(conn, [new], now_ms)
    return posting, account.currency, False


def _same(row: Any, operation: Operation, currency: str) -> Posting:
    if to_micros(row["amount"]) != operation.amount_micros:
        raise NotTheSameOperation(operation.key)
    new = NewPosting(
        client_id=operation.client_id,
        kind=row["kind"],
        amount_micros=operation.amount_micros,
        currency=currency,
        author=row["author"],
        operation_id=row["operation_id"],
        reason=row["reason"],
        idempotency_key=operation.key,
    )
    return Posting(new, str(row["brand_id"]), row["sequence"], to_micros(row["balance_after"]))
