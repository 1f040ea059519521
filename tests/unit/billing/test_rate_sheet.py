"""Rate sheets as carriers really send them: what is read, and what each bad line is told."""

from __future__ import annotations

import pytest
from billing.domain.rate_sheet import MAX_ERRORS, read_sheet
from landline.rating.tariff import Price, Tier

HEADER = "destination name,prefix,rate per minute,connect fee,increment,interval_start\n"
SPAIN = ("Spain", Price.of("0.05", Tier.of(0, "0.10", 60)))

READ = {
    "our own header": HEADER + "Spain,+34,0.10,0.05,60,0\n",
    "no header, the order of the model system": "Spain,+34,0.10,0.05,60\n",
    "quotes, blanks, a missing plus, CRLF": '"Spain", 34 ,0.10,"0.05",60\r\n',
    "semicolons and decimal commas": "destination;prefix;rate;connect fee;increment\nSpain;34;0,10;0,05;60\n",
    "columns in another order, some of no interest": "Code,Valid,Rate,Setup fee,Name,Increment\n"
    "34,yes,0.10,0.05,Spain,60\n",
    "a byte order mark and empty lines": "\ufeff" + HEADER + "\n\nSpain,+34,0.10,0.05,60,\n\n",
    "increments with an s": "Spain,+34,0.1,0.05,60s\n",
}


@pytest.mark.parametrize("name", READ)
def test_a_sheet_is_read(name: str) -> None:
    """Operators do not rewrite the sheets of their carriers."""
    sheet = read_sheet(READ[name].encode())
    assert (sheet.errors, sheet.rates) == ([], {"+34": SPAIN})


def test_several_lines_of_a_prefix_are_its_tiers_in_any_order() -> None:
    """A dearer first minute takes two lines; lost, the whole call would cost the second rate."""
    body = HEADER + "Spain,+34,0.06,,1,60\nSpain,+34,0.10,0.05,60,0\n"
    fee_first = HEADER + "Spain,+34,0.10,0.05,60,0\nSpain,+34,0.06,,1,60\n"
    price = Price.of("0.05", Tier.of(0, "0.10", 60), Tier.of(60, "0.06", 1))
    assert read_sheet(fee_first.encode()).rates == {"+34": ("Spain", price)}
    assert read_sheet(body.encode()).rates["+34"][1].tiers == price.tiers


def test_latin_1_is_read_when_it_is_no_utf_8() -> None:
    """Old spreadsheets still write it."""
    assert read_sheet("España,+34,0.1,0,60\n".encode("latin-1")).rates["+34"][0] == "España"


@pytest.mark.parametrize("mapping", [{"prefix": "PFX", "rate": "EUR/min"}, {"prefix": 3, "rate": "2"}])
def test_a_mapping_names_columns_that_nobody_could_guess(mapping: dict[str, str | int]) -> None:
    """Header mapping by name or by column number, from 1."""
    body = "name,eur/min,pfx,increment\nSpain,0.10,34,60\n"
    sheet = read_sheet(body.encode(), mapping)
    assert sheet.rates == {"+34": ("Spain", Price.of("0", Tier.of(0, "0.10", 60)))}


REFUSED = {
    "Spain,+34,abc,0,60\n": [(1, "rate", "invalid")],
    "Spain,+34,-1,0,60\n": [(1, "rate", "invalid")],
    "Spain,+34,1e3,0,60\n": [(1, "rate", "invalid")],
    "Spain,+34,0.1,0,0\n": [(1, "increment", "invalid")],
    "Spain,+34,0.1,0,1.5\n": [(1, "increment", "invalid")],
    "Spain,+34,0.1,x,60\n": [(1, "connect_fee", "invalid")],
    "Spain,34x,0.1,0,60\n": [(1, "prefix", "invalid")],
    "Spain,,0.1,0,60\n": [(1, "prefix", "invalid")],
    "Spain,0034,0.1,0,60\n": [(1, "prefix", "invalid")],
    "Spain,1234567890123456,0.1,0,60\n": [(1, "prefix", "invalid")],
    ",+34,0.1,0,60\n": [(1, "destination", "invalid")],
    "Spain,+34,0.1\n": [(1, "line", "missing_column")],
    "A,+34,0.1,0,60\nB,+35,0.1,0,60\nA,34,0.2,0,60\n": [(3, "prefix", "duplicate")],
    HEADER + "A,+34,0.1,0,60,30\n": [(2, "interval_start", "invalid")],
    HEADER + "A,+34,0.1,0,60,0\nA,+34,0.1,0,60,90\n": [(2, "interval_start", "invalid")],
    HEADER + "A,+34,0.1,0.1,60,0\nA,+34,0.1,0.2,60,60\n": [(3, "connect_fee", "contradiction")],
    "": [(1, "file", "empty")],
    HEADER: [(1, "file", "empty")],
    "name,prefix,rate\nA,34,1\n": [(1, "increment", "missing_column")],
    'Spain,"+34,0.1\n': [(1, "line", "malformed_csv")],
}


@pytest.mark.parametrize("body", REFUSED)
def test_a_bad_line_is_named_and_no_rate_is_given(body: str) -> None:
    """All or nothing, and the operator must find the line in an editor."""
    sheet = read_sheet(body.encode())
    found = [(e.line, e.field, e.code) for e in sheet.errors]
    assert [(n, f) for n, f, _ in found] == [(n, f) for n, f, _ in REFUSED[body]]
    assert sheet.rates == {}
    assert sheet.error_count == len(sheet.errors)


def test_a_sheet_that_is_wrong_everywhere_is_not_listed_for_ever() -> None:
    """A wrong file of 100,000 lines must not become an answer of 10 MB."""
    sheet = read_sheet(b"Spain,+34,x,0,60\n" * (MAX_ERRORS + 5))
    assert (len(sheet.errors), sheet.error_count) == (MAX_ERRORS, MAX_ERRORS + 5)


def test_lines_of_binary_garbage_are_refused_not_raised() -> None:
    """Somebody will upload the spreadsheet itself."""
    sheet = read_sheet(bytes(range(256)) * 50)
    assert sheet.error_count > 0
    assert sheet.rates == {}
