"""The whole platform as its users start it: `landline run` in a folder of its own, driven from outside.

For scenarios, chaos and the bench. Everything goes through the public port; only the stores' addresses are
read from the data folder, for tests that kill a store or count its commands.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from landline.chassis.embedded.rest_client import RestClient

START_WITHIN_S = 90.0
ADMIN_PASSWORD = "an admin of tests 1"


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """One run. `start`, use `url`, `stop`; the data folder survives for the next `start`."""

    def __init__(self, data: Path, *, demo: bool = False, env: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._demo = demo
        self._env = env or {}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Stack:
        """Up and ready, or AssertionError with what the run printed."""
        command = [sys.executable, "-m", "landline.chassis.embedded.cli", "run"]
        command += ["--port", str(self.port), "--data", str(self.data), "--stop-with-parent"]
        command += [] if self._demo else ["--no-demo"]
        self.data.mkdir(parents=True, exist_ok=True)
        self.output = self.data / "run.out"
        with self.output.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                cwd=self.data,
                start_new_session=True,
                env={**os.environ, "LANDLINE_ADMIN_PASSWORD": ADMIN_PASSWORD, **self._env},
            )
        self.wait_ready()
        return self

    def wait_ready(self, within_s: float = START_WITHIN_S) -> None:
        """Until GET /readyz is 200."""
        assert self._process is not None
        until = time.monotonic() + within_s
        said = "nothing answered"
        while time.monotonic() < until:
            assert self._process.poll() is None, f"the run ended:\n{self.output.read_text()}"
            try:
                answer = httpx.get(f"{self.url}/readyz", timeout=3)
                if answer.status_code == 200:
                    return
                said = answer.text
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready in {within_s:.0f} s: {said}\n{self.output.read_text()}")

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        return self._process.wait(30)

    def processes(self) -> dict[str, psutil.Process]:
        """By role: supervisor, web, work, postgres (the postmaster), valkey."""
        assert self._process is not None
        supervisor = psutil.Process(self._process.pid)
        found = {"supervisor": supervisor}
        for child in supervisor.children(recursive=True):
            role = _role(child)
            if role and role not in found:
                found[role] = child
        return found

    def kill(self, role: str) -> None:
        """kill -9 of one process; the supervisor brings it back."""
        self.processes()[role].kill()

    def admin(self) -> RestClient:
        """REST as the platform admin."""
        return RestClient.login(self.url, "admin", ADMIN_PASSWORD)

    def redis_url(self) -> str:
        """Where the run's own Valkey listens, with its password."""
        words = self.processes()["web"].environ()
        return words["LANDLINE_REDIS_URL"]

    def secret(self, name: str) -> str:
        """A generated secret of the data folder, e.g. `internal_key`."""
        config: dict[str, Any] = json.loads((self.data / "config.json").read_text())
        return str(config[name])


def _role(process: psutil.Process) -> str | None:
    try:
        words = process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    line = " ".join(words)
    if "valkey-server" in line or "redis-server" in line:
        return "valkey"
    if words and words[0].endswith("/postgres"):
        return "postgres"
    for role in ("web", "work"):
        if f"landline.chassis.embedded.{role}" in line:
            return role
    return None


@contextmanager
def running_stack(data: Path, *, demo: bool = False, env: dict[str, str] | None = None) -> Iterator[Stack]:
    """A stack that is stopped at the end, whatever happened."""
    stack = Stack(data, demo=demo, env=env)
    try:
        yield stack.start()
    finally:
        stack.stop()
