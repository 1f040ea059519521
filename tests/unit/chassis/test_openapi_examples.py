"""Examples in OpenAPI come from schemas: they must be what the schema takes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from landline.chassis.openapi_document import complete, operation_id
from landline.chassis.openapi_examples import example_of
from landline.chassis.openapi_patterns import text_of


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[*#][0-9]{1,3}$",
        r"^c?r?u?d?$",
        r"^(?:in|out)bound$",
        r"^[^@\s]{2,}x$",
        r"^\d{4}-\d\d$",
        r"^sips?:[A-Za-z0-9.:;=\[\]-]+$",
    ],
)
def test_a_pattern_gives_a_text_that_it_takes(pattern: str) -> None:
    """A field's example that its own pattern refuses would teach people a mistake."""
    assert re.search(pattern, text_of(pattern))


def test_a_pattern_beyond_the_generator_gives_nothing() -> None:
    """Look-around: the lint then asks for an example by hand."""
    assert text_of(r"^(?=a)(?!b)a$") == ""


DOCUMENT: dict[str, Any] = {
    "components": {"schemas": {"Row": {"type": "object", "properties": {"id": {"type": "string"}}}}}
}


@pytest.mark.parametrize(
    ("name", "schema", "value"),
    [
        ("kind", {"type": "string", "enum": ["in", "out"]}, "in"),
        ("country", {"type": "string", "pattern": "^[A-Z]{2}$"}, "ES"),
        ("country", {"type": "integer", "minimum": 7}, 7),
        ("x", {"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
        ("next_cursor", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("x", {"type": "array", "items": {"type": "string", "format": "date"}}, ["2026-11-22"]),
        ("x", {"type": "string", "examples": ["mine"]}, "mine"),
        ("x", {"$ref": "#/components/schemas/Row"}, {"id": "text"}),
    ],
)
def test_a_value_comes_from_the_schema_before_the_name(name: str, schema: Any, value: Any) -> None:
    """What the schema says itself goes first."""
    assert example_of(DOCUMENT, schema, whole=True, name=name) == value


def test_completing_a_document_twice_changes_nothing() -> None:
    """call-control adds its edge's operations after FastAPI's, and completes again."""
    operation: dict[str, Any] = {
        "operationId": "x",
        "tags": ["x"],
        "requestBody": {"content": {"application/json": {"schema": {"type": "string"}}}},
        "responses": {"200": {"description": "ok"}, "422": {"description": "FastAPI's own"}},
    }
    document = {"info": {}, "paths": {"/x": {"post": operation}}}
    once = str(complete(document))
    assert str(complete(document)) == once
    assert set(operation["responses"]) == {"200", "413", "415", "422", "503"}
    assert operation_id("list rating-plans") == "list_rating_plans"
