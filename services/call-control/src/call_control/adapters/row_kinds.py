"""Rows of a hash of the read model, told apart by their field: `device:<id>`, `rule:<id>`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Row = Mapping[str, Any]
Rows = Mapping[str, Row]


def row_of(value: bytes | None) -> dict[str, Any] | None:
    """The row as published in one value of the read model; None for a tombstone, or where nothing is."""
    found: dict[str, Any] | None = None if value is None else msgspec.json.decode(value)["d"]
    return found


def of_kind(rows: Rows, kind: str) -> list[tuple[str, Row]]:
    """The rows of one kind of a hash: `device:<id>` -> (id, row), oldest id first."""
    prefix = f"{kind}:"
    return sorted((field[len(prefix) :], row) for field, row in rows.items() if field.startswith(prefix))
