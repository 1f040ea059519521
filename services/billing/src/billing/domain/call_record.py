"""A call record out of what call-control says at the call's end, and the check of its price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from landline.contracts.call_control.events import CallEnded
from landline.kernel.clock import utc
from landline.kernel.ids import CallId
from landline.kernel.money import to_decimal
from landline.rating import pinned
from landline.rating.errors import InvalidTariff, NoRate
from landline.rating.price import price_micros
from landline.rating.tariff import Tariff

ANONYMOUS: Final = "anonymous"
"""What a client reads of a caller who withholds (domain.md section 5)."""
PriceCheck = Literal["equal", "capped", "differs", "unreadable", "unpriced"]


class InvalidCall(ValueError):
    """A call's end that contradicts itself: it can be neither recorded nor charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call as it is kept; the names are the table's columns. Money in units, exact."""

    id: str
    id_time: datetime
    brand_id: str
    client_id: str
    device_id: str | None
    ddi_id: str | None
    direction: str
    endpoint_type: str
    caller: str
    callee: str
    class_: str
    billing_method: str
    currency: str
    timezone: str
    started_at: datetime
    admitted_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    duration_s: int
    price: Decimal | None
    price_check: PriceCheck
    unbilled_s: int
    unbilled_amount: Decimal
    spend_by_day: dict[str, int]
    tariff: str | None
    rating_plan_id: str | None
    rating_profile_id: str | None
    rate_deck_id: str | None
    rate_deck_version: int | None
    prefix: str | None
    destination: str | None
    carrier_id: str | None
    server_id: str | None
    attempts: list[dict[str, int | str | None]]
    cause: str
    ended_by: str
    sip_code: int | None
    sip_call_id: str | None
    edge_id: str | None
    outage: bool
    withheld_caller: str | None
    parent_call_id: str | None
    on_net: bool
    cost: Decimal | None


def uuid_time(value: str) -> datetime:
    """The moment inside a UUIDv7 (RFC 9562), the month of which is the row's partition."""
    return utc(UUID(value).int >> 80)


def record_of(ended: CallEnded) -> CallRecord:
    """The record of a call that has ended. Raises InvalidCall, NotACallId."""
    check_sense(ended)
    call, tariff = ended.call, readable_tariff(ended.call.tariff)
    return CallRecord(
        id=call.call_id,
        id_time=uuid_time(CallId.parse(call.call_id).uuid),
        brand_id=call.brand_id,
        client_id=call.client_id,
        device_id=call.device_id,
        ddi_id=call.ddi_id,
        direction=call.direction,
        endpoint_type=call.endpoint_type,
        caller=ANONYMOUS if call.hides_caller else call.caller,
        callee=call.callee,
        class_=call.class_,
        billing_method=call.billing_method,
        currency=call.currency,
        timezone=call.timezone,
        started_at=utc(ended.answered_at_ms or call.admitted_at_ms),
        admitted_at=utc(call.admitted_at_ms),
        answered_at=None if ended.answered_at_ms is None else utc(ended.answered_at_ms),
        ended_at=utc(ended.ended_at_ms),
        duration_s=ended.duration_s,
        price=to_decimal(ended.charge_micros) if call.tariff or ended.charge_micros else None,
        price_check=check_price(ended, tariff),
        unbilled_s=ended.unbilled_s,
        unbilled_amount=to_decimal(ended.unbilled_micros),
        spend_by_day=ended.spend_by_day,
        tariff=call.tariff,
        rating_plan_id=(tariff and tariff.plan_id) or None,
        rating_profile_id=(tariff and tariff.profile_id) or None,
        rate_deck_id=(tariff and tariff.deck_id) or None,
        rate_deck_version=tariff.deck_version if tariff else None,
        prefix=(tariff and tariff.prefix) or None,
        destination=(tariff and tariff.destination) or None,
        carrier_id=ended.carrier_id,
        server_id=ended.server_id,
        attempts=ended.attempts,
        cause=ended.cause,
        ended_by=ended.ended_by,
        sip_code=ended.sip_code,
        sip_call_id=call.sip_call_id,
        edge_id=call.edge_id,
        outage=call.outage,
        withheld_caller=call.caller if call.hides_caller else None,
        parent_call_id=call.parent_call_id,
        on_net=call.on_net,
        cost=Decimal(0) if call.on_net and call.direction == "outbound" else None,
    )


def check_sense(ended: CallEnded) -> None:
    """Raises InvalidCall for figures that no call can have.

    Days that don't sum to the charge are no reason to lose the money: `billing audit` lists them.
    """
    if min(ended.charge_micros, ended.duration_s, ended.unbilled_s, ended.unbilled_micros) < 0:
        raise InvalidCall("negative duration or money")
    if ended.charge_micros and (ended.answered_at_ms is None or not ended.duration_s):
        raise InvalidCall("a charge for a call that was not answered")


def check_price(ended: CallEnded, tariff: Tariff | None) -> PriceCheck:
    """Whether the charge is what the pinned tariff says (domain section 7).

    `capped`: less, and the call says that an overrun is not billed. The charge stands in any case: it is
    what call-control has counted against limits; a difference is for people to look at.
    """
    if tariff is None:
        return "unpriced" if not ended.call.tariff and not ended.charge_micros else "unreadable"
    if ended.answered_at_ms is None:
        return "equal" if ended.charge_micros == 0 else "differs"
    try:
        price = price_micros(tariff, ended.answered_at_ms / 1000, ended.duration_s)
    except NoRate:
        return "differs"
    if price == ended.charge_micros:
        return "equal"
    capped = ended.charge_micros < price and (ended.unbilled_s > 0 or ended.unbilled_micros > 0)
    return "capped" if capped else "differs"


@lru_cache(maxsize=2048)
def readable_tariff(text: str | None) -> Tariff | None:
    """The pinned tariff; None when there is none or it can't be read (the money still counts)."""
    try:
        return pinned.loads(text) if text else None
    except InvalidTariff:
        return None
