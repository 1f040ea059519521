"""Ready-made dial plans of all countries, from phonenumbers metadata (Google libphonenumber).

What the metadata can't say in one prefix is chosen here: where a country has many carrier-selection
international codes, the one most people dial.
"""

from __future__ import annotations

from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata

from landline.numbering.generator import DialPlan

# Countries whose international code is a choice of carrier and where the metadata prefers none.
_INTERNATIONAL = {
    "BO": "00",  # alone it is valid: 00(?:1\d)?
    "BR": "0021",
    "CL": "00",  # older 1XX0 carrier selection is being retired
    "CO": "009",
    "ID": "008",
    "IL": "00",
    "KH": "001",
    "KP": "00",
    "KR": "001",
    "PW": "011",
    "SB": "00",
    "SG": "001",
    "TH": "001",
    "TW": "002",
    "TZ": "000",
    "UG": "000",
}

# Belarus: 8, then 0 unless the number begins with 8. Lengths name the ones that take the trunk prefix.
_BY = DialPlan("375", "810", trunk_prefix="80", national_lengths=(9,))


class UnknownCountry(LookupError):
    """No numbering metadata for this ISO 3166 code."""


def countries() -> tuple[str, ...]:
    """Every country with a ready-made plan, ISO 3166 alpha-2, sorted."""
    return tuple(sorted(phonenumbers.SUPPORTED_REGIONS))


@cache
def calling_code(country: str) -> str:
    """`+34` of `ES`; empty for a country without one."""
    code = phonenumbers.country_code_for_region(country)
    return f"+{code}" if code else ""


def is_domestic(number: str, country: str) -> bool:
    """Whether an E.164 number is one of that country; where countries share a code, by the number's range."""
    code = calling_code(country)
    if not code or not number.startswith(code):
        return False
    if len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[int(code[1:])]) == 1:
        return True
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) == country
    except phonenumbers.NumberParseException:
        return False


@cache
def dial_plan(country: str) -> DialPlan:
    """The dial plan of a country; UnknownCountry when there is none (the set is then written by hand)."""
    metadata = PhoneMetadata.metadata_for_region(country)
    if metadata is None or metadata.general_desc is None:
        raise UnknownCountry(country)
    if country == "BY":
        return _BY
    return DialPlan(
        country_code=str(metadata.country_code),
        international_code=_international(country, metadata),
        trunk_prefix=metadata.national_prefix or "",
        national_lengths=tuple(metadata.general_desc.possible_length),
    )


def _international(country: str, metadata: PhoneMetadata) -> str:
    preferred = (metadata.preferred_international_prefix or "").replace("~", "")  # ~ = wait for a tone
    plain = metadata.international_prefix or ""
    return preferred or (plain if plain.isdigit() else _INTERNATIONAL.get(country, "00"))
