"""Lists as CSV (RFC 4180), safe to open in a spreadsheet.

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and
names are written by tenants: a client's `=HYPERLINK(...)` would run at the operator's desk. Such a text gets
an apostrophe in front, which spreadsheets read as "this is text". Numbers and money stay as they are.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

MEDIA_TYPE = "text/csv"
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBERS = re.compile(r"[0-9.;+-]*")


def wants_csv(accept: str) -> bool:
    """Whether an Accept header prefers CSV to JSON (RFC 9110 section 12.5.1); JSON when it says neither."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        weights[name] = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    return weights.get(MEDIA_TYPE, 0) > 0 and weights[MEDIA_TYPE] >= weights.get("application/json", 0)


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.[0-9]{0,3})?", text) else 0.0


def csv_line(values: Sequence[Any]) -> str:
    """One line. Lists of words are joined by semicolons, other structures are JSON, null is empty."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_cell(value) for value in values])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(v, str | int) for v in value):
        value = ";".join(str(v) for v in value)
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBERS.fullmatch(value):
        return f"'{value}"
    return value
