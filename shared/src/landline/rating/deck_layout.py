"""The deck file's layout, said once for its writer and its reader (decision 0003).

Native byte order; the magic, read as an integer, differs on a machine of the other order:

    header   8 u64: magic with format version, bytes in all, rows, records, and where
             the offsets, the texts, the meta begin; 0
    keys     u64 per row, sorted: int(prefix digits padded with zeros to 15) * 16 + number of digits
    parents  u32 per row: row of the longest proper prefix that the deck has, else NONE
    records  u32 per row: which price and destination
    offsets  u64 per record, and one more: where its text begins, from the start of the texts
    texts    JSON per record: [destination, price as in `pinned`]
    meta     JSON of DeckMeta
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from landline.rating.tariff import Price

MAGIC: Final = int.from_bytes(b"LLDECK\x00\x01", "little")
HEADER: Final = Struct("=8Q")
NONE: Final = 0xFFFF_FFFF
KEY_DIGITS: Final = 15  # E.164: a number has at most 15 digits
TENS: Final = tuple(10 ** (KEY_DIGITS - length) for length in range(KEY_DIGITS + 1))


@dataclass(frozen=True, slots=True)
class DeckMeta:
    """What the deck is; `version` is the one that `tariff.published` names."""

    deck_id: str
    version: int
    currency: str
    minimum_charge: bool = False
    name: str = ""


class DeckRow(NamedTuple):
    """Prefix ("+34612"), name of the destination, price (its `minimum_charge` comes from the deck)."""

    prefix: str
    destination: str
    price: Price


def key_of(digits: str, length: int) -> int:
    """Sorts a prefix right before all that it is a prefix of. `digits`: at most 15, ASCII."""
    return int(digits.ljust(KEY_DIGITS, "0")) << 4 | length


def starts_with(key: int, prefix_key: int) -> bool:
    """Whether the first digits of one key are the whole prefix of the other; lengths are not compared."""
    ten: int = TENS[prefix_key & 15]
    return (key >> 4) // ten == (prefix_key >> 4) // ten


def prefix_of(key: int) -> str:
    """The prefix of a key, with its +."""
    return "+" + f"{key >> 4:015d}"[: key & 15]
