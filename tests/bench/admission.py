"""`make bench`: admission over HTTP through the whole pipeline, against a no-op of the same run and port.

The no-op authenticates the edge key, reads the same body and answers a constant 700 bytes: what HTTP costs.
Prints a table and writes build/bench.json. Options: --clients, --prefixes, --seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from tests.bench.usage import Usage, cpu_shares, idle_figures
from tests.bench.world import BenchWorld
from tests.support.stack import Stack, running_stack

ROOT = Path(__file__).parents[2]
ADMIT, NOOP = "/api/call-control/v1/calls", "/api/call-control/v1/noop"
IN_FLIGHT = (1, 8, 64)

Figures = dict[str, Any]


class Bench:
    """One run over a started stack."""

    def __init__(self, stack: Stack, options: argparse.Namespace, folder: Path) -> None:
        self.stack = stack
        self.options = options
        self.bodies = folder / "bodies.jsonl"
        self.store = redis.Redis.from_url(stack.redis_url())
        self.world = BenchWorld(stack.admin(), self.store)

    def load(
        self, path: str, in_flight: int, *, rate: float | None = None, seconds: float | None = None
    ) -> Figures:
        """One run of the generator, with the CPU each process used meanwhile."""
        spec = {
            "port": self.stack.port, "path": path, "key": self.world.edge_key, "bodies": str(self.bodies),
            "seconds": seconds or self.options.seconds, "in_flight": in_flight, "rate": rate,
        }  # fmt: skip
        before = Usage.read(self.stack.processes())
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.load", json.dumps(spec)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
        figures: Figures = json.loads(done.stdout)
        figures["cpu"] = cpu_shares(before, Usage.read(self.stack.processes()), time.monotonic() - started)
        if set(figures["statuses"]) != {"200"}:
            raise RuntimeError(f"{path} was refused: {figures['statuses']}")
        return figures

    def run(self, console: Console) -> Figures:
        """All phases in order; the world is built first."""
        idle = idle_figures(self.stack.processes(), 10.0)
        console.print("building the world: brand, deck, clients ...")
        started = time.monotonic()
        self.world.build(self.options.clients, self.options.prefixes)
        self.world.write_bodies(self.bodies)
        known_s = self.world.wait_until_known()
        console.print(
            f"built in {time.monotonic() - started:.1f} s (last client known after {known_s:.1f} s)"
        )
        cold = self.load(ADMIT, 64, seconds=2 + self.options.clients / 2500)
        noop = self.load(NOOP, 64)
        closed = {str(n): self.load(ADMIT, n) for n in IN_FLIGHT}
        trips = self._round_trips()
        best = max(figures["per_s"] for figures in closed.values())
        half = self.load(ADMIT, 64, rate=best / 2)
        return {
            "machine": machine(),
            "clients": self.options.clients,
            "prefixes": self.options.prefixes,
            "idle": idle,
            "memory": Usage.read(self.stack.processes()).memory_mb(),
            "admission": {
                "noop_per_s": noop["per_s"],
                "per_s": {n: figures["per_s"] for n, figures in closed.items()},
                "ratio_to_noop": round(closed["64"]["per_s"] / noop["per_s"], 3),
                "p50_ms": closed["1"]["p50_ms"],
                "p99_ms_half_load": half["p99_ms"],
                "redis_round_trips": trips,
            },
            "runs": {"cold 64": cold, "noop 64": noop, **{f"warm {n}": f for n, f in closed.items()},
                     f"half load {best / 2:.0f}/s": half},
        }  # fmt: skip

    def _round_trips(self) -> float:
        """Redis round trips of the web process per admission, one in flight, warm cache."""
        before, admissions_before = self._trips(), self._admissions()
        self.load(ADMIT, 1, seconds=2)
        return round((self._trips() - before) / (self._admissions() - admissions_before), 3)

    def _metric(self, name: str) -> float:
        import httpx

        total = 0.0
        for line in httpx.get(f"{self.stack.url}/metrics").text.splitlines():
            if line.startswith((f"{name} ", f"{name}{{")):
                total += float(line.rpartition(" ")[2])
        return total

    def _trips(self) -> float:
        return self._metric("landline_redis_round_trips_total")

    def _admissions(self) -> float:
        return self._metric("landline_admissions_total")


def machine() -> str:
    """What it ran on, in one line."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"


def show(figures: Figures, console: Console) -> None:
    """The figures as people read them."""
    table = Table(title=f"admission on {figures['machine']}")
    columns = ("run", "per s", "p50 ms", "p95 ms", "p99 ms", "generator CPU", "CPU by process")
    for column in columns:
        table.add_column(column, justify="left" if column == "run" else "right")
    for name, run in figures["runs"].items():
        cpu = " ".join(f"{role} {share:.2f}" for role, share in run["cpu"].items())
        cells = [run["per_s"], run["p50_ms"], run["p95_ms"], run["p99_ms"], run["generator_cpu"], cpu]
        table.add_row(name, *(str(cell) for cell in cells))
    console.print(table)
    admission = figures["admission"]
    console.print(f"ratio to the no-op {admission['ratio_to_noop']}   (target 0.5 now, 0.7 later)")
    console.print(f"Redis round trips per admission, warm: {admission['redis_round_trips']}   (target 1)")
    console.print(f"p99 at half load {admission['p99_ms_half_load']} ms   (target 10)")
    console.print(f"memory MB {figures['memory']}")
    console.print(f"idle {figures['idle']}   (targets: CPU under 0.05 of a core, 500 MB)")


def main() -> None:
    """Run, show, write build/bench.json."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=10_000)
    options.add_argument("--prefixes", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=5.0)
    given = options.parse_args()
    console = Console(width=150)
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name) / "data") as stack:
        figures = Bench(stack, given, Path(name)).run(console)
    show(figures, console)
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(figures, indent=1))
    console.print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
