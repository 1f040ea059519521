"""One thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`state`: ok, note (could not be looked at), warning, wrong. `remedy` says what to do."""

    state: Literal["ok", "note", "warning", "wrong"]
    check: str
    found: str
    remedy: str
