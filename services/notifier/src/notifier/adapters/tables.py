"""notifier's tables as the resource kit reads them; the migrations are their truth."""

from __future__ import annotations

from landline.chassis.resources import owned_by_brand, owned_by_client
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

_meta = MetaData()

BRANDS = Table(
    "brands",
    _meta,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("language", Text),
    Column("country", Text),
    Column("template_ids", JSONB, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
CLIENTS = Table(
    "clients",
    _meta,
    Column("id", Uuid, primary_key=True),
    Column("brand_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", Text),
    Column("country", Text),
    Column("template_ids", JSONB, nullable=False),
    Column("deleted", Boolean, nullable=False),
)
TEMPLATES = Table(
    "notification_templates",
    _meta,
    *owned_by_brand(),
    Column("client_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("contents", JSONB, nullable=False),
)
NOTIFICATIONS = Table(
    "notifications",
    _meta,
    *owned_by_client(),
    Column("kind", Text, nullable=False),
    Column("fact_key", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("from_name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("first_attempt_at", DateTime(timezone=True)),
    Column("sent_at", DateTime(timezone=True)),
    Column("error", Text),
    Column("log", JSONB, nullable=False),
    Column("resend_of", Uuid),
)
