"""The supervisor's word to the person at the terminal: stderr, one place."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print to stderr at once. A terminal that has gone away is no reason to fail."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        pass
