"""Which numbers are a country's own, also where countries share a calling code."""

from __future__ import annotations

import pytest
from landline.numbering.countries import calling_code, is_domestic


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("+34600123123", "ES", True),
        ("+33123456789", "ES", False),
        ("+12125550100", "US", True),
        ("+18765550100", "US", False),  # Jamaica: +1 too, and dear
        ("+14165550100", "CA", True),
        ("+390236618300", "IT", True),
        ("+", "ES", False),
        ("+34600123123", "XX", False),
    ],
)
def test_a_number_is_domestic_or_not(number: str, country: str, expected: bool) -> None:
    """In an outage, domestic calls go on unpriced: Jamaica for a client in the US would be a gift."""
    assert is_domestic(number, country) is expected


def test_every_country_has_its_calling_code() -> None:
    """Nobody is at home in an empty prefix."""
    assert (calling_code("ES"), calling_code("US"), calling_code("XX"), calling_code("")) == (
        "+34",
        "+1",
        "",
        "",
    )
