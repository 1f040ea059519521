"""Risk limits: a brand's defaults, a client's own, and what the client's people may do with them.

The operator's value of a client (null: the brand's) is the ceiling; the client's people may set the same
field tighter and take that back, never beyond the ceiling (domain section 2). `operator_limits` remembers
the ceilings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from landline.chassis.resources import ApiModel, Change, Micros, MoneyText
from landline.chassis.resources.field_types import unique_items
from landline.kernel.money import decimal_string, to_micros
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from sqlalchemy import ARRAY, Column, Integer, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.domain.risk_limits import LIMITS, ceiling_of, looser

RiskClass = Literal["normal", "special_rate", "high_risk"]
MONEY = ("price_cap_per_minute", "spend_per_hour")


def _with_normal(values: list[RiskClass]) -> list[RiskClass]:
    if "normal" not in values:
        raise PydanticCustomError("normal_required", "normal numbers are always allowed: list normal, too")
    return sorted(values)


RiskClasses = Annotated[
    list[RiskClass], Field(max_length=3), AfterValidator(unique_items), AfterValidator(_with_normal)
]
PerMinute = Annotated[
    int,
    Field(ge=0, le=1000, description="admitted calls in any 60 seconds, of a client; 0 = unlimited"),
]
ProbationDays = Annotated[
    int,
    Field(ge=0, le=365, description="so long a new client has half of calls per minute and spend per hour"),
]
PriceCap = Annotated[int, MoneyText(decimals=4, most="9999.9999")]
HourMoney = Annotated[int, MoneyText(decimals=2, most="999999.99")]


class BrandRiskFields(ApiModel):
    """What counts for a client that has nothing else; safe for a home out of the box."""

    allowed_risk_classes: RiskClasses = Field(
        ["normal", "special_rate"], description="high_risk numbers are refused unless listed"
    )
    price_cap_per_minute: PriceCap | None = Field(None, description="no minute may be dearer; null = no cap")
    max_calls_per_minute: PerMinute = 30
    spend_per_hour: HourMoney | None = Field(None, description="of a client; null = no limit")
    probation_days: ProbationDays = 7


class ClientRiskFields(ApiModel):
    """The same limits of one client. null: the brand's. The client's people may only tighten them."""

    allowed_risk_classes: RiskClasses | None = Field(
        None, description="kinds of destination it may call; null: the brand's"
    )
    price_cap_per_minute: PriceCap | None = Field(
        None, description="calls dearer than this a minute are refused; null: the brand's"
    )
    max_calls_per_minute: PerMinute | None = Field(
        None, description="calls placed in any 60 seconds; 0 = unlimited, null: the brand's"
    )
    spend_per_hour: HourMoney | None = Field(
        None, description="most that it may spend in an hour; null: the brand's"
    )
    probation_days: ProbationDays | None = Field(
        None,
        description="days from its creation at half of these two limits; null: the brand's",
    )


class OperatorLimits(ApiModel):
    """What is only read."""

    operator_limits: dict[str, Any] = Field(description="the ceilings that the operator has set")


def risk_columns(*, nullable: bool) -> list[Column[Any]]:
    """The columns of the limits."""
    return [
        Column("allowed_risk_classes", ARRAY(Text), nullable=nullable),
        Column("price_cap_per_minute_micros", Micros),
        Column("max_calls_per_minute", Integer, nullable=nullable),
        Column("spend_per_hour_micros", Micros),
        Column("probation_days", SmallInteger, nullable=nullable),
    ]


def operator_column() -> Column[Any]:
    """Where a client's ceilings are kept."""
    return Column("operator_limits", JSONB, nullable=False)


async def tighten_only(change: Change) -> None:
    """The operator's values become ceilings; the client's people stay below them, null goes back to them."""
    if change.action == "d":
        return
    operator = dict(change.old["operator_limits"]) if change.old is not None else {}
    named = [field for field in LIMITS if change.action == "c" or field in change.sent]
    if change.principal.level == "client":
        await _stay_below(change, named, operator)
    else:
        operator |= {field: _told(field, change.new[_column(field)]) for field in named}
    change.new["operator_limits"] = operator


async def _stay_below(change: Change, named: list[str], operator: dict[str, Any]) -> None:
    brand = await change.find("brands", change.new["brand_id"])
    defaults = {} if brand is None else {field: brand[_column(field)] for field in LIMITS}
    own = {field: _kept(field, value) for field, value in operator.items()}
    for field in named:
        column = _column(field)
        if change.new[column] is None:
            change.new[column] = own.get(field)
        ceiling = ceiling_of(field, own, defaults)
        if looser(field, change.new[column], ceiling):
            change.refuse(field, "only_tighter", f"your operator allows {_told(field, ceiling)}: not more")


def _column(field: str) -> str:
    return f"{field}_micros" if field in MONEY else field


def _told(field: str, value: Any) -> Any:
    return decimal_string(value) if field in MONEY and value is not None else value


def _kept(field: str, value: Any) -> Any:
    return to_micros(value) if field in MONEY and value is not None else value
