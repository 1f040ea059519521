"""Writes a rate deck file: whole or not at all (decision 0003)."""

import hashlib
import os
import re
import tempfile
from array import array
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from landline.rating.checks import check_price, check_terms
from landline.rating.deck_layout import (
    HEADER,
    KEY_DIGITS,
    MAGIC,
    NONE,
    DeckMeta,
    DeckRow,
    key_of,
    prefix_of,
    starts_with,
)
from landline.rating.errors import DuplicatePrefix, InvalidTariff
from landline.rating.pinned import price_to_plain
from landline.rating.tariff import Price

MAX_DESTINATION: Final = 100
_PREFIX = re.compile(rf"\+[0-9]{{1,{KEY_DIGITS}}}", re.ASCII)


def write_deck(path: Path | str, meta: DeckMeta, rows: Iterable[DeckRow]) -> str:
    """Writes the deck to `path` and returns the file's SHA-256 in hex.

    A temporary file beside it, fsync, rename, fsync of the folder: a reader sees the old file or the whole
    new one, also after a power cut. Rows come in any order; the deck's `minimum_charge` replaces theirs.
    Raises InvalidTariff for a bad prefix, destination, price or currency, and DuplicatePrefix, before any
    file is touched.
    """
    target = Path(path)
    content = _content(meta, rows)
    descriptor, temporary = tempfile.mkstemp(prefix=target.name, suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(target.parent)
    return hashlib.sha256(content).hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _content(meta: DeckMeta, rows: Iterable[DeckRow]) -> bytes:
    check_terms(meta.currency, 0, "half_up", None)
    entries, texts = _sorted_rows(meta, rows)
    keys = array("Q", (entry >> 32 for entry in entries))
    records = array("I", (entry & NONE for entry in entries))
    offsets = array("Q", [0])
    for text in texts:
        offsets.append(offsets[-1] + len(text))
    body = b"".join((keys.tobytes(), _parents(keys).tobytes(), records.tobytes()))
    at_offsets = HEADER.size + len(body)
    at_texts = at_offsets + len(offsets) * offsets.itemsize
    at_meta = at_texts + offsets[-1]
    tail = msgspec.json.encode(meta)
    header = HEADER.pack(MAGIC, at_meta + len(tail), len(keys), len(texts), at_offsets, at_texts, at_meta, 0)
    return b"".join((header, body, offsets.tobytes(), *texts, tail))


def _sorted_rows(meta: DeckMeta, rows: Iterable[DeckRow]) -> tuple[list[int], list[bytes]]:
    """Keys with their record's number below, one integer per row (a million rows: 44 MB); and the records."""
    numbers: dict[tuple[str, Price], int] = {}
    texts: list[bytes] = []
    entries: list[int] = []
    for row in rows:
        key, record = _checked_key(row), (row.destination, row.price)
        if record not in numbers:
            numbers[record] = len(texts)
            price = check_price(replace(row.price, minimum_charge=meta.minimum_charge))
            texts.append(msgspec.json.encode((row.destination, price_to_plain(price))))
        entries.append(key << 32 | numbers[record])
    entries.sort()
    for index in range(1, len(entries)):
        if entries[index] >> 32 == entries[index - 1] >> 32:
            raise DuplicatePrefix(prefix_of(entries[index] >> 32))
    return entries, texts


def _checked_key(row: DeckRow) -> int:
    if not _PREFIX.fullmatch(row.prefix):
        raise InvalidTariff("prefix", f"must be + and 1 to {KEY_DIGITS} digits: {row.prefix[:40]!r}")
    if len(row.destination) > MAX_DESTINATION:
        raise InvalidTariff("destination", f"must be at most {MAX_DESTINATION} characters")
    return key_of(row.prefix[1:], len(row.prefix) - 1)


def _parents(keys: "array[int]") -> "array[int]":
    """Sorted order visits a prefix before its extensions, so the open prefixes form a stack."""
    parents = array("I")
    open_rows: list[int] = []
    for row, key in enumerate(keys):
        while open_rows and not starts_with(key, keys[open_rows[-1]]):
            open_rows.pop()
        parents.append(open_rows[-1] if open_rows else NONE)
        open_rows.append(row)
    return parents
