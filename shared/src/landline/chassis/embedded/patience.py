"""How often something may die before everything stops."""

from __future__ import annotations

import signal
import time
from collections import deque
from pathlib import Path

from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.process import last_lines

MAX_DEATHS = 5
WITHIN_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0


class Patience:
    """Counts the deaths of one process."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    def note_death(self, code: int | None) -> float:
        """Seconds to wait before the next start; CannotStart with its last lines at the fifth death."""
        now = time.monotonic()
        self._deaths.append(now)
        recent = sum(now - moment <= WITHIN_S for moment in self._deaths)
        if recent >= MAX_DEATHS:
            raise CannotStart(
                f"{self.name} ended {MAX_DEATHS} times within {WITHIN_S:.0f} s (last: {how(code)}); "
                f"stopping. Its last lines, from {self.log}:\n{last_lines(self.log)}",
                1,
            )
        return float(min(_FIRST_WAIT_S * 2 ** (recent - 1), _LONGEST_WAIT_S))


def how(code: int | None) -> str:
    """`killed by SIGKILL`, `ended with code 3`."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
