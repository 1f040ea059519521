"""Write the ready-made lists anew: after phonenumbers was updated; look at the diff, add a migration."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import region_code_for_country_code

from provisioning.ready_made import EMERGENCY_NUMBERS, RISK_CLASSES
from provisioning.ready_made.prefixes import collapsed, heads

DEEP = 5
METADATA = f"libphonenumber {phonenumbers.__version__}"
ITU = "ITU-T E.164, list of assigned country codes"
GLOBAL = {
    "+870": "Inmarsat satellite",
    "+878": "universal personal telecommunications",
    "+881": "global mobile satellite systems",
    "+882": "international networks, many of them satellite",
    "+883": "international networks",
    "+888": "no country: disaster relief, withdrawn",
    "+979": "international premium rate service",
}
SMALL = {
    "+246": "Diego Garcia",
    "+247": "Ascension",
    "+290": "Saint Helena",
    "+500": "Falkland Islands",
    "+672": "Norfolk Island and Antarctica",
    "+674": "Nauru",
    "+677": "Solomon Islands",
    "+678": "Vanuatu",
    "+681": "Wallis and Futuna",
    "+682": "Cook Islands",
    "+683": "Niue",
    "+686": "Kiribati",
    "+688": "Tuvalu",
    "+690": "Tokelau",
    "+850": "North Korea",
}
Row = tuple[str, ...]


def risk_rows() -> Iterator[Row]:
    """prefix, risk, country, description, source."""
    for prefix, (service, country) in _services().items():
        source = f"{METADATA}: numbering metadata of {country}"
        yield prefix, "special_rate", country, f"{service}, {country}", source
    for prefix, name in GLOBAL.items():
        yield prefix, "high_risk", "", name, ITU
    yield "+808", "special_rate", "", "international shared cost service", ITU
    for prefix, name in SMALL.items():
        about = f"{name}: few subscribers, dear to reach, often misused"
        yield prefix, "high_risk", "", about, f"{ITU}; classed by Landline"


def _services() -> dict[str, tuple[str, str]]:
    """Premium and shared-cost ranges of all countries; what is also fixed or mobile there is left out."""
    found: dict[str, tuple[str, str]] = {}
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        metadata = PhoneMetadata.metadata_for_region(region)
        assert metadata is not None
        wanted = {"shared cost": metadata.shared_cost, "premium rate": metadata.premium_rate}
        patterns = {name: p for name, desc in wanted.items() if (p := _pattern(desc)) is not None}
        if not patterns:
            continue
        ordinary = _heads(metadata.fixed_line) | _heads(metadata.mobile)
        country = region_code_for_country_code(metadata.country_code or 0)
        for service, pattern in patterns.items():
            for prefix in collapsed(heads(pattern, DEEP) - ordinary):
                found[f"+{metadata.country_code}{prefix}"] = (service, country)
    return {p: what for p, what in found.items() if all(found.get(p[:n]) != what for n in range(2, len(p)))}


def _pattern(desc: object) -> str | None:
    pattern = getattr(desc, "national_number_pattern", None)
    return pattern if pattern and pattern != "NA" else None


def _heads(desc: object) -> set[str]:
    pattern = _pattern(desc)
    return heads(pattern, DEEP) if pattern else set()


def emergency_rows() -> Iterator[Row]:
    """number, country, description, source."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        metadata = PhoneMetadata.short_metadata_for_region(region)
        pattern = _pattern(metadata.emergency) if metadata is not None else None
        for number in sorted(heads(pattern, 8)) if pattern else ():
            if re.fullmatch(pattern or "", number):
                yield number, region, "emergency services", f"{METADATA}: short numbers of {region}"


def write(path: Path, columns: Row, rows: Iterable[Row]) -> None:
    """One file, sorted, so that a diff shows what changed."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *sorted(rows)])


if __name__ == "__main__":
    here = Path(__file__).parent
    write(here / RISK_CLASSES, ("prefix", "risk", "country", "description", "source"), risk_rows())
    write(here / EMERGENCY_NUMBERS, ("number", "country", "description", "source"), emergency_rows())
