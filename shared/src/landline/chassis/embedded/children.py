"""The two Python processes of a run, kept alive: restarted with back-off, given up when they keep dying."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from landline.chassis.embedded.console import say
from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.logs import Follower
from landline.chassis.embedded.process import guarded, last_lines

MAX_DEATHS = 5
WITHIN_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0


class Child:
    """A Python module as a process. `look()` is called often: it notices a death and restarts in time."""

    def __init__(
        self,
        name: str,
        module: str,
        log: Path,
        env: Mapping[str, str],
        keep_fds: Sequence[int],
        verbose: bool,
    ) -> None:
        self.name = name
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, "-P", "-m", module]
        self._env = dict(env)
        self._keep_fds = tuple(keep_fds)
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)
        self._start_at = 0.0
        self._follower = Follower(name, log, verbose)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start now. A child is killed when the supervisor dies: its stores go at the same moment."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                guarded(self._command, signal.SIGKILL, folder=Path.cwd()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._env,
                pass_fds=self._keep_fds,
            )

    def look(self) -> None:
        """Show its new log lines; restart it if it is dead. CannotStart when it died too often."""
        self._follower.look()
        if self.running:
            return
        now = time.monotonic()
        if self.process is not None:
            self._note_death(self.process.returncode, now)
            self.process = None
        if now >= self._start_at:
            self.start()

    def _note_death(self, code: int, now: float) -> None:
        self._deaths.append(now)
        recent = [moment for moment in self._deaths if now - moment <= WITHIN_S]
        if len(recent) >= MAX_DEATHS:
            raise CannotStart(
                f"{self.name} ended {MAX_DEATHS} times within {WITHIN_S:.0f} s (last: {_how(code)}); "
                f"stopping. Its last lines, from {self.log}:\n{last_lines(self.log)}",
                1,
            )
        wait_s = min(_FIRST_WAIT_S * 2 ** (len(recent) - 1), _LONGEST_WAIT_S)
        self._start_at = now + wait_s
        say(f"[{self.name}] {_how(code)}; starting again in {wait_s:.1f} s")

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        if self.running and self.process is not None:
            self.process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end until a moment of time.monotonic(), then SIGKILL."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._follower.look()


def _how(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"
