"""Every service's main module is a program: tests and containers run it as one."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "commands"),
    [
        ("provisioning", {"serve", "consume", "migrate", "rotate-signing-key"}),
        ("call_control", {"serve", "consume", "migrate", "rebuild", "reconcile", "dead-letters"}),
        ("billing", {"serve", "consume", "migrate", "audit", "replay", "dead-letters"}),
        ("notifier", {"serve", "consume", "migrate", "preview", "dead-letters"}),
    ],
)
def test_a_service_is_run_by_its_module(package: str, commands: set[str]) -> None:
    """Without its last two lines `python -m billing.main audit` does nothing, and does it well."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", f"{package}.main", "--help"], capture_output=True, text=True, check=True
    )
    assert {word for word in commands if word not in done.stdout} == set()
