"""Keys of edges and integrators: made with their row, shown once, kept as prefix and hash (domain section 3).

A resource with a key takes `key_columns` into its table, `KeyReadOnly` into what is only read, `reset_key`
into its (write-only) fields, `mint_key` into its rules, `key_sha256` into its secret columns, and publishes
`with_hash`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from landline.chassis.api_keys import new_key
from landline.chassis.resources import ApiModel, Change, Row
from pydantic import Field
from sqlalchemy import Column, DateTime, Text


def key_columns() -> list[Column[Any]]:
    """What is kept of a key. `last_used_at` is written by `accounts.key_uses` alone."""
    return [
        Column("key_prefix", Text, nullable=False),
        Column("key_sha256", Text, nullable=False),
        Column("last_used_at", DateTime(timezone=True)),
    ]


class KeyReadOnly(ApiModel):
    """What people see of a key."""

    key_prefix: str = Field(description="the readable part: `llk_<prefix>_...`")
    last_used_at: datetime | None = Field(
        description="to the minute, and no change of the row: its version stays; null: never"
    )


async def mint_key(change: Change) -> None:
    """A rule: a new row gets a key, one that asks for it a new one; the answer shows it as `key`, once."""
    wanted = change.action == "c" or getattr(change.given, "reset_key", False)
    if change.action != "d" and wanted:
        key = new_key()
        change.new |= {"key_prefix": key.prefix, "key_sha256": key.sha256}
        change.reveal["key"] = key.token


def with_hash(row: Row, data: Row) -> Row:
    """A row as verifiers read it: its fields, and the hash that a key is compared with."""
    return {**data, "key_sha256": row["key_sha256"]}
