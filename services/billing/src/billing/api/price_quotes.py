"""`price-quotes`: what a call would cost, with every line of its price."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from landline.chassis.auth import Principal, right
from landline.chassis.idempotency import READ_HEADERS, Answer, once_reading
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Conflict, FieldError, Forbidden, InvalidInput, NotFound, responses
from landline.chassis.resources import ApiModel
from landline.chassis.resources.field_types import E164Number
from landline.kernel.clock import iso, to_ms
from landline.kernel.money import decimal_string, to_decimal
from landline.rating.errors import NoRate, NoRatingProfile
from landline.rating.price import Line
from landline.rating.tariff import Price
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from billing.adapters.deck_cache import DeckCache
from billing.api.details import DetailsOf
from billing.app.accounts import client_appears
from billing.app.quote import NoSuchPlan, Question, Quote, quote

router = APIRouter(tags=["price-quotes"], dependencies=[Depends(DetailsOf(needed=True))])
DAY_S = 86_400


class QuoteInput(ApiModel):
    """A call that might be made, by a client or by a plan."""

    client_id: UUID | None = Field(None, description="whose plan prices it; this or rating_plan_id")
    rating_plan_id: UUID | None = Field(None, description="the plan that prices it; this or client_id")
    number: E164Number = Field(description="who is called, in E.164")
    at: AwareDatetime | None = Field(None, description="start of the call; default: now")
    duration_s: int = Field(60, ge=0, le=DAY_S, description="seconds from the answer to the end")

    @model_validator(mode="after")
    def _one_party(self) -> QuoteInput:
        if (self.client_id is None) == (self.rating_plan_id is None):
            raise ValueError("exactly one of client_id and rating_plan_id")
        return self


class QuoteLine(BaseModel):
    """One line of a price. `amount` is exact; the sum is rounded once, as the plan says."""

    kind: str = Field(
        description="connect (the fee), usage, or minimum (what is missing to a deductible fee)"
    )
    from_s: int = Field(description="second of the call at which it begins")
    billed_s: int = Field(description="seconds charged, whole increments")
    increments: int = Field(description="how many increments were begun")
    increment_s: int | None = Field(description="seconds of an increment; null: no usage")
    rate_per_minute: str | None = Field(description="null: no usage")
    amount: str = Field(description="exact, not rounded")


class QuoteRead(BaseModel):
    """The price of the call and where it comes from."""

    price: str = Field(description="what the call would be charged, rounded as the plan says")
    currency: str = Field(description="ISO 4217; of all amounts")
    number: str = Field(description="who is called, in E.164")
    at: str = Field(description="start of the call")
    duration_s: int = Field(description="seconds asked for")
    billed_s: int = Field(description="seconds charged, whole increments")
    connect_fee: str = Field(description="by the price in force at second 0")
    destination: str = Field(description="name of the prefix")
    prefix: str = Field(description="the longest prefix that the number begins with")
    rating_plan_id: str = Field(description="the plan that prices it")
    rating_plan: str = Field(description="that plan's name")
    rating_profile_id: str | None = Field(
        description="the profile that gives the client this plan; null: asked by plan"
    )
    rate_deck_id: str = Field(description="the deck with the price")
    rate_deck_version: int = Field(description="the published version of the deck")
    lines: list[QuoteLine] = Field(description="how the price comes about")


@router.post(
    "/price-quotes",
    summary="Price a call",
    response_model=QuoteRead,
    responses=responses(401, 403, 404, 409, 422),
    openapi_extra=READ_HEADERS,
)
async def price_quote(
    request: Request, caller: Annotated[Principal, Depends(right("price-quotes", "r"))], body: QuoteInput
) -> Response:
    """Price a call. 409 `no_rating_profile` or `no_rate`: such a call would be refused."""
    if caller.level == "client" and str(body.client_id) != caller.client_id:
        raise Forbidden("a client may ask for its own prices", code="no_right")
    return await once_reading(request, caller, lambda: _quoted(request, caller, body))


async def _quoted(request: Request, caller: Principal, body: QuoteInput) -> Answer:
    db: Database = request.app.state.db
    decks: DeckCache = request.app.state.decks
    at_ms = request.app.state.settings.clock.now_ms() if body.at is None else to_ms(body.at)
    if body.client_id and await client_appears(db, Scope.of(caller), body.client_id) is None:
        raise NotFound("no such client")
    question = Question(body.client_id, body.rating_plan_id, body.number, at_ms / 1000, body.duration_s)
    try:
        async with db.asyncpg(Scope.of(caller)) as conn:
            found = await quote(conn, question, decks.current)
    except NoSuchPlan:
        raise InvalidInput([FieldError("rating_plan_id", "not_found", "no such rating plan")]) from None
    except (NoRate, NoRatingProfile) as error:
        raise Conflict(error.code, str(error)) from None
    return Answer(200, _shown(found, question, at_ms))


def _shown(found: Quote, question: Question, at_ms: int) -> dict[str, Any]:
    tariff = found.tariff
    opening = tariff.windows[found.lines[0].window if found.lines else 0].price
    return {
        "price": decimal_string(found.price_micros),
        "currency": tariff.currency,
        "number": question.number,
        "at": iso(at_ms),
        "duration_s": question.duration_s,
        "billed_s": found.billed_s,
        "connect_fee": decimal_string(opening.connect_fee_micros),
        "destination": tariff.destination,
        "prefix": tariff.prefix,
        "rating_plan_id": tariff.plan_id,
        "rating_plan": found.plan_name,
        "rating_profile_id": tariff.profile_id or None,
        "rate_deck_id": tariff.deck_id,
        "rate_deck_version": tariff.deck_version,
        "lines": [_line(line, tariff.windows[line.window].price) for line in found.lines],
    }


def _line(line: Line, price: Price) -> dict[str, Any]:
    usage = line.kind == "usage"
    tier = price.tiers[line.tier]
    return {
        "kind": line.kind,
        "from_s": line.position_s,
        "billed_s": line.seconds,
        "increments": line.increments,
        "increment_s": tier.increment_s if usage else None,
        "rate_per_minute": _text(to_decimal(tier.rate_nanos) / 1000) if usage else None,
        "amount": _exact(line.amount),
    }


def _text(value: Decimal) -> str:
    plain = f"{value.normalize():f}"
    return plain if "." in plain else f"{plain}.00"


def _exact(amount: Fraction) -> str:
    """Up to 12 decimals: a line is exact where a decimal can say it."""
    return _text((Decimal(amount.numerator) / Decimal(amount.denominator)).quantize(Decimal(1).scaleb(-12)))
