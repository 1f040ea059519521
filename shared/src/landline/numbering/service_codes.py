"""Service (star) codes that every brand has until it sets its own (domain.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Service = Literal[
    "forward_unconditional",
    "forward_busy",
    "forward_no_answer",
    "forward_not_registered",
    "voicemail",
    "withhold_once",
    "show_once",
]

DEFAULTS: Final[Mapping[str, str]] = {
    "forward_unconditional": "*80",
    "forward_busy": "*81",
    "forward_no_answer": "*82",
    "forward_not_registered": "*83",
    "voicemail": "*93",
    "withhold_once": "*31",
    "show_once": "#31",
}
