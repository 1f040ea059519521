"""Telephone numbers in E.164 form with a plus sign (ITU-T E.164; at most 15 digits)."""

from __future__ import annotations

import re
from typing import NewType

E164 = NewType("E164", str)

# Three digits at least: short national services reached as +<country><short> stay representable.
_E164 = re.compile(r"\+[1-9]\d{2,14}")


class NotE164(ValueError):
    """The text is not `+` and 3 to 15 digits."""


def is_e164(text: str) -> bool:
    """True for `+34600123123`; False for national, empty, anonymous or over-long numbers."""
    return _E164.fullmatch(text) is not None


def e164(text: str) -> E164:
    """The text as an E.164 number; NotE164 when it is none."""
    if not is_e164(text):
        raise NotE164(f"not a number in E.164 form: {text[:40]!r}")
    return E164(text)
