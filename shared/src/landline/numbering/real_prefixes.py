"""Real prefixes of the world's numbering plans, from phonenumbers metadata: for demo decks and the bench."""

from __future__ import annotations

from collections.abc import Iterator

import phonenumbers
from phonenumbers.phonenumberutil import region_code_for_country_code


def country_prefixes() -> Iterator[tuple[str, str]]:
    """(`+34`, `ES`) for every calling code in use; codes without a country are named by themselves."""
    for code in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE):
        region = region_code_for_country_code(code)
        yield f"+{code}", region if region != "001" else f"International {code}"


def mobile_prefixes() -> Iterator[tuple[str, str]]:
    """(`+34600`, `ES mobile`): about 29,000 ranges that phonenumbers knows a mobile carrier of."""
    from phonenumbers.carrierdata import CARRIER_DATA  # 4 MB that only demo and bench need

    for digits in CARRIER_DATA:
        yield f"+{digits}", f"{_region(digits)} mobile"


def place_prefixes() -> Iterator[tuple[str, str]]:
    """(`+3491`, `ES Madrid`): about 290,000 geographic ranges; takes seconds to load."""
    from phonenumbers.geodata import GEOCODE_DATA

    for digits, names in GEOCODE_DATA.items():
        place = names.get("en") or next(iter(names.values()))
        yield f"+{digits}", f"{_region(digits)} {place}"[:60]


def _region(digits: str) -> str:
    for length in (1, 2, 3):
        region = region_code_for_country_code(int(digits[:length]))
        if region != "ZZ":
            return region
    return "ZZ"
