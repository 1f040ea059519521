"""Work in the background: how it stands, and what was wrong line by line."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from landline.chassis.resources import ApiModel, Resource, Rights, owned_by_brand
from sqlalchemy import Column, DateTime, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.api.schema import METADATA

TABLE = Table(
    "jobs",
    METADATA,
    *owned_by_brand(),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("rows_total", Integer),
    Column("error_count", Integer, nullable=False),
    Column("errors", JSONB, nullable=False),
    Column("result", JSONB),
    Column("finished_at", DateTime(timezone=True)),
)


class JobRead(ApiModel):
    """`errors`: line (from 1), field, code, message; the first 1,000. `result` once it is done."""

    kind: str
    state: Literal["queued", "running", "done", "failed"]
    rows_done: int
    rows_total: int | None
    error_count: int
    errors: list[dict[str, Any]]
    result: dict[str, Any] | None
    finished_at: datetime | None


class NothingToWrite(ApiModel):
    """Jobs are made by what they do."""


JOBS = Resource(
    name="jobs",
    entity="job",
    table=TABLE,
    fields=NothingToWrite,
    read_only=JobRead,
    tenancy="brand",
    rights=Rights("r", "r", ""),
    filters=("kind", "state"),
    default_sort="-created_at",
    about="Work in the background: state queued, running, done or failed.",
)
