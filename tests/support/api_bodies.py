"""Good request bodies made from schemas, so that tests need not know each resource by hand.

A value comes from the schema (const, enum, example, default, format), else from the field's name. References
(`<thing>_id`) are asked of whoever builds a body. Where a resource's rules want more than its schema says,
`EXTRA` says what: that is the place to complete when a test names a new resource.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

from landline.chassis.openapi_patterns import text_of

from tests.support.api_surface import Operation

Json = Any
Reference = Callable[[str], str | None]
"""From a field's name, such as `client_id`, to an id; None: unknown."""

_numbers = itertools.count(1)

# Field names whose meaning a schema does not tell. Called anew for each body: some must be unique.
BY_NAME: dict[str, Callable[[int], Any]] = {
    "name": lambda n: f"row{n}",
    "username": lambda n: f"user-{n}",
    "password": lambda n: "a good pass phrase 7",
    "sip_domain": lambda n: f"sip{n}.example.com",
    "number": lambda n: f"+3494405{n % 10_000:04d}",
    "country": lambda n: "ES",
    "currency": lambda n: "EUR",
    "timezone": lambda n: "Europe/Madrid",
    "language": lambda n: "es",
    "prefix": lambda n: f"+34{n}",
    "network": lambda n: f"192.0.{n // 250}.{n % 250}",
    "source_ip": lambda n: "203.0.113.7",
    "host": lambda n: f"198.51.{n // 250}.{n % 250}",
    "address": lambda n: f"192.0.{n // 250}.{n % 250}",
    "match": lambda n: f"^9{n}$",
    "regexp": lambda n: f"^9{n}$",
    "email": lambda n: f"who{n}@example.net",
    "kind": lambda n: "daily_usage",
    "url": lambda n: f"https://hooks.example.com/{n}",
    "activation_time": lambda n: f"2025-01-{n % 27 + 1:02d}T{n % 24:02d}:00:00Z",
    "amount": lambda n: "1.00",
    "reason": lambda n: "tests",
    "at": lambda n: "2026-11-22T21:00:00Z",
}

# What a resource's rules want beyond its schema; "{field}" is replaced by the reference of that name.
EXTRA: dict[str, Json] = {
    "provisioning/routes": {"mode": "static", "destination_pattern_id": "{destination_pattern_id}",
                            "carrier_id": "{carrier_id}"},
    "provisioning/transformation-rules": {"transformation_set_id": "{transformation_set_id}"},
    "provisioning/service-codes": {"code": "*{n}"},
    "provisioning/ddi-provider-registrations": {"domain": "provider{n}.example.com"},
    "billing/rating-profiles": {"client_id": "{client_id}"},
    "provisioning/ddis/bulk": {"first": "+349440{n}00"},
    "billing/price-quotes": {"client_id": "{client_id}", "number": "+34600123123"},
    "notifier/notification-templates": {"contents": {}},
    "provisioning/auth/impersonate": {"client_id": "{client_id}"},
}  # fmt: skip


def number() -> int:
    """The next number, for what must be unique."""
    return next(_numbers)


def good_body(operation: Operation, reference: Reference) -> dict[str, Any]:
    """A body that should pass; fields that may be absent are left out, but whose it is."""
    found = operation.body()
    assert found is not None, operation
    n, schema = number(), found[1]
    extra = filled(EXTRA.get(f"{operation.service}/{operation.below}", {}), n, reference)
    names = [*schema.get("required", []), *(f for f in ("brand_id", "client_id") if f in properties(schema))]
    body = {name: value_of(operation, name, properties(schema)[name], n, reference) for name in names}
    return {k: v for k, v in {**body, **extra}.items() if v is not None}


def completed(
    operation: Operation, body: dict[str, Any], refusal: Json, reference: Reference
) -> dict[str, Any] | None:
    """The body with the optional fields that a refusal asks for; None when it asks for nothing new."""
    found = operation.body()
    known = properties(found[1]) if found else {}
    asked = {str(e["field"]).split(".")[0] for e in refusal.get("errors", [])}
    fresh = {f: value_of(operation, f, known[f], number(), reference) for f in asked & set(known) - set(body)}
    return {**body, **fresh} if any(v is not None for v in fresh.values()) else None


def untaken(operation: Operation, body: dict[str, Any], refusal: Json) -> dict[str, Any] | None:
    """The body with another choice for what another row has already (409 `<field>_taken`), or without it."""
    found, name = operation.body(), str(refusal.get("code", "")).removesuffix("_taken")
    if found is None or name not in properties(found[1]) or "taken" not in str(refusal.get("code")):
        return None
    choices = _chosen(operation, properties(found[1])[name]).get("enum", [])
    later = choices[choices.index(body[name]) + 1 :] if body.get(name) in choices else choices[1:]
    if later:
        return {**body, name: later[0]}
    return {k: v for k, v in body.items() if k != name} if name in body else None


def properties(schema: Json) -> dict[str, Json]:
    """A schema's properties."""
    return dict(schema.get("properties", {}))


def filled(part: Json, n: int, reference: Reference) -> Json:
    """An EXTRA with its places filled."""
    if isinstance(part, dict):
        return {key: filled(value, n, reference) for key, value in part.items()}
    if isinstance(part, list):
        return [filled(value, n, reference) for value in part]
    if isinstance(part, str) and part.startswith("{") and part.endswith("_id}"):
        return reference(part[1:-1])
    return part.replace("{n}", str(n)) if isinstance(part, str) else part


def value_of(operation: Operation, name: str, schema: Json, n: int, reference: Reference) -> Any:
    """One field's value."""
    schema = _chosen(operation, schema)
    if name.endswith("_id"):
        return reference(name)
    if name.endswith("_ids"):
        known = reference(name.removesuffix("s"))
        return [known] if known else []
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if name in BY_NAME:
        return BY_NAME[name](n)
    if schema.get("examples"):
        return schema["examples"][0]
    return _plain(operation, schema, n, reference)


def _plain(operation: Operation, schema: Json, n: int, reference: Reference) -> Any:
    kind = schema.get("type")
    if kind == "object":
        needed = schema.get("required", [])
        return {k: value_of(operation, k, properties(schema)[k], n, reference) for k in needed}
    if kind == "array":
        item = value_of(operation, "", schema.get("items", {}), n, reference)
        return [item] * max(1, schema.get("minItems", 1))
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1))
    if kind == "boolean":
        return False
    if schema.get("format") == "uuid":
        return "00000000-0000-4000-8000-000000000000"
    if schema.get("format") == "date-time":
        return "2027-01-01T00:00:00Z"
    if schema.get("format") == "date":
        return "2026-11-01"
    plain = f"text{n}"
    return plain if re.search(schema.get("pattern", ""), plain) else text_of(schema["pattern"])


def _chosen(operation: Operation, schema: Json) -> Json:
    """The first part of a choice that is not null."""
    schema = operation.deref(schema)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            parts = [operation.deref(part) for part in schema[word]]
            return _chosen(operation, next(p for p in parts if p.get("type") != "null"))
    if len(schema.get("allOf", [])) == 1:
        return _chosen(operation, schema["allOf"][0])
    return schema


def id_places(operation: Operation, schema: Json, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a body may name other rows: paths to fields called `*_id`, `*_ids`, or of format uuid."""
    schema = _chosen(operation, schema)
    if schema.get("type") == "array":
        yield from id_places(operation, schema.get("items", {}), (*at, "0"))
        return
    if schema.get("format") == "uuid" and at:
        yield at
        return
    for name, part in properties(schema).items():
        if name.endswith("_id"):
            yield (*at, name)
        elif name.endswith("_ids"):
            yield (*at, name, "0")
        else:
            yield from id_places(operation, part, (*at, name))


def with_id(body: Json, place: tuple[str, ...], value: str) -> Json:
    """A copy of a body with an id set at a place; what is missing on the way there is made."""
    if not place:
        return value
    head, rest = place[0], place[1:]
    if head == "0":
        return [with_id(body[0] if isinstance(body, list) and body else None, rest, value)]
    known = dict(body) if isinstance(body, dict) else {}
    return {**known, head: with_id(known.get(head), rest, value)}
