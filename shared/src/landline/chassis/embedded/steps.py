"""One short process of a start (migrations, the demo): run to its end, stopped when the run is."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from landline.chassis.embedded.process import guarded
from landline.chassis.embedded.watch import StopWatch


def run_step(
    command: list[str], env: Mapping[str, str], log: Path, watch: StopWatch, output: Path | None = None
) -> int:
    """Run one short process to its end, logging to `log` (stdout to `output` if given); its exit code."""
    with log.open("ab") as errors, (output or log).open("ab") as out:
        process = subprocess.Popen(
            guarded(command, signal.SIGKILL, folder=Path.cwd()),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
            env=dict(env),
        )
    try:
        while process.poll() is None:
            watch.wait(0.2)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode
