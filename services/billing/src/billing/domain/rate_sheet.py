"""A rate sheet (CSV) as the rows of a rate deck, or everything that is wrong with it, line by line.

One line is one tier of one prefix. Lines of the same prefix with rising `interval_start` are its tiers; the
name is that of the prefix's first line, the connect fee may stand on any of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from landline.kernel.money import MoneyOutOfRange, to_micros
from landline.rating.checks import check_price
from landline.rating.errors import InvalidTariff
from landline.rating.tariff import Price, Tier

from billing.domain.rate_columns import Columns, columns_of, looks_like_header

MAX_LINES: Final = 1_000_000
MAX_ERRORS: Final = 1_000
MAX_DESTINATION: Final = 100
PREFIX_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with one line. Lines count from 1, the header included, as an editor shows them."""

    line: int
    field: str
    code: str
    message: str


class LineRefused(ValueError):
    """One value of one line cannot be used."""

    def __init__(self, name: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field, self.code, self.message = name, code, message


@dataclass(slots=True)
class _Open:
    """A prefix whose tiers are being collected."""

    line: int
    destination: str
    fee_micros: int | None
    tiers: dict[int, Tier]


@dataclass(slots=True)
class Sheet:
    """The outcome: prices by prefix; or errors (the first MAX_ERRORS of `error_count`), then no prices."""

    lines: int = 0
    rates: dict[str, tuple[str, Price]] = field(default_factory=dict)
    errors: list[LineError] = field(default_factory=list)
    error_count: int = 0

    def refuse(self, line: int, name: str, code: str, message: str) -> None:
        """Count an error; keep it while there is room."""
        self.error_count += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(LineError(line, name, code, message))


def read_sheet(body: bytes, mapping: Mapping[str, str | int] | None = None) -> Sheet:
    """Parse a sheet. `mapping`: our field -> the header's name, or the column's number from 1.

    Comma or semicolon (then also decimal commas), optional quotes, UTF-8 or else Latin-1. A first line that
    names columns is a header; without one the order is destination, prefix, rate, connect_fee, increment
    (tiers need a header or a mapping).
    """
    sheet = Sheet()
    text = _decoded(body)
    delimiter = _delimiter(text)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        _read_rows(sheet, _numbered(rows), mapping or {}, decimal_comma=delimiter == ";")
    except csv.Error as error:
        sheet.refuse(rows.line_num, "line", "malformed_csv", str(error)[:200])
    if not sheet.lines and not sheet.errors:
        sheet.refuse(1, "file", "empty", "the file has no line with a rate")
    if sheet.errors:
        sheet.rates.clear()
    sheet.errors.sort(key=lambda error: error.line)
    return sheet


def _numbered(rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for row in rows:
        if any(cell.strip() for cell in row):
            yield rows.line_num, row  # type: ignore[attr-defined]


def _read_rows(
    sheet: Sheet,
    rows: Iterator[tuple[int, list[str]]],
    mapping: Mapping[str, str | int],
    *,
    decimal_comma: bool,
) -> None:
    first = next(rows, None)
    if first is None:
        return
    header = first[1] if looks_like_header(first[1], mapping) else None
    columns, problems = columns_of(header, mapping)
    if columns is None:
        for name, message in problems:
            sheet.refuse(first[0], name, "missing_column", message)
        return
    opened: dict[str, _Open] = {}
    for line, row in rows if header is not None else _chained(first, rows):
        sheet.lines += 1
        if sheet.lines > MAX_LINES:
            sheet.refuse(line, "file", "too_long", f"at most {MAX_LINES} lines")
            return
        try:
            _take(opened, line, row, columns, decimal_comma)
        except LineRefused as error:
            sheet.refuse(line, error.field, error.code, error.message)
    _close(sheet, opened)


def _chained(
    first: tuple[int, list[str]], rest: Iterable[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield first
    yield from rest


def _take(opened: dict[str, _Open], line: int, row: Sequence[str], columns: Columns, comma: bool) -> None:
    """One line into its prefix's tiers. Raises LineRefused."""
    cells = columns.cells(row)
    if cells is None:
        raise LineRefused("line", "missing_column", f"{len(row)} columns are too few")
    if comma:
        cells = cells._replace(
            rate=cells.rate.replace(",", "."), connect_fee=cells.connect_fee.replace(",", ".")
        )
    prefix = _prefix(cells.prefix)
    tier = _tier(cells.rate, cells.increment, cells.interval_start)
    known = opened.get(prefix)
    fee = _money("connect_fee", cells.connect_fee) if cells.connect_fee else None
    if known is None:
        opened[prefix] = _Open(line, _destination(cells.destination), fee, {tier.interval_start_s: tier})
        return
    if tier.interval_start_s in known.tiers:
        message = f"prefix {prefix} from second {tier.interval_start_s} stands on another line already"
        raise LineRefused("prefix", "duplicate", message)
    if fee is not None and known.fee_micros not in (None, fee):
        message = f"differs from another line of the prefix; its first is line {known.line}"
        raise LineRefused("connect_fee", "contradiction", message)
    known.fee_micros = known.fee_micros if fee is None else fee
    known.tiers[tier.interval_start_s] = tier


def _close(sheet: Sheet, opened: dict[str, _Open]) -> None:
    """Prefixes with their tiers in order, each price checked as a whole."""
    for prefix, found in opened.items():
        tiers = tuple(found.tiers[start] for start in sorted(found.tiers))
        try:
            sheet.rates[prefix] = found.destination, _checked(found.fee_micros or 0, tiers)
        except InvalidTariff as error:
            sheet.refuse(found.line, error.field, "invalid", error.message)


@lru_cache(maxsize=65_536)
def _checked(fee_micros: int, tiers: tuple[Tier, ...]) -> Price:
    return check_price(Price(fee_micros, tiers))


def _prefix(text: str) -> str:
    digits = text.removeprefix("+").replace(" ", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= PREFIX_DIGITS) or digits[0] == "0":
        raise LineRefused("prefix", "invalid", f"+ and 1 to {PREFIX_DIGITS} digits, country code first")
    return f"+{digits}"


def _destination(text: str) -> str:
    if not 0 < len(text) <= MAX_DESTINATION or not text.isprintable():
        raise LineRefused("destination", "invalid", f"1 to {MAX_DESTINATION} printable characters")
    return text


@lru_cache(maxsize=65_536)
def _tier(rate: str, increment: str, start: str) -> Tier:
    try:
        return Tier.of(_seconds("interval_start", start or "0"), rate, _seconds("increment", increment))
    except MoneyOutOfRange:
        raise LineRefused("rate", "invalid", "a plain decimal per minute, at most 9 decimals") from None


def _seconds(name: str, text: str) -> int:
    digits = text.removesuffix("s").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6):
        raise LineRefused(name, "invalid", "whole seconds")
    return int(digits)


@lru_cache(maxsize=65_536)
def _money(name: str, text: str) -> int:
    try:
        return to_micros(text)
    except MoneyOutOfRange:
        raise LineRefused(name, "invalid", "a plain decimal, at most 6 decimals") from None


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _delimiter(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return ";" if first.count(";") > first.count(",") else ","
