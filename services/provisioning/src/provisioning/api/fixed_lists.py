"""Lists that never change while a process runs, asked as every list is (contracts section 2).

Without `limit` the whole list comes at once: portals fill their menus with it. The cursor is the code of the
last row told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from landline.chassis.csv_text import MEDIA_TYPE, csv_line, wants_csv
from landline.chassis.problems import InvalidInput
from landline.chassis.resources.filters import LONGEST_VALUE
from landline.chassis.resources.parameters import Wrong, limit_of, taken, true_or_false

SORTS = ("code", "-code", "name", "-name")
FIELDS = ("code", "name")
Row = dict[str, Any]


@dataclass
class Query:
    """What was asked for. `wants` are conditions on a row."""

    limit: int | None = None
    after: str | None = None
    sort: str = "code"
    count: bool = False
    wants: list[Callable[[Row], bool]] = field(default_factory=list)


def answer(request: Request, rows: Sequence[Row]) -> Response:
    """The asked part of `rows`, each with `code` and `name`, as JSON or CSV.

    InvalidInput names each parameter that is wrong.
    """
    query = parsed(request.query_params.multi_items(), {row["code"] for row in rows})
    key = query.sort.removeprefix("-")
    found = [row for row in rows if all(wants(row) for wants in query.wants)]
    found.sort(key=lambda row: row[key], reverse=query.sort.startswith("-"))
    if wants_csv(request.headers.get("accept", "")):
        names = list(rows[0])
        lines = [csv_line(names), *(csv_line([row.get(name) for name in names]) for row in found)]
        return Response("".join(lines), media_type=MEDIA_TYPE)
    body: Row = {"items": found, "next_cursor": None}
    if query.after is not None:
        body["items"] = _after(query, rows, found)
    if query.limit is not None and len(body["items"]) > query.limit:
        body["items"] = body["items"][: query.limit]
        body["next_cursor"] = body["items"][-1]["code"]
    return JSONResponse(body | ({"total": len(found)} if query.count else {}))


def _after(query: Query, rows: Sequence[Row], found: list[Row]) -> list[Row]:
    """What follows the cursor's row in the asked order, whether or not that row is asked for."""
    key = query.sort.removeprefix("-")
    last = next(row[key] for row in rows if row["code"] == query.after)
    return [row for row in found if (row[key] < last if query.sort.startswith("-") else row[key] > last)]


def parsed(params: Sequence[tuple[str, str]], codes: set[str]) -> Query:
    """Raises InvalidInput with everything that is wrong."""
    query = Query()
    errors = taken(params, lambda name, value: _take(query, name, value, codes))
    if errors:
        raise InvalidInput(errors)
    return query


def _take(query: Query, name: str, value: str, codes: set[str]) -> None:
    if len(value) > LONGEST_VALUE:
        raise Wrong("invalid_value", f"at most {LONGEST_VALUE} characters")
    if name == "limit":
        query.limit = limit_of(value)
    elif name == "cursor":
        query.after = _one_of(value, codes, "invalid_cursor", "not a cursor of this list")
    elif name == "sort":
        query.sort = _one_of(value, SORTS, "unknown_sort", "sortable: code, name")
    elif name == "count":
        query.count = true_or_false(value)
    else:
        query.wants.append(_condition(name, value))


def _one_of(value: str, allowed: set[str] | tuple[str, ...], code: str, message: str) -> str:
    if value not in allowed:
        raise Wrong(code, message)
    return value


def _condition(name: str, value: str) -> Callable[[Row], bool]:
    column, _, operation = name.partition("__")
    if column not in FIELDS or operation not in ("", "in", "contains"):
        raise Wrong("unknown_filter", "no such filter")
    if operation == "contains":
        return lambda row: value.lower() in row[column].lower()
    among = set(value.split(",")) if operation == "in" else {value}
    return lambda row: row[column] in among


def described() -> list[Row]:
    """The parameters, for OpenAPI."""
    about = {
        "limit": "rows per page; without it the whole list",
        "cursor": "the next_cursor of the page before",
        "sort": "code, name, -code or -name",
        "count": "also answer the total",
    }
    about |= {name + end: said for name in FIELDS for end, said in _ABOUT.items()}
    return [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": said}
        for name, said in about.items()
    ]


_ABOUT = {
    "": "equals",
    "__in": "any of these, with commas between them",
    "__contains": "has this text in it, in capitals or not",
}
