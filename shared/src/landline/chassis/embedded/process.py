"""One server process of ours: started under the guard, waited for, stopped, killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from landline.chassis.embedded.errors import CannotStart

GUARD = str(Path(__file__).with_name("guard.py"))
HOST = "127.0.0.1"
_TAIL_BYTES = 4096
_PORTS = range(15000, 32000)
_STARTS = 4

Command = list[str | Path]


def nothing() -> None:
    """The `tick` of a caller that has nothing to watch while waiting."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody uses at this moment.

    Below the range that outgoing connections take theirs from: while a server is down, whoever keeps trying
    to reach it could otherwise be given its very port, connect to himself, and keep it from coming back.
    """
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise CannotStart(f"no free port between {_PORTS.start} and {_PORTS.stop} on {HOST}", 1)


def guarded(
    command: Sequence[str | Path], death_signal: int, identity: str = "same", folder: str | Path = "/"
) -> list[str]:
    """The command line that runs `command` under the guard (see guard.py)."""
    prefix = [
        sys.executable,
        "-I",
        "-S",
        GUARD,
        str(int(death_signal)),
        str(os.getpid()),
        identity,
        str(folder),
    ]
    return prefix + [str(part) for part in command]


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log, for a message; empty when there is none."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-count:])
    return ""


class Server:
    """A server process with a log file, on one port of 127.0.0.1.

    `start` returns when the server accepts work; `stop` asks it to end and waits; `kill` is SIGKILL, for
    tests of what survives. The port is kept over restarts. `tick` is called while waiting and may raise.
    `keep_fds` are inherited by the server: the folder's lock is held as long as any server lives.
    """

    stop_signal = signal.SIGTERM
    start_timeout_s = 30.0

    def __init__(self, name: str, log: Path, port: int = 0, keep_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.log = log
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._keep_fds = tuple(keep_fds)
        self._was_ready = bool(port)

    @property
    def running(self) -> bool:
        """Whether the process is there (not: whether it answers)."""
        return self.process is not None and self.process.poll() is None

    def look(self) -> None:
        """Called several times a second while it runs."""

    def _ready(self) -> bool:
        raise NotImplementedError

    def _spawn(
        self, command: Sequence[str | Path], identity: str = "same", env: Mapping[str, str] | None = None
    ) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                guarded(command, self.stop_signal, identity),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # the terminal's Ctrl-C is the supervisor's business alone
                pass_fds=self._keep_fds,
                env=env,
            )

    def _command(self) -> Command:
        """The command line, for the present port."""
        raise NotImplementedError

    def _run(self, identity: str = "same", tick: Callable[[], None] = nothing) -> None:
        """Spawn and wait. A few tries: the port may be taken meanwhile, and after kill -9 PostgreSQL's
        old backends hold its shared memory for a moment. Once it was ready, the port stays."""
        for attempt in range(1, _STARTS + 1):
            self._spawn(self._command(), identity)
            try:
                self._wait_ready(tick)
                self._was_ready = True
                return
            except CannotStart:
                if self.running or attempt == _STARTS:
                    raise
            if not self._was_ready:
                self.port = free_port()
            time.sleep(0.3 * attempt)

    def _wait_ready(self, tick: Callable[[], None] = nothing) -> None:
        deadline = time.monotonic() + self.start_timeout_s
        while not self._ready():
            tick()
            if not self.running:
                raise CannotStart(
                    f"{self.name} ended while starting; its last lines:\n{last_lines(self.log)}", 1
                )
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{self.name} did not answer within {self.start_timeout_s:.0f} s: see {self.log}", 1
                )
            time.sleep(0.02)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the server to end, wait; SIGKILL after `timeout_s`. Does nothing when it is not running."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def answers(port: int, question: bytes, timeout_s: float = 1.0) -> bytes:
    """The first bytes a server on 127.0.0.1 answers to `question`; empty when it does not."""
    try:
        with socket.create_connection((HOST, port), timeout_s) as connection:
            connection.sendall(question)
            return connection.recv(512)
    except OSError:
        return b""
