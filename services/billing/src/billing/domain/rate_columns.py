"""Which column of a rate sheet is which: by the operator's mapping, by the header's names, or by order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

ORDER: Final = ("destination", "prefix", "rate", "connect_fee", "increment", "interval_start")
NEEDED: Final = ("destination", "prefix", "rate", "increment")

# Headers as carriers and other systems write them, with everything but letters and digits left out.
KNOWN_AS: Final[dict[str, frozenset[str]]] = {
    "destination": frozenset({"destination", "destinationname", "name", "description", "country"}),
    "prefix": frozenset({"prefix", "destinationprefix", "code", "dialcode", "dialprefix"}),
    "rate": frozenset({"rate", "rateperminute", "perminute", "ratecost", "price", "cost", "pricepermin"}),
    "connect_fee": frozenset(
        {"connectfee", "connectionfee", "connectioncharge", "setupfee", "connectcharge", "setup"}
    ),
    "increment": frozenset({"increment", "rateincrement", "increments", "billingincrement", "block"}),
    "interval_start": frozenset({"intervalstart", "groupintervalstart", "start", "starts"}),
}


class Cells(NamedTuple):
    """One line's values, stripped; empty where the sheet has none."""

    destination: str
    prefix: str
    rate: str
    connect_fee: str
    increment: str
    interval_start: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Position of each field, in the order of `Cells`; -1: not in this sheet."""

    positions: tuple[int, ...]

    def cells(self, row: Sequence[str]) -> Cells | None:
        """The values of a line; None when it is shorter than a column that the sheet has."""
        try:
            return Cells(*[row[at].strip() if at >= 0 else "" for at in self.positions])
        except IndexError:
            return None


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def looks_like_header(row: Sequence[str], mapping: Mapping[str, str | int]) -> bool:
    """A first line is a header if one of its cells is a name we, or the mapping, know as a column's."""
    names = {_plain(value) for value in mapping.values() if isinstance(value, str) and not value.isdigit()}
    names = names.union(*(KNOWN_AS[f] for f in ("prefix", "rate", "increment")))
    return any(_plain(cell) in names for cell in row)


def columns_of(
    header: Sequence[str] | None, mapping: Mapping[str, str | int]
) -> tuple[Columns | None, list[tuple[str, str]]]:
    """The columns, or (field, what is wrong) for each that cannot be found."""
    plain = [_plain(name) for name in header or ()]
    positions, problems = [], []
    for index, name in enumerate(ORDER):
        at = _position(name, index, plain if header is not None else None, mapping)
        positions.append(at)
        if at < 0 and (name in NEEDED or name in mapping):
            problems.append((name, f"no column for {name}"))
    return (None if problems else Columns(tuple(positions))), problems


def _position(name: str, index: int, header: list[str] | None, mapping: Mapping[str, str | int]) -> int:
    given = mapping.get(name)
    if given is not None and str(given).isdigit():
        return int(given) - 1
    if header is None:
        return -1 if given is not None or (mapping and name not in mapping) else _by_order(name, index)
    wanted = {_plain(str(given))} if given is not None else KNOWN_AS[name]
    return next((at for at, cell in enumerate(header) if cell in wanted), -1)


def _by_order(name: str, index: int) -> int:
    # A sheet of five columns has no interval_start: it counts as there only where the header names it.
    return -1 if name == "interval_start" else index
