"""Rows as JSON, JSON as columns, and the schemas derived from a declaration (also for OpenAPI)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from landline.chassis.auth import Principal
from landline.chassis.problems import FieldError
from landline.chassis.resources.declaration import Resource, Row
from landline.chassis.resources.field_types import ApiModel, Micros
from landline.kernel.money import decimal_string

_PLAIN = frozenset({str, int, bool})


def wire_value(value: Any) -> Any:
    """A column's value in JSON: times in UTC with Z, ids and decimals as text."""
    if value is None or type(value) in _PLAIN:  # most of what is shown
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [wire_value(v) for v in value]
    return value


def field_value(resource: Resource, name: str, row: Row) -> Any:
    """One field of a row as JSON; money as a decimal string."""
    column = resource.column(name)
    if column is None:
        return None
    value = row[column.key]
    return (
        decimal_string(value) if isinstance(column.type, Micros) and value is not None else wire_value(value)
    )


def to_wire(resource: Resource, row: Row, principal: Principal | None = None) -> Row:
    """A row as its JSON object: what this principal may see of it; None: everything."""
    hidden = resource.hidden(principal) if principal else frozenset()
    row = resource.seen(row, principal) if principal else row
    return {
        name: wire_value(row[key]) if key is not None and not money else _shown(key, row)
        for name, key, money in _columns_shown(resource, hidden)
    }


@cache
def _columns_shown(resource: Resource, hidden: frozenset[str]) -> tuple[tuple[str, str | None, bool], ...]:
    """(field, its column, whether it is money) of all that is shown: looked up once, not for each row."""
    found: list[tuple[str, str | None, bool]] = []
    for name in resource.shown():
        column = resource.column(name)
        if name not in hidden:
            money = column is not None and isinstance(column.type, Micros)
            found.append((name, None if column is None else column.key, money))
    return tuple(found)


def _shown(key: str | None, row: Row) -> str | None:
    micros = None if key is None else row[key]
    return None if micros is None else decimal_string(micros)


def to_columns(resource: Resource, given: ApiModel) -> Row:
    """Validated input as columns; fields without a column are left to the rules."""
    values = given.model_dump()
    pairs = ((resource.column(name), value) for name, value in values.items())
    return {column.key: value for column, value in pairs if column is not None}


def merge_patch(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7396); at the top level null stays: it sets a field to null."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def patched(resource: Resource, row: Row, patch: Row) -> Row:
    """The writable fields of a row as JSON, after a merge patch: what is validated as a whole."""
    names = [n for n in resource.fields.model_fields if resource.column(n) is not None]
    current = {name: field_value(resource, name, row) for name in names}
    return current | {name: merge_patch(current.get(name), value) for name, value in patch.items()}


def unstorable(value: Any, path: str = "") -> list[FieldError]:
    """Texts that Postgres can't keep: NUL characters and lone surrogates, each named by its path."""
    if isinstance(value, str):
        bad = "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)
        message = "no NUL characters, no half surrogate pairs"
        return [FieldError(path[:100] or "body", "text_form", message)] if bad else []
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [e for key, child in children for e in unstorable(child, f"{path}.{key}" if path else str(key))]


def _title(resource: Resource) -> str:
    return "".join(part.capitalize() for part in resource.entity.split("_"))


def kind_of(info: FieldInfo) -> Any:
    """A field's type with its checks, to declare it again elsewhere."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


@cache
def _owner_fields(tenancy: str, has_client_field: bool) -> dict[str, Any]:
    brand = (
        UUID | None,
        Field(None, description="the platform level says for which brand; others leave it out"),
    )
    client = (UUID | None, Field(None, description="whose it is; a client's own token may leave it out"))
    owner: dict[str, Any] = {} if tenancy == "platform" else {"brand_id": brand}
    return owner | ({"client_id": client} if tenancy == "client" and not has_client_field else {})


@cache
def create_schema(resource: Resource) -> type[ApiModel]:
    """What POST takes: the writable fields, and whose it shall be."""
    owner = _owner_fields(resource.tenancy, "client_id" in resource.fields.model_fields)
    return create_model(f"{_title(resource)}Create", __base__=resource.fields, **owner)


@cache
def patch_schema(resource: Resource) -> type[ApiModel]:
    """What PATCH takes: any of the fields that may change."""
    # A default factory keeps "default: null" out of OpenAPI: an absent field is not a null one.
    fields: dict[str, Any] = {
        name: (kind_of(info), Field(default_factory=lambda: None, description=info.description))
        for name, info in resource.fields.model_fields.items()
        if name not in resource.create_only
    }
    return create_model(f"{_title(resource)}Patch", __base__=ApiModel, **fields)


_ABOUT = {
    "id": "the row's id",
    "brand_id": "the brand whose it is",
    "client_id": "the client whose it is",
    "version": "grows by one with each change; in the ETag",
    "created_at": "when it was made",
    "updated_at": "when it was last changed",
}


@cache
def read_schema(resource: Resource) -> type[BaseModel]:
    """What answers hold. Fields that a client does not see are optional."""
    known = {
        **resource.fields.model_fields,
        **(resource.read_only.model_fields if resource.read_only else {}),
    }
    plain: dict[str, Any] = {
        "id": UUID,
        "brand_id": UUID,
        "version": int,
        "created_at": datetime,
        "updated_at": datetime,
    }
    plain["client_id"] = UUID if resource.tenancy == "client" else UUID | None
    if resource.shared:
        plain["brand_id"] = UUID | None
    fields: dict[str, Any] = {}
    for name in resource.shown():
        kind = kind_of(known[name]) if name in known else plain[name]
        about = known[name].description if name in known else _ABOUT[name]
        default = None if name in resource.hidden_from_client else ...
        fields[name] = (kind, Field(default, description=about))
    return create_model(_title(resource), **fields)
