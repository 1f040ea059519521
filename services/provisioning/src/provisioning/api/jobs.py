"""Work in the background: how it stands, and what was wrong line by line."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from landline.chassis.resources import ApiModel, Resource, Rights, owned_by_brand
from pydantic import Field
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

    kind: str = Field(description="what it does, such as an import of DDIs")
    state: Literal["queued", "running", "done", "failed"] = Field(description="done and failed are final")
    rows_done: int = Field(description="rows handled so far")
    rows_total: int | None = Field(description="rows in the file; null: not counted yet")
    error_count: int = Field(description="all errors, also those that errors leaves out")
    errors: list[dict[str, Any]] = Field(description="line (from 1), field, code, message; the first 1,000")
    result: dict[str, Any] | None = Field(description="what it made; null until it is done")
    finished_at: datetime | None = Field(description="null: not over yet")


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
