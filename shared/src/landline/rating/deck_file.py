"""A rate deck as an immutable file, mapped read-only: one copy in memory for all workers of a host.

Lookup is one bisect for the number's own key, then up the parents to a prefix of the number. Whatever
sorts between a prefix and the number starts with that prefix, so has it as an ancestor: nothing is missed.
The layout is in `deck_layout`, the reasons and measurements in decision 0003.
"""

import hashlib
import mmap
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec

from landline.rating.deck_layout import (
    HEADER,
    KEY_DIGITS,
    MAGIC,
    DeckMeta,
    DeckRow,
    key_of,
    prefix_of,
    starts_with,
)
from landline.rating.deck_writer import write_deck
from landline.rating.errors import DeckDamaged, InvalidTariff
from landline.rating.pinned import price_from_plain
from landline.rating.tariff import Match, Price

__all__ = ["Deck", "DeckMeta", "DeckRow", "write_deck"]

_CACHE_LIMIT: Final = 4096
_record = msgspec.json.Decoder(tuple[str, list[int]])


class Deck:
    """An open deck. Safe for many readers; close it when no call needs it any more."""

    def __init__(self, mapped: mmap.mmap) -> None:
        """Use `open`. Raises DeckDamaged when header and size don't fit each other."""
        if len(mapped) < HEADER.size:
            raise DeckDamaged("shorter than a header")
        magic, size, rows, records, at_offsets, at_texts, at_meta, _ = HEADER.unpack_from(mapped)
        if magic != MAGIC:
            raise DeckDamaged("not a rate deck of this version and byte order")
        at_parents, at_records = HEADER.size + 8 * rows, HEADER.size + 12 * rows
        expected = (HEADER.size + 16 * rows, at_offsets + 8 * (records + 1))
        if size != len(mapped) or (at_offsets, at_texts) != expected or not at_texts <= at_meta <= size:
            raise DeckDamaged(f"{len(mapped)} bytes do not fit its header")
        try:
            self.meta = msgspec.json.decode(mapped[at_meta:], type=DeckMeta)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DeckDamaged("unreadable meta") from None
        self.rows: int = rows
        self._mapped = mapped
        self._at_texts: int = at_texts
        self._view = view = memoryview(mapped)
        self._keys = view[HEADER.size : at_parents].cast("Q")
        self._parents = view[at_parents:at_records].cast("I")
        self._records = view[at_records:at_offsets].cast("I")
        self._offsets = view[at_offsets:at_texts].cast("Q")
        self._prices: dict[int, tuple[str, Price]] = {}

    @classmethod
    def open(cls, path: Path | str, sha256: str | None = None) -> Self:
        """Maps the file. With `sha256` (hex) the whole file is read once and compared first.

        Raises DeckDamaged for a file that is not what was published, OSError when there is none.
        """
        with Path(path).open("rb") as file:
            if sha256 is not None and hashlib.file_digest(file, "sha256").hexdigest() != sha256.lower():
                raise DeckDamaged(f"checksum differs: {path}")
            try:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise DeckDamaged(f"empty file: {path}") from None
        try:
            return cls(mapped)
        except DeckDamaged:
            mapped.close()
            raise

    @property
    def deck_id(self) -> str:
        return self.meta.deck_id

    @property
    def version(self) -> int:
        return self.meta.version

    @property
    def currency(self) -> str:
        return self.meta.currency

    def find(self, number: str) -> Match | None:
        """Prefix, destination and price of the longest prefix of the number (E.164 with its +), if any."""
        return next(self.matches(number), None)

    def matches(self, number: str) -> Iterator[Match]:
        """All prefixes of the number, longest first. None for what is no number. Raises DeckDamaged."""
        digits = number[1 : KEY_DIGITS + 1]
        if number[:1] != "+" or not (digits.isascii() and digits.isdigit()):
            return
        key, length = key_of(digits, KEY_DIGITS), len(digits)
        row = bisect_right(self._keys, key) - 1
        while row >= 0:
            prefix_key = self._keys[row]
            if prefix_key & 15 <= length and starts_with(key, prefix_key):
                yield Match(number[: 1 + (prefix_key & 15)], *self._price(self._records[row]))
            parent = self._parents[row]
            row = parent if parent < row else -1  # NONE too; and a damaged file can't make a circle

    def __iter__(self) -> Iterator[DeckRow]:
        """Every row, prefixes in dictionary order. Raises DeckDamaged."""
        for key, record in zip(self._keys, self._records, strict=True):
            yield DeckRow(prefix_of(key), *self._price(record))

    def _price(self, record: int) -> tuple[str, Price]:
        known = self._prices.get(record)
        if known is None:
            if len(self._prices) >= _CACHE_LIMIT:
                self._prices.clear()
            known = self._prices[record] = self._decode(record)
        return known

    def _decode(self, record: int) -> tuple[str, Price]:
        try:
            first, end = self._offsets[record], self._offsets[record + 1]
            destination, plain = _record.decode(self._mapped[self._at_texts + first : self._at_texts + end])
            return destination, price_from_plain(plain)
        except (IndexError, msgspec.DecodeError, UnicodeDecodeError, InvalidTariff):
            raise DeckDamaged(f"unreadable record {record} of deck {self.deck_id}") from None

    def close(self) -> None:
        """Unmaps the file; the deck is of no use afterwards. Closing twice does nothing."""
        for view in (self._keys, self._parents, self._records, self._offsets, self._view):
            view.release()
        self._mapped.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
