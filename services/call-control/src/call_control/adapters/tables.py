"""call-control's tables as the resource kit reads them; the migrations are their truth."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

_meta = MetaData()

REJECTIONS = Table(
    "rejections",
    _meta,
    Column("id", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("brand_id", Uuid),
    Column("client_id", Uuid),
    Column("attempt_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sip_code", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("limit", Text),
    Column("value", Text),
    Column("remedy", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("source_ip", Text),
    Column("device_id", Uuid),
    Column("caller", Text),
    Column("withheld_caller", Text),
    Column("callee", Text),
    Column("trace", JSONB, nullable=False),
)
