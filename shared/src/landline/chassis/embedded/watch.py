"""Signals and the parent: when is this run over?"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
from pathlib import Path
from types import FrameType

from landline.chassis.embedded.errors import Interrupted

_PR_SET_PDEATHSIG = 1


class StopWatch:
    """Knows whether a stop was asked for; `wait` ends early on a signal or a child's death.

    Under make (`stop_with_parent`): a SIGINT sent to make alone is not passed on, make just waits for us.
    But make then stops catching it, which /proc tells; and if make is killed, so are we.
    """

    def __init__(self, stop_with_parent: bool = False) -> None:
        self.stopping = False
        self._parent = os.getppid() if stop_with_parent else None
        self._parent_caught = self._parent is not None and _catches_sigint(self._parent)
        self._reader, writer = socket.socketpair()
        self._writer = writer
        self._reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        if stop_with_parent:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def check(self) -> None:
        """Raise Interrupted if a stop was asked for. Handed to whatever waits during the start."""
        if self.stopping or self._parent_stops():
            self.stopping = True
            raise Interrupted

    def wait(self, seconds: float) -> None:
        """Sleep, at most until the next signal; then `check`."""
        self.check()
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(1024)
        self.check()

    def _parent_stops(self) -> bool:
        if self._parent is None:
            return False
        return os.getppid() != self._parent or (self._parent_caught and not _catches_sigint(self._parent))


def _catches_sigint(pid: int) -> bool:
    """Whether a process has a handler for SIGINT; yes when that cannot be read."""
    with contextlib.suppress(OSError, StopIteration, ValueError):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) & 1 << (signal.SIGINT - 1))
    return True
