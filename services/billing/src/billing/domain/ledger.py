"""The ledger's arithmetic (domain section 8): new postings in, numbered and balanced postings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from landline.kernel.money import MICROS

Kind = Literal["charge", "top_up", "adjustment", "refund", "transfer", "opening"]

MAX_BALANCE_MICROS: Final = 9 * 10**9 * MICROS  # what Redis' Lua still counts exactly (kernel.money)


class AccountUnknown(LookupError):
    """Money for a client that has no account."""


class CurrencyDiffers(ValueError):
    """Money of one currency for an account in another; there is no rate of exchange."""


class BalanceOutOfRange(ValueError):
    """The posting would take the balance beyond what every part of the system counts exactly."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where a client's ledger stands: its last sequence number and its balance."""

    client_id: str
    brand_id: str
    currency: str
    sequence: int = 0
    balance_micros: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPosting:
    """Money that shall move. `amount_micros` is signed: a charge is negative.

    Exactly once: a charge by its `call_id`, anything else by its `operation_id`.
    """

    client_id: str
    kind: Kind
    amount_micros: int
    currency: str
    author: str
    call_id: str | None = None
    operation_id: str | None = None
    reason: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of the ledger."""

    new: NewPosting
    brand_id: str
    sequence: int
    balance_after_micros: int


def extend(accounts: Mapping[str, Account], news: Iterable[NewPosting]) -> list[Posting]:
    """The postings in the order given, each client's numbered on from where its account stands.

    Raises AccountUnknown, CurrencyDiffers, BalanceOutOfRange; nothing of the batch stands then.
    """
    standing = dict(accounts)
    postings = []
    for new in news:
        account = standing.get(new.client_id)
        if account is None:
            raise AccountUnknown(new.client_id)
        posting = _follow(account, new)
        standing[new.client_id] = Account(
            account.client_id,
            account.brand_id,
            account.currency,
            posting.sequence,
            posting.balance_after_micros,
        )
        postings.append(posting)
    return postings


def _follow(account: Account, new: NewPosting) -> Posting:
    if new.currency != account.currency:
        raise CurrencyDiffers(f"{new.currency} on an account in {account.currency}")
    balance = account.balance_micros + new.amount_micros
    if abs(balance) > MAX_BALANCE_MICROS:
        raise BalanceOutOfRange(f"balance would be {balance} micros")
    return Posting(new, account.brand_id, account.sequence + 1, balance)
