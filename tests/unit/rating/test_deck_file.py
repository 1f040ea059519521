"""The deck file: every prefix is found again, and a file that is not what was published is never used."""

import hashlib
import os
from pathlib import Path

import pytest
from landline.rating import deck_file
from landline.rating.deck_file import Deck, DeckMeta, DeckRow, write_deck
from landline.rating.deck_layout import HEADER
from landline.rating.errors import DeckDamaged, DuplicatePrefix, InvalidTariff
from landline.rating.tariff import Price, Tier

META = DeckMeta("01960000-0000-7000-8000-000000000001", 4, "EUR", False, "World, wholesale")
CHEAP = Price.of("0", Tier.of(0, "0.01", 1))
DEAR = Price.of("0.15", Tier.of(0, "0.30", 60), Tier.of(60, "0.123456789", 1))
ROWS = [
    DeckRow("+346", "Spain mobile", DEAR),
    DeckRow("+34", "Spain", CHEAP),
    DeckRow("+340", "Spain zero", CHEAP),
    DeckRow("+34612345678", "One line", CHEAP),
    DeckRow("+1", "North America", CHEAP),
    DeckRow("+123456789012345", "Fifteen digits", DEAR),
    DeckRow("+0", "Nowhere", CHEAP),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deck"


@pytest.fixture
def published(path: Path) -> str:
    return write_deck(path, META, ROWS)


@pytest.mark.parametrize(
    ("number", "prefix"),
    [
        ("+34911234567", "+34"),
        ("+34611111111", "+346"),
        ("+34612345678", "+34612345678"),
        ("+346123456789", "+34612345678"),
        ("+34612345677", "+346"),
        ("+3461234567", "+346"),
        ("+34", "+34"),
        ("+340", "+340"),
        ("+3400", "+340"),
        ("+3", None),
        ("+123456789012345", "+123456789012345"),
        ("+1234567890123456", "+123456789012345"),
        ("+12345678901234", "+1"),
        ("+0", "+0"),
        ("+99999999999", None),
        ("34911234567", None),
        ("+", None),
        ("", None),
        ("+34a", None),
        ("+٣٤", None),
    ],
)
def test_a_number_finds_its_longest_prefix(
    path: Path, published: str, number: str, prefix: str | None
) -> None:
    with Deck.open(path, published) as deck:
        found = deck.find(number)
        assert (found and found.prefix) == prefix


def test_all_prefixes_of_a_number_come_longest_first(path: Path, published: str) -> None:
    with Deck.open(path) as deck:
        assert [m.prefix for m in deck.matches("+34612345678")] == ["+34612345678", "+346", "+34"]


def test_a_deck_gives_back_what_was_written(path: Path, published: str) -> None:
    with Deck.open(path, published.upper()) as deck:
        assert (deck.deck_id, deck.version, deck.currency, deck.rows) == (META.deck_id, 4, "EUR", len(ROWS))
        assert deck.meta == META
        assert list(deck) == sorted(ROWS)
        assert deck.find("+34600") == ("+346", "Spain mobile", DEAR)
        assert deck.find("+34600") == ("+346", "Spain mobile", DEAR), "from the cache as from the file"


def test_the_checksum_is_that_of_the_file(path: Path) -> None:
    assert write_deck(path, META, ROWS[:1]) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_deck_with_a_minimum_charge_has_it_in_every_price(path: Path) -> None:
    write_deck(path, DeckMeta("d", 1, "EUR", minimum_charge=True), ROWS)
    with Deck.open(path) as deck:
        found = deck.find("+34600")
        assert found is not None
        assert found.price.minimum_charge


def test_an_empty_deck_finds_nothing(path: Path) -> None:
    write_deck(path, META, [])
    with Deck.open(path) as deck:
        assert deck.find("+34600") is None
        assert list(deck) == []


def test_the_price_cache_stays_small(path: Path, published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deck_file, "_CACHE_LIMIT", 1)
    with Deck.open(path) as deck:
        assert list(deck) == sorted(ROWS)
        assert len(deck._prices) == 1


def test_a_new_version_replaces_the_file_while_readers_keep_the_old_one(path: Path, published: str) -> None:
    with Deck.open(path) as old:
        write_deck(path, DeckMeta(META.deck_id, 5, "EUR"), ROWS[:1])
        with Deck.open(path) as new:
            assert (old.version, old.rows, new.version, new.rows) == (4, len(ROWS), 5, 1)


def test_a_deck_may_be_closed_twice(path: Path, published: str) -> None:
    deck = Deck.open(path)
    deck.close()
    deck.close()


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (DeckRow("34", "x", CHEAP), "prefix"),
        (DeckRow("+", "x", CHEAP), "prefix"),
        (DeckRow("+1234567890123456", "x", CHEAP), "prefix"),
        (DeckRow("+34\n", "x", CHEAP), "prefix"),
        (DeckRow("+34", "x" * 101, CHEAP), "destination"),
        (DeckRow("+34", "x", Price(0, ())), "tiers"),
    ],
)
def test_a_bad_row_is_refused_and_no_file_appears(path: Path, row: DeckRow, field: str) -> None:
    with pytest.raises(InvalidTariff) as refused:
        write_deck(path, META, [*ROWS, row])
    assert refused.value.field == field
    assert os.listdir(path.parent) == []


def test_a_prefix_given_twice_is_refused(path: Path) -> None:
    with pytest.raises(DuplicatePrefix) as refused:
        write_deck(path, META, [*ROWS, DeckRow("+346", "Again", CHEAP)])
    assert refused.value.prefix == "+346"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    path: Path, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_deck(path, META, ROWS[:1])
    assert os.listdir(path.parent) == ["deck"]
    with Deck.open(path, published) as deck:
        assert deck.rows == len(ROWS)


def test_a_file_with_another_checksum_is_not_used(path: Path, published: str) -> None:
    with pytest.raises(DeckDamaged, match="checksum"):
        Deck.open(path, "0" * 64)


def spoil(path: Path, at: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)


@pytest.mark.parametrize("size", [0, 10, HEADER.size, 200, -1])
def test_a_file_cut_short_is_not_used(path: Path, published: str, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DeckDamaged):
        Deck.open(path)


@pytest.mark.parametrize("at", [0, 8, 16, 24, 32, 40, 48])
def test_a_header_that_does_not_fit_is_not_used(path: Path, published: str, at: int) -> None:
    spoil(path, at, b"\xff" * 8)
    with pytest.raises(DeckDamaged):
        Deck.open(path)


def test_a_file_without_readable_meta_is_not_used(path: Path, published: str) -> None:
    spoil(path, path.stat().st_size - 2, b"\xff\xff")
    with pytest.raises(DeckDamaged, match="meta"):
        Deck.open(path)


def test_a_damaged_record_is_told_when_it_is_needed(path: Path, published: str) -> None:
    spoil(path, path.read_bytes().index(b'["Spain mobile"'), b"\xff\xff")
    with Deck.open(path) as deck, pytest.raises(DeckDamaged, match="record"):
        deck.find("+34600")


def test_damaged_parents_cannot_make_a_lookup_run_for_ever(path: Path, published: str) -> None:
    rows = len(ROWS)
    spoil(path, HEADER.size + 8 * rows, (1).to_bytes(4, "little") * rows)
    with Deck.open(path) as deck:
        assert deck.find("+99999") is None
