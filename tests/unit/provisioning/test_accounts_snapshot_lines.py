"""A snapshot's line and a config event of the same row must say the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from landline.chassis.resources import Resource, Row, changed_event
from provisioning.main import REGISTRY
from provisioning.snapshot import line_writer, published
from sqlalchemy import ARRAY, Boolean, Column, DateTime, Integer, Uuid
from sqlalchemy.dialects.postgresql import JSONB

NOW = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
SOME_ID = UUID("0190a000-0000-7000-8000-000000000001")


def filled(column: Column[Any]) -> Any:
    """A value that the column could hold."""
    kinds: list[tuple[type, Any]] = [
        (ARRAY, ["ES"]),
        (JSONB, {"a": [1, None]}),
        (Uuid, SOME_ID),
        (Boolean, True),
        (DateTime, NOW),
        (Integer, 10500000),
    ]
    known = next((value for kind, value in kinds if isinstance(column.type, kind)), None)
    return known if known is not None else 10500000 if "micros" in column.key else "text"


@pytest.mark.parametrize("resource", published(REGISTRY), ids=lambda r: r.name)
@pytest.mark.parametrize("empty", [False, True], ids=["filled", "empty"])
def test_a_line_carries_what_the_event_carries(resource: Resource, empty: bool) -> None:
    """Else a call would be decided otherwise after a rebuild than before it."""
    row: Row = {
        column.key: None if empty and column.nullable else filled(column) for column in resource.table.c
    }
    line = json.loads(line_writer(resource)(row))
    event = json.loads(msgspec.json.encode(changed_event(resource, dict(row)), enc_hook=str))
    assert {key: line[key] for key in ("entity", "entity_id", "entity_version", "data")} == {
        key: event[key] for key in ("entity", "entity_id", "entity_version", "data")
    }
