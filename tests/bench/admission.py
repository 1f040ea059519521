"""`make bench`: what a call costs, through HTTP and the whole pipeline, against a no-op of the same run.

The no-op authenticates the edge key, reads the same body and answers a constant 700 bytes. It is measured
twice: as the direct endpoint that admission is too, and as a bare Starlette route inside the app.
Prints a table and writes build/bench.json. Options: --quick (a minute), --clients, --prefixes, --seconds,
--only PHASE,PHASE (see PHASES). PEER_RPC=<address> adds another engine (tests/bench/peer_rpc.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis
from landline.chassis.streams import unread
from landline.contracts import streams
from redis.asyncio import Redis as AsyncRedis
from rich.console import Console

from tests.bench import decks, peer_rpc, script_phase
from tests.bench.quota import limited
from tests.bench.report import keep, show
from tests.bench.usage import Usage, cpu_shares, idle_figures
from tests.bench.workers import workers
from tests.bench.world import BenchWorld
from tests.support.stack import Stack, running_stack

ROOT = Path(__file__).parents[2]
BASE = "/api/call-control/v1"
ADMIT, NOOP, ROUTED = f"{BASE}/calls", f"{BASE}/noop", f"{BASE}/noop/routed"
ALLOWED = '"decision":"allow"'
IN_FLIGHT = (1, 8, 64)
OPEN_LOOP = (0.25, 0.5, 0.75)
WORKER_CORES = 0.25
PHASES = ("noop", "closed", "hot", "open", "script", "workers", "whole", "change", "decks", "peer")
BILLING_GROUP = "billing"

Figures = dict[str, Any]


class Bench:
    """One run over a started stack: each phase adds its runs and figures."""

    def __init__(self, stack: Stack, options: argparse.Namespace, folder: Path) -> None:
        self.stack = stack
        self.options = options
        self.folder = folder
        self.bodies = folder / "bodies.jsonl"
        self.store = redis.Redis.from_url(stack.redis_url())
        self.world = BenchWorld(stack.admin(), self.store)
        self.runs: dict[str, Figures] = {}
        self.figures: Figures = {}

    def generate(self, spec: Figures) -> Figures:
        """One run of the generator, a process of its own."""
        command = [sys.executable, "-m", "tests.bench.load", json.dumps(spec)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout))

    def load(self, name: str, path: str, in_flight: int, **more: Any) -> Figures:
        """One run against our own port, with the CPU of each process by request; kept as `name`."""
        spec = {
            "host": "127.0.0.1", "ports": [self.stack.port], "path": path, "key": self.world.edge_key,
            "bodies": str(self.bodies), "seconds": self.options.seconds, "in_flight": in_flight,
            "good": ALLOWED, **more,
        }  # fmt: skip
        before, started = Usage.read(self.stack.processes()), time.monotonic()
        figures = self.generate(spec)
        figures["cpu"] = cpu_shares(before, Usage.read(self.stack.processes()), time.monotonic() - started)
        took_s = figures["requests"] / figures["per_s"]
        figures["cpu_us"] = {role: round(share * took_s / figures["requests"] * 1e6, 1)
                             for role, share in figures["cpu"].items()}  # fmt: skip
        if figures["refusals"]:
            raise RuntimeError(f"{name}: {figures['refusals']} refused, as {figures['refused']}")
        self.runs[name] = figures
        return figures

    def run(self, console: Console) -> Figures:
        """The world, then the phases that were asked for."""
        self.figures["idle"] = idle_figures(self.stack.processes(), 3.0 if self.options.quick else 10.0)
        console.print("building the world: brand, deck, clients ...")
        started = time.monotonic()
        self.world.build(self.options.clients, self.options.prefixes)
        self.world.write_bodies(self.bodies)
        known_s = self.world.wait_until_known()
        built_s = time.monotonic() - started
        console.print(f"built in {built_s:.1f} s (last client known after {known_s:.1f} s)")
        self.load("cold 64", ADMIT, 64, seconds=2 + self.options.clients / 2500)
        for phase in self.options.only.split(","):
            console.print(f"phase {phase} ...")
            getattr(self, phase)()
        return {
            "machine": machine(),
            "clients": self.options.clients,
            "prefixes": self.options.prefixes,
            "memory": Usage.read(self.stack.processes()).memory_mb(),
            **self.figures,
            "runs": self.runs,
        }

    def noop(self) -> None:
        """What HTTP costs, both ways."""
        self.load("no-op 64", NOOP, 64)
        self.load("no-op as a route, 64", ROUTED, 64)

    def closed(self) -> None:
        """Closed loop, caches warm; between two runs of the no-op, since a machine changes its mind."""
        for n in IN_FLIGHT:
            self.load(f"warm {n}", ADMIT, n)
        self.load("no-op 64 again", NOOP, 64)
        before = self._trips(), self._admissions()
        self.load("round trips", ADMIT, 1, seconds=1)
        trips, admissions = self._trips() - before[0], self._admissions() - before[1]
        warm, noops = self.runs["warm 64"], [self.runs["no-op 64"], self.runs["no-op 64 again"]]
        noop_per_s = sum(run["per_s"] for run in noops) / 2
        noop_us = sum(run["cpu_us"]["web"] for run in noops) / 2
        self.figures["admission"] = {
            "noop_per_s": round(noop_per_s, 1),
            "noop_routed_per_s": self.runs["no-op as a route, 64"]["per_s"],
            "per_s": {str(n): self.runs[f"warm {n}"]["per_s"] for n in IN_FLIGHT},
            "ratio_to_noop": round(warm["per_s"] / noop_per_s, 3),
            "ratio_to_routed_noop": round(warm["per_s"] / self.runs["no-op as a route, 64"]["per_s"], 3),
            "worker_cpu_ratio_to_noop": round(noop_us / warm["cpu_us"]["web"], 3),
            "worker_cpu_ratio_to_routed_noop": round(
                self.runs["no-op as a route, 64"]["cpu_us"]["web"] / warm["cpu_us"]["web"], 3
            ),
            "p50_ms": self.runs["warm 1"]["p50_ms"],
            "redis_round_trips": round(trips / admissions, 3),
        }

    def hot(self) -> None:
        """All calls are of one client."""
        hot = self.folder / "hot.jsonl"
        hot.write_text(self.bodies.read_text().splitlines()[0])
        self.load("one hot client, 64", ADMIT, 64, bodies=str(hot))

    def open(self) -> None:
        """Fixed rates; latency from the intended start."""
        best = self.runs["warm 64"]["per_s"]
        for share in OPEN_LOOP:
            run = self.load(f"open loop, {share:.0%} of warm 64", ADMIT, 64, rate=best * share)
            if share == 0.5:
                self.figures["admission"]["p99_ms_half_load"] = run["p99_ms"]

    def script(self) -> None:
        """admit_call.lua alone, pipelined."""
        self.figures["script"] = script_phase.measure(self.stack, self.world, 2_000)

    def workers(self) -> None:
        """Processes of `call-control serve` over the same stores: one, then two.

        As they are, then with a part of a core for each (`quota`).
        """
        self.figures["workers"] = self._one_and_two(None)
        self.figures["limited_workers"] = self._one_and_two(WORKER_CORES)

    def _one_and_two(self, cores: float | None) -> Figures:
        found: Figures = {"cores_each": cores}
        for count in (1, 2):
            name = f"{count} serving" if cores is None else f"{count} serving, {cores} core each"
            with workers(self.stack, count) as started, ExitStack() as limits:
                ports = [worker.port for worker in started]
                self.load(f"{name}, first calls", ADMIT, 64, ports=ports, seconds=3)
                if cores and not all(limits.enter_context(limited(w.usage.pid, cores)) for w in started):
                    return {"skipped": "no control groups here: run as root"}
                before = sum(sum(each.usage.cpu_times()[:2]) for each in started)
                run = self.load(f"{name}, 64", ADMIT, 64, ports=ports)
                spent = sum(sum(each.usage.cpu_times()[:2]) for each in started) - before
                found[str(count)] = {
                    "per_s": run["per_s"],
                    "worker_cpu_us": round(spent / run["requests"] * 1e6, 1),
                    "generator_cpu": run["generator_cpu"],
                    "private_mb": [round(w.usage.memory_full_info().uss / 2**20, 1) for w in started],
                }
        found["gain"] = round(found["2"]["per_s"] / found["1"]["per_s"], 2)
        return found

    def whole(self) -> None:
        """Admit, answered, ended, until billing has committed every record."""
        started = time.monotonic()
        run = self.load("whole calls, 64", ADMIT, 64, whole=True)
        while self._uncommitted():
            time.sleep(0.02)
        took_s = time.monotonic() - started
        self.figures["whole_calls"] = {
            "per_s": run["per_s"],
            "committed_per_s": round(run["requests"] / took_s, 1),
            "generator_cpu": run["generator_cpu"],
        }

    def change(self) -> None:
        """A new version of the deck under traffic."""
        trail = self.folder / "trail"
        body = {**self.world.request(0), "attempt_id": "00000000-0000-0000-0000-000000000000"}
        body["request_user"] = "0034600123123"
        changed = decks.DeckChange(self.world, self.stack.admin(), body, trail)
        changed.start()
        seconds = 8 + self.options.prefixes / 2_500
        self.load("while a deck is imported", ADMIT, 16, rate=100.0, seconds=seconds, trail=str(trail))
        self.figures["deck_change"] = changed.figures()

    def decks(self) -> None:
        """Look-ups and memory, in a process of its own."""
        quick = self.options.quick
        self.figures["decks"] = decks.measure(
            100_000 if quick else 1_000_000, 20, 10_000 if quick else 100_000
        )

    def peer(self) -> None:
        """Another engine, where one is named."""
        self.figures["peer"] = peer_rpc.measure(self.generate, self.folder, self.options.seconds)

    def _uncommitted(self) -> int:
        """Entries of the calls streams that billing has not acknowledged: it does so after its commit."""

        async def count() -> int:
            client = AsyncRedis.from_url(self.stack.redis_url())
            try:
                there = [stream for stream in streams.ALL_CALLS if await client.exists(stream)]
                return sum([await unread(client, BILLING_GROUP, stream) for stream in there])
            finally:
                await client.aclose()

        return asyncio.run(count())

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
    """What it ran on, in one line, and how busy that was."""
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    busy = f"load average before the run {os.getloadavg()[0]:.1f}"
    return (
        f"{os.cpu_count()} x {model}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}, {busy}"
    )


def main() -> None:
    """Run, show, write build/bench.json."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--quick", action="store_true", help="1,000 clients, 5,000 prefixes, 2 s a run")
    options.add_argument("--clients", type=int)
    options.add_argument("--prefixes", type=int)
    options.add_argument("--seconds", type=float)
    options.add_argument("--only", default=",".join(PHASES), help="phases, in this order")
    given = options.parse_args()
    given.clients = given.clients or (1_000 if given.quick else 10_000)
    given.prefixes = given.prefixes or (5_000 if given.quick else 100_000)
    given.seconds = given.seconds or (2.0 if given.quick else 5.0)
    console = Console(width=150)
    where = machine()
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name) / "data") as stack:
        figures = {**Bench(stack, given, Path(name)).run(console), "machine": where}
    show(figures, console)
    console.print(keep(figures, beside=False))


if __name__ == "__main__":
    main()
