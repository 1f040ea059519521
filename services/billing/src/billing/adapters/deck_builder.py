"""Turning a rate sheet into a deck: seconds of CPU for a big one, so it runs in a process of its own.

In and out go plain bytes and strings: what crosses the process border is cheap to carry.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
from landline.rating.deck_file import Deck, DeckMeta, DeckRow, write_deck
from landline.rating.tariff import Price

from billing.domain.rate_sheet import read_sheet

CHUNK_ROWS = 20_000
INLINE_BYTES = 64 * 1024  # below this the work is shorter than starting a process


@dataclass(frozen=True)
class BuildRequest:
    """A sheet, how to read it, what deck it becomes; `previous`: the file whose rows it adds to."""

    sheet: bytes
    mapping: Mapping[str, str | int]
    meta: DeckMeta
    previous: bytes | None = None


@dataclass(frozen=True)
class Built:
    """The deck's file and its rows as JSON arrays for the database; or what is wrong with the sheet."""

    lines: int
    errors: list[dict[str, Any]] = field(default_factory=list)
    error_count: int = 0
    file: bytes = b""
    sha256: str = ""
    rows: int = 0
    chunks: list[str] = field(default_factory=list)


async def build(
    *, sheet: bytes, mapping: Mapping[str, str | int], meta: DeckMeta, previous: bytes | None
) -> Built:
    """The deck of a sheet; in a spawned process when it is big."""
    request = BuildRequest(sheet, mapping, meta, previous)
    if len(request.sheet) + len(request.previous or b"") < INLINE_BYTES:
        return await asyncio.to_thread(build_deck, request)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, build_deck, request)


def build_deck(request: BuildRequest) -> Built:
    """Parse, merge with the previous deck if asked, write the file."""
    sheet = read_sheet(request.sheet, request.mapping)
    if sheet.error_count:
        return Built(sheet.lines, [asdict(error) for error in sheet.errors], sheet.error_count)
    with tempfile.TemporaryDirectory() as folder:
        rates = {**_rows_of(request.previous, Path(folder)), **sheet.rates}
        rows = [DeckRow(prefix, destination, price) for prefix, (destination, price) in rates.items()]
        file, sha256 = write_file(request.meta, rows, Path(folder))
    return Built(sheet.lines, [], 0, file, sha256, len(rows), list(_chunks(rows)))


def write_file(meta: DeckMeta, rows: list[DeckRow], folder: Path) -> tuple[bytes, str]:
    """The deck's file as bytes, and its SHA-256."""
    path = folder / "deck"
    sha256 = write_deck(path, meta, rows)
    return path.read_bytes(), sha256


def _rows_of(previous: bytes | None, folder: Path) -> dict[str, tuple[str, Price]]:
    if previous is None:
        return {}
    path = folder / "previous"
    path.write_bytes(previous)
    with Deck.open(path) as deck:
        return {row.prefix: (row.destination, row.price) for row in deck}


def _chunks(rows: list[DeckRow]) -> Iterator[str]:
    for start in range(0, len(rows), CHUNK_ROWS):
        part = rows[start : start + CHUNK_ROWS]
        yield msgspec.json.encode([_row(row) for row in part]).decode()


def _row(row: DeckRow) -> dict[str, Any]:
    tiers = [n for t in row.price.tiers for n in (t.interval_start_s, t.rate_nanos, t.increment_s)]
    text = "{" + ",".join(map(str, tiers)) + "}"
    return {"p": row.prefix, "d": row.destination, "f": row.price.connect_fee_micros, "t": text}
