"""Further workers of call-control beside a running stack: what `call-control serve` is in production."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from tests.support.stack import Stack, free_port

READY_WITHIN_S = 60.0


class Worker:
    """One process of `call-control serve` over the stack's stores."""

    def __init__(self, stack: Stack) -> None:
        web = stack.processes()["web"]
        self.port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "call_control.main", "serve", "--port", str(self.port)],
            env=web.environ(),
            cwd=web.cwd(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.usage = psutil.Process(self._process.pid)

    def wait_ready(self) -> None:
        """Until it says that it can decide calls."""
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError("a worker does not become ready")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)


@contextmanager
def workers(stack: Stack, count: int) -> Iterator[list[Worker]]:
    """So many workers, ready."""
    started = [Worker(stack) for _ in range(count)]
    try:
        for worker in started:
            worker.wait_ready()
        yield started
    finally:
        for worker in started:
            worker.stop()
