"""Billing's tables, and views of them, as the resource kit reads them. The truth is in `migrations/sql`."""

from __future__ import annotations

from typing import Any

from landline.chassis.resources import Micros, owned_by_brand
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

METADATA = MetaData()


def _money(name: str) -> Column[Any]:
    return Column(f"{name}_micros", Micros)


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
    "posting_lines",
    METADATA,
    Column("id", Uuid, primary_key=True),
    Column("brand_id", Uuid),
    Column("client_id", Uuid),
    Column("sequence", BigInteger),
    Column("kind", Text),
    _money("amount"),
    _money("balance_after"),
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
    _money("connect_fee"),
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
    "record_lines",
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
    Column("withheld_caller", Text),
    Column("parent_call_id", Text),
    Column("on_net", Boolean),
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
    _money("price"),
    Column("price_check", Text),
    Column("unbilled_s", Integer),
    _money("unbilled_amount"),
    Column("spend_by_day", JSONB),
    _money("cost"),
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
