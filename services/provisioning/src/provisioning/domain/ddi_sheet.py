"""A sheet of DDIs (CSV) as lines of values, or what is wrong with the sheet as a whole. Pure.

The first line names the columns, in any order: `number`, and any of the others. Comma, semicolon or tab,
optional quotes; UTF-8, UTF-16 with its byte order mark (what Excel calls Unicode text), or else Latin-1.
Lines count from 1, the header included, as an editor shows them.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass, field
from typing import Final

COLUMNS: Final = frozenset(
    {
        "number",
        "country",
        "client",
        "ddi_provider",
        "device",
        "kind",
        "state",
        "description",
        "record",
        "display_name",
        "language",
        "unusual_number",
    }
)
MAX_LINES: Final = 200_000
MAX_ERRORS: Final = 1_000
_GROUPING = re.compile(r"[\s().\u2013-]")


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with one line."""

    line: int
    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """The values of a line by column; empty cells are left out."""

    number: int
    values: dict[str, str]


@dataclass(slots=True)
class Sheet:
    """All lines; errors are of the sheet itself, and then it has no lines."""

    lines: list[Line] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)


def read_sheet(body: bytes) -> Sheet:
    """Parse a sheet; blank lines are left out, numbers lose blanks, dashes, dots and brackets."""
    text = _decoded(body)
    if "\x00" in text:  # no text file; and no column of the database could hold what we would say of it
        return Sheet(errors=[LineError(1, "file", "no_text", "not a text file: it has NUL characters")])
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    sheet = Sheet()
    try:
        columns = [cell.strip().lower().replace(" ", "_") for cell in next(rows, [])]
        sheet.errors = _header_errors(columns)
        for row in () if sheet.errors else rows:
            if any(cell.strip() for cell in row):
                _take(sheet, rows.line_num, columns, row)
    except csv.Error as error:
        sheet.errors.append(LineError(rows.line_num, "line", "malformed_csv", str(error)[:200]))
    if not sheet.lines and not sheet.errors:
        sheet.errors.append(LineError(1, "file", "empty", "the file has no line with a number"))
    if sheet.errors:
        sheet.lines.clear()
    return sheet


def _take(sheet: Sheet, line: int, columns: list[str], row: list[str]) -> None:
    if len(row) > len(columns):
        sheet.errors.append(LineError(line, "line", "too_many_cells", "more cells than columns"))
    elif len(sheet.lines) == MAX_LINES:
        sheet.errors.append(LineError(line, "file", "too_long", f"at most {MAX_LINES} lines"))
        raise csv.Error("too long")
    values = {name: cell.strip() for name, cell in zip(columns, row, strict=False) if cell.strip()}
    if "number" in values:
        values["number"] = _GROUPING.sub("", values["number"])
    sheet.lines.append(Line(line, values))


def _header_errors(columns: list[str]) -> list[LineError]:
    found = [
        LineError(1, name[:60] or "line", "unknown_column", f"columns: {', '.join(sorted(COLUMNS))}")
        for name in columns
        if name not in COLUMNS
    ]
    found += [
        LineError(1, name, "repeated", "this column is there twice")
        for name in sorted({n for n in columns if columns.count(n) > 1})
    ]
    if "number" not in columns:
        found.append(LineError(1, "number", "missing_column", "the first line names the columns"))
    return found


def _decoded(body: bytes) -> str:
    marked = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return body.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")
