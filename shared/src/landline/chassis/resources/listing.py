"""Lists: filters, sorting and keyset paging from query parameters, checked before they reach SQL.

Paging is by key, not by offset: a page starts after the last row of the one before, so rows that come or go
meanwhile neither repeat nor hide others. The cursor is that row's sort values, opaque to people; it is
parsed like any other input and can name nothing outside the caller's scope.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Select, and_, or_, select, tuple_

from landline.chassis.auth import Principal
from landline.chassis.problems import FieldError, InvalidInput
from landline.chassis.resources.declaration import Resource, Row
from landline.chassis.resources.filters import condition, like_pattern, operations, value_of
from landline.chassis.resources.parameters import DEFAULT_ROWS, Wrong, limit_of, taken, true_or_false
from landline.chassis.resources.scope import in_scope
from landline.chassis.resources.wire import field_value

MOST_SORTS = 5
V = TypeVar("V")
_ALWAYS = ("id", "brand_id", "client_id", "created_at", "updated_at")


@dataclass(frozen=True)
class Sort:
    """One key of the order."""

    field: str
    column: Column[Any]
    descending: bool


@dataclass(frozen=True)
class Find:
    """A condition of a query, by its place in `where`, that a finder may answer (`finding`)."""

    place: int
    finder: str
    pattern: str


@dataclass(frozen=True)
class ListQuery:
    """What a list was asked for, checked."""

    limit: int
    count: bool
    where: Sequence[ColumnElement[bool]]
    sorts: Sequence[Sort]
    after: Sequence[Any] | None
    finds: Sequence[Find] = ()


def order_of(sorts: Sequence[Sort]) -> str:
    """The order as text, part of the cursor: a cursor fits only the order it was made for."""
    return ",".join(("-" if s.descending else "") + s.field for s in sorts)


def filterable(resource: Resource) -> list[str]:
    """The fields a list can be filtered by."""
    return [*dict.fromkeys([*(n for n in _ALWAYS if n in resource.table.c), *resource.filters])]


def sortable(resource: Resource) -> list[str]:
    """The fields a list can be sorted by; none of them may be null, or the cursor would lose rows."""
    ends = (n for n in ("created_at", "updated_at", "id") if n in resource.table.c)
    return [*dict.fromkeys([*resource.sorts, *ends])]


def parse_list(resource: Resource, params: Sequence[tuple[str, str]], principal: Principal) -> ListQuery:
    """The query parameters as a checked query; InvalidInput lists everything that is wrong with them."""
    parser = _Parser(resource, resource.hidden(principal))
    parser.errors += taken(params, parser.take)
    return parser.finish()


class _Parser:
    def __init__(self, resource: Resource, hidden: frozenset[str]) -> None:
        self.resource, self.hidden = resource, hidden
        self.errors: list[FieldError] = []
        self.where: list[ColumnElement[bool]] = []
        self.finds: list[Find] = []
        self.plain: dict[str, str] = {}

    def take(self, name: str, value: str) -> None:
        if name in ("limit", "cursor", "sort", "count"):
            self.plain[name] = value
        else:
            self._filter(name, value)

    def _refuse(self, name: str, code: str, message: str) -> None:
        self.errors.append(Wrong(code, message).of(name))

    def _filter(self, name: str, value: str) -> None:
        field, _, operation = name.partition("__")
        column = self.resource.column(field)
        if column is None or field in self.hidden or field not in filterable(self.resource):
            raise Wrong("unknown_filter", "no such filter")
        if operation and operation not in operations(column):
            takes = ", ".join(operations(column)) or "equality"
            raise Wrong("unknown_filter", f"this field takes: {takes}")
        try:
            self.where.append(condition(column, operation, value))
        except ValueError as error:
            raise Wrong("invalid_value", str(error)[:200]) from None
        if operation == "contains" and field in self.resource.finders:
            place, finder = len(self.where) - 1, self.resource.finders[field]
            self.finds.append(Find(place, finder, like_pattern(value)))

    def finish(self) -> ListQuery:
        sorts = self._sorts(self.plain.get("sort", self.resource.default_sort))
        limit = self._read("limit", limit_of, DEFAULT_ROWS)
        count = self._read("count", true_or_false, False)
        after = None
        if not self.errors and "cursor" in self.plain:
            after = self._cursor(self.plain["cursor"], sorts)
        if self.errors:
            raise InvalidInput(self.errors)
        return ListQuery(limit, count, self.where, sorts, after, self.finds)

    def _read(self, name: str, read: Callable[[str], V], otherwise: V) -> V:
        try:
            return read(self.plain[name]) if name in self.plain else otherwise
        except Wrong as wrong:
            self.errors.append(wrong.of(name))
            return otherwise

    def _sorts(self, value: str) -> list[Sort]:
        allowed = set(sortable(self.resource)) - self.hidden
        sorts: list[Sort] = []
        parts = value.split(",")
        if len(parts) > MOST_SORTS:
            self._refuse("sort", "too_many", f"at most {MOST_SORTS} fields")
            return []
        for part in parts:
            name = part.removeprefix("-")
            column = self.resource.column(name)
            if name not in allowed or column is None or name in (s.field for s in sorts):
                self._refuse("sort", "unknown_sort", f"sortable: {', '.join(sorted(allowed))}")
                return []
            sorts.append(Sort(name, column, part.startswith("-")))
        if sorts[-1].field != "id":
            sorts.append(Sort("id", self.resource.table.c.id, sorts[-1].descending))
        return sorts

    def _cursor(self, value: str, sorts: Sequence[Sort]) -> list[Any] | None:
        try:
            order, *texts = json.loads(base64.urlsafe_b64decode(value.encode("ascii") + b"=="))
            if order != order_of(sorts):
                raise ValueError("made for another order")
            return [value_of(s.column.type, str(t)) for s, t in zip(sorts, texts, strict=True)]
        except (ValueError, TypeError, RecursionError):
            self._refuse("cursor", "invalid_cursor", "not a cursor of this list in this order")
            return None


def cursor_of(resource: Resource, query: ListQuery, row: Row) -> str:
    """The cursor that continues after a row."""
    values = [str(field_value(resource, s.field, row)) for s in query.sorts]
    raw = json.dumps([order_of(query.sorts), *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def page_statement(resource: Resource, query: ListQuery, principal: Principal) -> Select[Any]:
    """One page, and one row more that tells whether there is another."""
    order = [s.column.desc() if s.descending else s.column.asc() for s in query.sorts]
    statement = select(resource.table).where(*in_scope(resource, principal), *query.where)
    if query.after is not None:
        statement = statement.where(_past(query.sorts, query.after))
    return statement.order_by(*order).limit(query.limit + 1)


def _past(sorts: Sequence[Sort], values: Sequence[Any]) -> ColumnElement[bool]:
    if len({s.descending for s in sorts}) == 1:  # one direction: a row comparison, which an index serves
        here, there = tuple_(*(s.column for s in sorts)), tuple_(*values)
        return here < there if sorts[0].descending else here > there
    steps = []
    for i, (sort, value) in enumerate(zip(sorts, values, strict=True)):
        equal = [s.column == v for s, v in zip(sorts[:i], values[:i], strict=True)]
        steps.append(and_(*equal, sort.column < value if sort.descending else sort.column > value))
    return or_(*steps)
