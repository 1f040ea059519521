"""CSV as operators open it: in a spreadsheet, with names that tenants chose."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from landline.chassis.csv_text import csv_line, wants_csv


@pytest.mark.parametrize(
    "text", ['=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2+3+x", "@SUM(A1)", "\t=1", "\r=1"]
)
def test_a_text_is_no_formula_to_a_spreadsheet(text: str) -> None:
    """Else a client's name runs at the operator's desk."""
    assert next(csv.reader(io.StringIO(csv_line([text]), newline=""))) == [f"'{text}"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("+34600123123", "+34600123123"),
        ("-12.50", "-12.50"),
        (["+34", "+351"], "+34;+351"),
        (["=1", "x"], "'=1;x"),
        ([80, 100], "80;100"),
        ([{"a": 1}], '[{"a": 1}]'),
        ({}, "{}"),
        (True, "true"),
        (None, ""),
        (-5, "-5"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_other_values_stay_readable(value: Any, cell: str) -> None:
    """Telephone numbers and money above all: they are what people sort and sum."""
    assert next(csv.reader(io.StringIO(csv_line([value, "x"])))) == [cell, "x"]


@pytest.mark.parametrize(
    ("accept", "csv_wanted"),
    [
        ("text/csv", True),
        ("TEXT/CSV", True),
        ("text/csv; charset=utf-8", True),
        ("text/csv, */*;q=0.1", True),
        ("text/csv, application/json;q=0.9", True),
        ("application/json, text/csv;q=0.5", False),
        ("text/csv;q=0", False),
        ("text/csv;q=nan", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_csv_is_sent_to_whom_prefers_it(accept: str, csv_wanted: bool) -> None:
    """A generic client that would take both, and says which it likes better, gets that."""
    assert wants_csv(accept) is csv_wanted
