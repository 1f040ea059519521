"""Events of the `rates`, `ledger` and `billing` streams. Money in micros unless it says otherwise."""

from __future__ import annotations

from typing import Any, ClassVar

from landline.contracts.envelope import Event


class TariffPublished(Event, frozen=True, kw_only=True):
    """A version of a rate deck is ready to be fetched as a file (architecture 3.1)."""

    TYPE: ClassVar[str] = "tariff.published.v1"
    deck_id: str
    version: int
    rows: int
    sha256: str


class PlanPublished(Event, frozen=True, kw_only=True):
    """A rating plan: weighted, optionally timed rate decks."""

    TYPE: ClassVar[str] = "rating_plan.published.v1"
    plan_id: str
    version: int
    deleted: bool = False
    currency: str = "EUR"
    timezone: str = "UTC"
    decimals: int = 4
    rounding: str = "half_up"
    entries: list[
        dict[str, Any]
    ] = []  # {deck_id, weight, weekdays: [0..6]|null, start: "HH:MM:SS"|null, end}


class ProfilePublished(Event, frozen=True, kw_only=True):
    """A plan of a client (or carrier) from a moment on."""

    TYPE: ClassVar[str] = "rating_profile.published.v1"
    profile_id: str
    version: int
    deleted: bool = False
    client_id: str | None = None
    carrier_id: str | None = None
    plan_id: str = ""
    activation_at_ms: int = 0


class PostingMade(Event, frozen=True, kw_only=True):
    """One line of the ledger; `balance_after` is the truth that call-control's copy follows."""

    TYPE: ClassVar[str] = "posting.made.v1"
    client_id: str
    sequence: int
    kind: str  # charge | top_up | adjustment | refund | transfer | opening
    amount_micros: int
    balance_after_micros: int
    call_id: str | None = None
    operation_id: str | None = None


class CallRecordRated(Event, frozen=True, kw_only=True):
    """A call record was written."""

    TYPE: ClassVar[str] = "call_record.rated.v1"
    call_id: str
    price_micros: int | None
