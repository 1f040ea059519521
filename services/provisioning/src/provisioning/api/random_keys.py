"""Keys of edges and integrators: made with their row, shown once, kept as prefix and hash (domain section 3).

A resource with a key takes `key_columns` into its table, `reset_key` into its (write-only) fields, `mint_key`
into its rules, `key_sha256` into its secret columns, and publishes `with_hash`.
"""

from __future__ import annotations

from typing import Any

from landline.chassis.api_keys import new_key
from landline.chassis.resources import Change, Row
from sqlalchemy import Column, Text


def key_columns() -> list[Column[Any]]:
    """What is kept of a key."""
    return [Column("key_prefix", Text, nullable=False), Column("key_sha256", Text, nullable=False)]


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
