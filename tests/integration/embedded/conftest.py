"""An embedded run with two dummy services: quick to start, nothing of a real service in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.dummy_service import ENVIRONMENT
from tests.support.stack import Stack

REPOSITORY = Path(__file__).parents[3]
DUMMIES = {"LANDLINE_SERVICES": ENVIRONMENT, "PYTHONPATH": str(REPOSITORY)}

Start = Callable[..., Stack]
Try = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(folder?, env=...): a running stack of dummies; stopped at the end of the test."""
    started: list[Stack] = []

    def begin(data: Path | None = None, **env: str) -> Stack:
        stack = Stack(data or tmp_path / "a folder", env={**DUMMIES, **env})
        started.append(stack)
        return stack.start()

    yield begin
    for stack in started:
        stack.stop()


@pytest.fixture
def attempt() -> Try:
    """attempt(port, folder): a run that is expected to end by itself; what it said and its exit code."""

    def run(port: object, data: Path, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "landline.chassis.embedded.cli", "run", "--no-demo"]
        command += ["--port", str(port), "--data", str(data)]
        return subprocess.run(
            command, env={**environment(), **env}, capture_output=True, text=True, timeout=90, check=False
        )

    return run


def environment() -> dict[str, str]:
    """This process's, with the dummies and without settings of a developer or of the `make` above us."""
    ours = ("LANDLINE_", "MAKE", "MFLAGS", "ARGS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**clean, **DUMMIES}
