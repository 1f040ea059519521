"""Numbers that exist, states that follow one another, and sheets of numbers."""

from __future__ import annotations

from typing import Any

import pytest
from provisioning.domain.ddi_rules import FOLLOWS, ddi_refusals, number_refusals
from provisioning.domain.ddi_sheet import MAX_LINES, read_sheet

NUMBER = {
    "number": "+34944048182", "kind": "inout", "state": "active", "client_id": None,
    "ddi_provider_id": None, "target": "none",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "country", "unusual", "codes"),
    [
        ("+34944048182", "ES", False, []),
        ("+34100048182", "ES", False, ["unusual_number"]),
        ("+34100048182", "ES", True, []),
        ("+3494404818", "ES", False, ["unusual_number"]),
        ("+12125550100", "ES", False, ["not_in_country"]),
        ("+12125550100", "ES", True, ["not_in_country"]),
        ("+12125550123", None, False, ["not_in_country"]),
        ("+14165550123", "US", False, []),
        ("+441481960194", "GB", False, []),
        ("+390236618300", "IT", False, []),
        ("+39236618300", "IT", False, ["unusual_number"]),
        ("+34000000000", "ES", False, ["unusual_number"]),
    ],
)
def test_a_number_belongs_to_its_country_and_its_plan(
    number: str, country: str | None, unusual: bool, codes: list[str]
) -> None:
    """Typing errors are caught; numbering plans change faster than tables, so there is a way round."""
    assert [r.code for r in number_refusals(number, country, unusual=unusual)] == codes


def test_every_change_of_state_is_allowed_or_refused_as_the_table_says() -> None:
    """A number that left the platform must not answer calls again without coming back first."""
    for before in FOLLOWS:
        for after in FOLLOWS:
            found = list(ddi_refusals({**NUMBER, "state": after}, {**NUMBER, "state": before}))
            assert (found == []) == (after == before or after in FOLLOWS[before]), (before, after)
    assert FOLLOWS["ported_out"] == {"porting_in", "quarantine"}


@pytest.mark.parametrize(
    ("new", "old", "codes"),
    [
        ({"state": "ported_out"}, None, ["not_a_first_state"]),
        ({"state": "porting_in"}, None, []),
        ({"state": "quarantine", "client_id": "c"}, None, ["not_to_give"]),
        ({"state": "porting_in", "client_id": "c"}, None, []),
        ({"state": "quarantine", "client_id": "c"}, {"state": "quarantine"}, ["not_to_give"]),
        ({"state": "quarantine", "client_id": "c"}, {"state": "active", "client_id": "c"}, []),
        ({"kind": "out", "ddi_provider_id": "p"}, None, ["only_inout"]),
        ({"kind": "out", "target": "device"}, {}, ["only_inout"]),
    ],
)
def test_what_a_number_may_be_given_to_and_have(
    new: dict[str, Any], old: dict[str, Any] | None, codes: list[str]
) -> None:
    """Resting numbers are given to nobody; presentation numbers are never called."""
    before = None if old is None else {**NUMBER, **old}
    assert [r.code for r in ddi_refusals({**NUMBER, **new}, before)] == codes


def test_a_sheet_is_read_as_spreadsheets_write_it() -> None:
    """A byte order mark, semicolons, quotes, blank lines, numbers with blanks and dashes, Latin-1."""
    head = "\ufeffNumber;Client;Display Name\r\n"
    body = '+34 944-04.81 82;"Casa; Garcia";Casa\r\n\r\n+34(9)44048183\r\n'
    sheet = read_sheet((head + body).encode())
    assert [(line.number, line.values) for line in sheet.lines] == [
        (2, {"number": "+34944048182", "client": "Casa; Garcia", "display_name": "Casa"}),
        (4, {"number": "+34944048183"}),
    ]
    latin = read_sheet("number,description\n+34944048182,a\xf1o".encode("latin-1"))
    assert latin.lines[0].values["description"] == "a\xf1o"
    unicode_text = read_sheet("number\tdescription\r\n+34944048182\ta\xf1o; s\xed\r\n".encode("utf-16"))
    assert unicode_text.lines[0].values == {"number": "+34944048182", "description": "a\xf1o; s\xed"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", [(1, "number", "missing_column")]),
        (b"number\n", [(1, "file", "empty")]),
        (b"+34944048182\n", [(1, "+34944048182", "unknown_column"), (1, "number", "missing_column")]),
        (b"number,number\n1,2", [(1, "number", "repeated")]),
        (b"number\n1,2\n3", [(2, "line", "too_many_cells")]),
        (b'number\n"1\n', [(2, "line", "malformed_csv")]),
        (b"number\n1\n\x00", [(1, "file", "no_text")]),
        ("number\n1\n".encode("utf-16-le"), [(1, "file", "no_text")]),
        (b"number\n" + b"1\n" * (MAX_LINES + 1), [(MAX_LINES + 2, "file", "too_long")]),
    ],
    ids=[
        "nothing",
        "only-a-header",
        "no-header",
        "twice",
        "too-many-cells",
        "open-quote",
        "nul",
        "no-mark",
        "too-long",
    ],
)
def test_a_sheet_that_cannot_be_read_says_where(body: bytes, expected: list[tuple[int, str, str]]) -> None:
    """Nothing of it is taken in."""
    sheet = read_sheet(body)
    assert sheet.lines == []
    assert [(e.line, e.field, e.code) for e in sheet.errors][: len(expected)] == expected
