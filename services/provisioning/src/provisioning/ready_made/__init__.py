"""Platform data that comes with the product, as CSV that people can review: dear and risky ranges, emergency
numbers. `python -m provisioning.ready_made` writes it anew from phonenumbers metadata; a migration brings it
into the tables, as rows of the platform that operators may change."""

from __future__ import annotations

import csv
from importlib.resources import files

RISK_CLASSES = "risk_classes.csv"
EMERGENCY_NUMBERS = "emergency_numbers.csv"


def listed(name: str) -> list[dict[str, str]]:
    """The rows of one of the files."""
    text = (files(__package__) / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
