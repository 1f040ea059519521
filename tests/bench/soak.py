"""Ten minutes of whole calls at a fixed rate, and what memory does meanwhile: `python -m tests.bench.soak`.

Prints a line each half minute and the growth of each role between the first third and the end; adds "soak"
to build/bench.json. Workers must not grow. Valkey does until streams and ended calls reach their age (15
minutes), Postgres' backends until their caches are full. Options: --seconds, --rate, --clients.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.admission import ADMIT, Bench, machine
from tests.bench.report import keep
from tests.bench.usage import Usage
from tests.support.stack import Stack, running_stack

EVERY_S = 30.0
Figures = dict[str, Any]
Sample = tuple[float, dict[str, float]]


def sampled(stack: Stack, stop: threading.Event, console: Console) -> list[Sample]:
    """(seconds since the start, private MB by role), each half minute until told to stop."""
    found: list[Sample] = []
    started = time.monotonic()
    while True:
        reading = Usage.read(stack.processes()).private_mb
        found.append((round(time.monotonic() - started, 1), {r: round(mb, 1) for r, mb in reading.items()}))
        console.print(f"{found[-1][0]:6.0f} s  {found[-1][1]}")
        if stop.wait(EVERY_S):
            return found


def growth(samples: list[Sample]) -> dict[str, float]:
    """MB that each role grew between the first third of the run and its end."""
    early, late = samples[len(samples) // 3][1], samples[-1][1]
    return {role: round(mb - early.get(role, mb), 1) for role, mb in late.items()}


def soak(bench: Bench, seconds: float, rate: float, console: Console) -> Figures:
    """Whole calls at the rate; every one must be allowed and acknowledged."""
    stop, samples = threading.Event(), []
    watcher = threading.Thread(target=lambda: samples.extend(sampled(bench.stack, stop, console)))
    watcher.start()
    try:
        run = bench.load("soak", ADMIT, 64, whole=True, rate=rate, seconds=seconds)
    finally:
        stop.set()
        watcher.join()
    kept = ("requests", "per_s", "p50_ms", "p99_ms", "max_ms", "statuses", "cpu_us")
    return {**{key: run[key] for key in kept}, "samples": samples, "growth_mb": growth(samples)}


def main() -> None:
    """Run, show, add to build/bench.json."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--rate", type=float, default=200.0)
    options.add_argument("--clients", type=int, default=1_000)
    options.add_argument("--prefixes", type=int, default=5_000)
    given, console, where = options.parse_args(), Console(width=150), machine()
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name) / "data") as stack:
        bench = Bench(stack, given, Path(name))
        bench.world.build(given.clients, given.prefixes)
        bench.world.write_bodies(bench.bodies)
        bench.world.wait_until_known()
        figures = {"machine": where, **soak(bench, given.seconds, given.rate, console)}
    console.print({key: figures[key] for key in figures if key != "samples"})
    console.print(keep({"soak": figures}))


if __name__ == "__main__":
    main()
