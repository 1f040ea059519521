"""Billing's tables as the resource kit reads them. The truth is in `migrations/sql`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from landline.chassis.resources import Micros, owned_by_brand
from landline.kernel.money import to_decimal, to_micros
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect

METADATA = MetaData()


class ExactAmount(Micros):
    """A `numeric(18, 6)` column of the ledger, seen by the kit as micros like any other money."""

    impl = Numeric(18, 6)  # type: ignore[assignment]
    cache_ok = True

    def process_bind_param(self, value: int | None, _dialect: Dialect) -> Any:
        """Micros to the exact amount."""
        return None if value is None else to_decimal(value)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> int | None:
        """The amount to micros."""
        return None if value is None else to_micros(Decimal(value))


def amount(name: str) -> Column[Any]:
    """Column `name` of the database, which the kit knows as `<name>_micros`."""
    return Column(name, ExactAmount, key=f"{name}_micros")


def _moment(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


CLIENTS = Table(
    "clients",
    METADATA,
    Column("client_id", Uuid, primary_key=True),
    Column("brand_id", Uuid),
    Column("currency", Text),
    Column("deleted", Boolean),
)

CARRIERS = Table(
    "carriers",
    METADATA,
    Column("carrier_id", Uuid, primary_key=True),
    Column("brand_id", Uuid),
    Column("currency", Text),
    Column("deleted", Boolean),
)

BRANDS = Table(
    "brands",
    METADATA,
    Column("brand_id", Uuid, primary_key=True),
    Column("currency", Text),
    Column("timezone", Text),
    Column("deleted", Boolean),
)

POSTINGS = Table(
    "postings",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("brand_id", Uuid),
    Column("client_id", Uuid),
    Column("sequence", BigInteger),
    Column("kind", Text),
    amount("amount"),
    amount("balance_after"),
    Column("call_id", Text, nullable=True),
    Column("operation_id", Text, nullable=True),
    Column("author", Text),
    Column("reason", Text, nullable=True),
    Column("version", Integer),
    _moment("created_at"),
    _moment("updated_at"),
)

RATE_DECKS = Table(
    "rate_decks",
    METADATA,
    *owned_by_brand(),
    Column("name", Text),
    Column("currency", Text),
    Column("deductible_connect_fee", Boolean),
    Column("published_version", Integer),
    Column("rows", Integer),
    _moment("published_at"),
)

PUBLISHED_RATES = Table(
    "published_rates",
    METADATA,
    *owned_by_brand(),
    Column("rate_deck_id", Uuid),
    Column("prefix", Text),
    Column("destination", Text),
    amount("connect_fee"),
    Column("rate_per_minute", Numeric),
    Column("increment_s", Integer),
    Column("tiers", ARRAY(BigInteger)),
)

RATING_PLANS = Table(
    "rating_plans",
    METADATA,
    *owned_by_brand(),
    Column("name", Text),
    Column("currency", Text),
    Column("timezone", Text),
    Column("decimals", SmallInteger),
    Column("rounding", Text),
)

PLAN_ENTRIES = Table(
    "rating_plan_entries",
    METADATA,
    *owned_by_brand(),
    Column("rating_plan_id", Uuid),
    Column("rate_deck_id", Uuid),
    Column("weight", Integer),
    Column("weekdays", ARRAY(SmallInteger)),
    Column("time_in", Text),
    Column("time_out", Text),
)

RATING_PROFILES = Table(
    "rating_profiles",
    METADATA,
    *owned_by_brand(),
    Column("client_id", Uuid, nullable=True),
    Column("carrier_id", Uuid, nullable=True),
    Column("rating_plan_id", Uuid),
    _moment("activation_time"),
)

JOBS = Table(
    "jobs",
    METADATA,
    *owned_by_brand(),
    Column("kind", Text),
    Column("rate_deck_id", Uuid),
    Column("state", Text),
    Column("stage", Text),
    Column("rows_done", Integer),
    Column("rows_total", Integer),
    Column("error_count", Integer),
    Column("errors", JSONB),
    Column("result", JSONB),
    _moment("finished_at"),
)

CALL_RECORDS = Table(
    "call_records",
    METADATA,
    Column("id", Text, primary_key=True),
    _moment("id_time"),
    Column("brand_id", Uuid),
    Column("client_id", Uuid),
    Column("device_id", Uuid, nullable=True),
    Column("ddi_id", Uuid, nullable=True),
    Column("direction", Text),
    Column("endpoint_type", Text),
    Column("caller", Text),
    Column("callee", Text),
    Column("class", Text),
    Column("billing_method", Text),
    Column("currency", Text),
    Column("timezone", Text),
    _moment("started_at"),
    _moment("admitted_at"),
    _moment("answered_at"),
    _moment("ended_at"),
    Column("duration_s", Integer),
    amount("price"),
    Column("price_check", Text),
    Column("unbilled_s", Integer),
    amount("unbilled_amount"),
    Column("spend_by_day", JSONB),
    amount("cost"),
    Column("rating_plan_id", Uuid, nullable=True),
    Column("rating_profile_id", Uuid, nullable=True),
    Column("rate_deck_id", Uuid, nullable=True),
    Column("rate_deck_version", Integer, nullable=True),
    Column("prefix", Text, nullable=True),
    Column("destination", Text, nullable=True),
    Column("carrier_id", Uuid, nullable=True),
    Column("server_id", Uuid, nullable=True),
    Column("attempts", JSONB),
    Column("cause", Text),
    Column("ended_by", Text),
    Column("sip_code", Integer, nullable=True),
    Column("sip_call_id", Text, nullable=True),
    Column("edge_id", Uuid, nullable=True),
    Column("outage", Boolean),
    Column("corrected", Boolean),
    Column("invoice_id", Uuid, nullable=True),
    Column("version", Integer),
    _moment("created_at"),
    _moment("updated_at"),
)
