"""Filters of lists: what can be asked of a column, and the texts of a query as values of SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    SmallInteger,
    Text,
    Uuid,
    any_,
)

from landline.chassis.resources.field_types import Micros
from landline.kernel.money import to_micros

LONGEST_VALUE = 500
MOST_IN_LIST = 200
_RANGES = ("gte", "gt", "lte", "lt")
_INTEGER = re.compile(r"-?[0-9]{1,19}")


def operations(column: Column[Any]) -> tuple[str, ...]:
    """What can be asked of a column, besides equality: suffixes `__<op>`."""
    null = ("isnull",) if column.nullable else ()
    if isinstance(column.type, Boolean | ARRAY):
        return null
    if isinstance(column.type, Uuid):
        return ("in", *null)
    if isinstance(column.type, Integer | Micros | DateTime):
        return (*_RANGES, "in", *null)
    return ("contains", "in", *null)


def condition(column: Any, operation: str, value: str) -> Any:
    """The condition `column__operation=value` ("": equality). ValueError says what the value should be."""
    if operation == "isnull":
        return column.is_(None) if _boolean(value) else column.is_not(None)
    if operation == "in":
        return column.in_([value_of(column.type, part) for part in _parts(value)])
    if operation == "contains":
        return column.icontains(_text(value), autoescape=True)
    if isinstance(column.type, ARRAY):
        return any_(column) == value_of(column.type.item_type, value)
    typed = value_of(column.type, value)
    compare: Mapping[str, Callable[[], ColumnElement[bool]]] = {
        "": lambda: column == typed,
        "gte": lambda: column >= typed,
        "gt": lambda: column > typed,
        "lte": lambda: column <= typed,
        "lt": lambda: column < typed,
    }
    return compare[operation]()


def _parts(value: str) -> list[str]:
    parts = value.split(",")
    if len(parts) > MOST_IN_LIST:
        raise ValueError(f"at most {MOST_IN_LIST} values")
    return parts


def value_of(kind: Any, text: str) -> Any:
    """A text as a value of an SQL type; ValueError says what it should be."""
    if isinstance(kind, Uuid):
        return UUID(text)
    if isinstance(kind, Boolean):
        return _boolean(text)
    if isinstance(kind, Micros):
        return to_micros(text)
    if isinstance(kind, Integer):
        return _integer(text, _bits(kind))
    if isinstance(kind, DateTime):
        return _moment(text)
    assert isinstance(kind, Text), kind
    return _text(text)


def _text(text: str) -> str:
    if len(text) > LONGEST_VALUE or "\x00" in text:
        raise ValueError(f"at most {LONGEST_VALUE} characters, none of them NUL")
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _bits(kind: Integer) -> int:
    return 15 if isinstance(kind, SmallInteger) else 63 if isinstance(kind, BigInteger) else 31


def _integer(text: str, bits: int) -> int:
    if not _INTEGER.fullmatch(text) or not -(2**bits) <= int(text) < 2**bits:
        raise ValueError("a whole number in range")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise ValueError("a UTC time such as 2026-11-22T21:00:00Z") from None
    if moment.tzinfo is None or not 1900 < moment.year < 9000:
        raise ValueError("a UTC time such as 2026-11-22T21:00:00Z")
    return moment


def like_pattern(text: str) -> str:
    """The LIKE pattern of texts that contain this one."""
    plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"
