"""Examples for OpenAPI, made from schemas: each request and answer shows what it looks like.

A value is, in this order: the schema's own example, its constant, first choice or default, what the field's
name stands for in our domain, or the plainest value of its type. A test validates every example.
"""

from __future__ import annotations

import re
from typing import Any

from landline.chassis.openapi_patterns import text_of

Json = Any

DEEPEST = 6
_UUID = "01a20500-0000-7000-8000-000000000001"

BY_NAME: dict[str, Any] = {
    "name": "Casa Garcia",
    "username": "garcia",
    "email": "ana@example.net",
    "address": "203.0.113.7",
    "password": "a good pass phrase 7",
    "current_password": "a good pass phrase 7",
    "new_password": "an even better phrase 8",
    "otp": "123456",
    "country": "ES",
    "currency": "EUR",
    "timezone": "Europe/Madrid",
    "language": "es",
    "sip_domain": "sip.brand.example",
    "domain": "sip.brand.example",
    "auth_realm": "sip.brand.example",
    "number": "+34944048182",
    "caller": "+34944048182",
    "callee": "+34600123123",
    "emergency_caller": "+34944048182",
    "prefix": "+346",
    "destination": "Spain mobile",
    "network": "203.0.113.0/24",
    "source_ip": "203.0.113.7",
    "ip": "203.0.113.7",
    "host": "198.51.100.9",
    "auth_user": "casa1",
    "user": "casa1",
    "call_id": "17-01a20500-0000-7000-8000-000000000005",
    "created_at": "2026-11-22T21:00:00.000000Z",
    "updated_at": "2026-11-22T21:00:00.000000Z",
    "at": "2026-11-22T21:00:00Z",
    "day": "2026-11-22",
    "amount": "12.50",
    "balance": "12.50",
    "available": "9.80",
    "held": "0.60",
    "price": "0.0612",
    "reason": "monthly payment",
    "match": "^0([1-9]\\d+)$",
    "replace": "+34\\1",
    "next_cursor": None,
    "code": "ES",
    "fact_key": "daily_usage:01a20500-0000-7000-8000-0000000000c1:2026-11-22:80",
    "message_id": "<01a20500-0000-7000-8000-000000000007@landline.example>",
    "access_token": "eyJhbGciOiJFZERTQSJ9...",
    "refresh_token": "llr_mZ8b0u...",
    "token": "llp_Yp3x0v...",
    "key_prefix": "5f2b8c1d",
}


def example_of(document: Json, schema: Json, *, whole: bool, name: str = "", depth: int = 0) -> Any:
    """An example of a schema. `whole`: all of an object's fields, as in an answer; else what is needed."""
    schema = chosen(document, schema, keep_null=name in BY_NAME and BY_NAME[name] is None)
    given = _given(schema, name)
    if given is not None:
        return given[0]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind == "object" or "properties" in schema:
        return _object(document, schema, whole, depth)
    if kind == "array":
        return _array(document, schema, whole, name, depth)
    return _plain(schema, kind)


def chosen(document: Json, schema: Json, *, keep_null: bool = False) -> Json:
    """A schema without references and choices: the first part that is not null."""
    if schema is True or not schema:
        return {}
    if "$ref" in schema:
        part = document
        for word in schema["$ref"].removeprefix("#/").split("/"):
            part = part[word]
        return chosen(document, part, keep_null=keep_null)
    for word in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(word)
        if parts:
            if keep_null and any(p.get("type") == "null" for p in parts):
                return {"const": None, **({} if "examples" not in schema else schema)}
            first = next((p for p in parts if p.get("type") != "null"), parts[0])
            kept = {k: schema[k] for k in ("examples", "default") if schema.get(k) is not None}
            return {**chosen(document, first), **kept}
    return schema


def _given(schema: Json, name: str) -> tuple[Any] | None:
    """What the schema itself says, or the field's name: as a tuple, since None may be the answer."""
    if schema.get("examples"):
        return (schema["examples"][0],)
    if "const" in schema:
        return (schema["const"],)
    if schema.get("enum"):
        return (schema["enum"][0],)
    known = BY_NAME.get(name)
    if known is not None and _fits(schema, known):
        return (known,)
    if schema.get("default") not in (None, "", [], {}):
        return (schema["default"],)
    return None


def _fits(schema: Json, value: Any) -> bool:
    kinds = schema.get("type", "string")
    if "string" not in (kinds if isinstance(kinds, list) else [kinds]):
        return False
    short = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10_000)
    if schema.get("format") == "uuid" or not short:
        return False
    return "pattern" not in schema or bool(re.search(schema["pattern"], value))


def _object(document: Json, schema: Json, whole: bool, depth: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    names = list(fields) if whole else list(schema.get("required", [])) or list(fields)[:2]
    if depth > DEEPEST:
        names = list(schema.get("required", []))
    return {
        each: example_of(document, fields[each], whole=whole, name=each, depth=depth + 1)
        for each in names
        if each in fields
    }


def _array(document: Json, schema: Json, whole: bool, name: str, depth: int) -> list[Any]:
    if depth > DEEPEST or (schema.get("maxItems") == 0):
        return []
    parts = schema.get("prefixItems") or [schema.get("items", {})]
    one = [example_of(document, p, whole=whole, name=name.removesuffix("s"), depth=depth + 1) for p in parts]
    return one * max(1, min(schema.get("minItems", 1), 3)) if len(parts) == 1 else one


_BY_FORMAT = {
    "uuid": _UUID,
    "date-time": "2026-11-22T21:00:00Z",
    "date": "2026-11-22",
    "decimal": "12.50",
    "binary": "(file)",
}


def _plain(schema: Json, kind: Any) -> Any:
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    return _text(schema)


_WORDS = (
    "text daily_usage ES en 0 112 edge-1 casa1 +34944048182 2026-11-22 08:30 crud https://example.net/hook"
)
_TEXTS = (*_WORDS.split(), "sip:198.51.100.1", _UUID)


def _text(schema: dict[str, Any]) -> str:
    """The first plain text that the pattern takes."""
    pattern, least = schema.get("pattern"), int(schema.get("minLength", 0))
    for text in _TEXTS:
        fits = pattern is None or re.search(pattern, text)
        if fits and least <= len(text) <= schema.get("maxLength", 100):
            return text
    return (text_of(pattern) if pattern else "") or "x" * least
