"""Do the books hold? Asked of a running stack by the services' own commands, with the stack's environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import redis

from tests.support.stack import Stack
from tests.support.stream_view import all_read, dead_letters, waiting
from tests.support.world import until


def command(stack: Stack, service: str, *words: str) -> subprocess.CompletedProcess[str]:
    """One of a service's commands, run as an operator would on the stack's machine."""
    env = {**os.environ, **stack.processes()["web"].environ()}
    program = [sys.executable, "-P", "-m", f"{service}.main", *words]
    return subprocess.run(program, env=env, cwd=stack.data, capture_output=True, text=True, check=False)


def assert_books_hold(stack: Stack, within_s: float = 60.0) -> None:
    """No dead letter; everything read; counters, ledger and records agree (promise 2)."""
    with redis.Redis.from_url(stack.redis_url()) as store:
        assert list(dead_letters(store)) == []
        until(lambda: all_read(store), f"everybody has read everything: {waiting(store)}", within_s)
        assert list(dead_letters(store)) == []
    _passes(stack, "billing", "audit")
    _passes(stack, "call_control", "reconcile")


def _passes(stack: Stack, service: str, word: str) -> None:
    done = command(stack, service, word)
    # It must have said so: a command that is no program at all ends well, too.
    good = done.returncode == 0 and done.stdout.strip()
    assert good, f"{service} {word}:\n{done.stdout}\n{done.stderr}"


def metrics(text: str, name: str) -> dict[str, float]:
    """Samples of one metric by their labels, from a /metrics page."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if line.startswith((f"{name} ", f"{name}{{")):
            labels, _, value = line.removeprefix(name).rpartition(" ")
            found[labels.strip()] = float(value)
    return found
