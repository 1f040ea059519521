"""The columns every table of the kit has, for declarations and for migrations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, Integer, Uuid


def row_columns() -> list[Column[Any]]:
    """id, version, created_at, updated_at."""
    return [
        Column("id", Uuid, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
    ]


def owned_by_brand(*, shared: bool = False) -> list[Column[Any]]:
    """The row's columns and brand_id; shared: rows without a brand belong to the platform."""
    return [*row_columns(), Column("brand_id", Uuid, nullable=shared)]


def owned_by_client() -> list[Column[Any]]:
    """The row's columns, brand_id and client_id."""
    return [*owned_by_brand(), Column("client_id", Uuid, nullable=False)]
