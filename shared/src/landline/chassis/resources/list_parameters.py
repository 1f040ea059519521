"""The query parameters of a list, for OpenAPI; they are parsed by `listing`."""

from __future__ import annotations

from typing import Any

from landline.chassis.resources.declaration import Resource
from landline.chassis.resources.filters import MOST_IN_LIST, operations
from landline.chassis.resources.listing import filterable, sortable
from landline.chassis.resources.parameters import DEFAULT_ROWS, MOST_ROWS

_ABOUT = {
    "gte": "at least",
    "gt": "more than",
    "lte": "at most",
    "lt": "less than",
    "in": f"any of these: up to {MOST_IN_LIST}, with commas between them",
    "contains": "has this text in it, in capitals or not",
    "isnull": "true: has no value; false: has one",
}


def list_parameters(resource: Resource) -> list[dict[str, Any]]:
    """Paging, order, and each filter with its operations."""
    text = {"type": "string"}
    sorts = ", ".join(sortable(resource))
    found = [
        _parameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_ROWS},
            "rows per page",
        ),
        _parameter("cursor", text, "the next_cursor of the page before"),
        _parameter("sort", text, f"one or more of: {sorts}; a minus in front turns it round"),
        _parameter(
            "count",
            {"type": "boolean", "default": False},
            "also answer the total: exact up to 100,000, above that an estimate (total_estimated)",
        ),
    ]
    for name in filterable(resource):
        column = resource.column(name)
        assert column is not None, f"{resource.name}: no column for the filter {name}"
        found.append(_parameter(name, text, "equals"))
        for operation in operations(column):
            schema = {"type": "boolean"} if operation == "isnull" else text
            found.append(_parameter(f"{name}__{operation}", schema, _ABOUT[operation]))
    return found


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
