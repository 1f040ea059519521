"""The request headers of our conventions (contracts section 2), as OpenAPI describes them."""

from __future__ import annotations

from typing import Any

LONGEST_REASON = 500
LONGEST_KEY = 255

_LENGTHS = {"Idempotency-Key": LONGEST_KEY}
_ABOUT = {
    "If-None-Match": "an ETag that you have: 304 without a body while the row is still that version",
    "Idempotency-Key": "same key and body within 24 h: the same answer, one effect",
    "If-Match": "the version you saw, as its ETag; 412 when it is another by now",
    "X-Reason": "kept with the audit entry",
}


def header(name: str, about: str | None = None, *, required: bool = False) -> dict[str, Any]:
    """A header as an OpenAPI parameter; `about` where it means more than by our conventions."""
    schema = {"type": "string", "maxLength": _LENGTHS.get(name, LONGEST_REASON)}
    return {
        "name": name,
        "in": "header",
        "required": required,
        "schema": schema,
        "description": about or _ABOUT[name],
    }


def takes(*parameters: str | dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra=` of a route that reads these headers: by name, or as `header` made them."""
    return {"parameters": [header(each) if isinstance(each, str) else each for each in parameters]}
