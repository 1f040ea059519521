"""When wrong passwords from one address are guessing. Pure.

A phone with an old password fails again and again with one name: it must not take its whole home off the
network. A guesser tries many names, or one name very often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WINDOW_MS: Final = 600_000
MOST_NAMES: Final = 10
MOST_FAILURES: Final = 100
BAN_MS: Final = 600_000


def ban_ms(failures_by_name: Sequence[int]) -> int:
    """How long to ban an address with these failures in the window; 0: not at all."""
    guessing = len(failures_by_name) >= MOST_NAMES or sum(failures_by_name) >= MOST_FAILURES
    return BAN_MS if guessing else 0
