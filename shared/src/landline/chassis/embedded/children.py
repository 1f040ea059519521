"""The two Python processes of a run, kept alive: restarted with back-off, given up when they keep dying."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from landline.chassis.embedded.console import say
from landline.chassis.embedded.logs import Follower
from landline.chassis.embedded.patience import Patience, how
from landline.chassis.embedded.process import guarded


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
        self._patience = Patience(name, log)
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
        if self.process is not None:
            code, self.process = self.process.returncode, None
            wait_s = self._patience.note_death(code)
            self._start_at = time.monotonic() + wait_s
            say(f"[{self.name}] {how(code)}; starting again in {wait_s:.1f} s")
        if time.monotonic() >= self._start_at:
            self.start()

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
