"""What a thousand people who watch live calls cost those who call: `python -m tests.bench.live_view`.

Whole calls (admitted, ringing, answered, ended) at a fixed rate, first with nobody watching, then with
`--watchers` open streams of `GET calls/events`: `--operators` of them (one in ten) see everything, by
platform or brand, the others one client each. Admissions are timed from their intended start. Prints one JSON
line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Any

import redis
import uvloop
from landline.kernel.ids import new_id

from tests.bench.load import Connection
from tests.bench.usage import Usage
from tests.bench.world import BenchWorld
from tests.support.stack import Stack, running_stack

ROOT = Path(__file__).parents[2]
BASE = "/api/call-control/v1"
Figures = dict[str, Any]


class WholeCalls:
    """An edge that makes calls at a fixed rate over a pool of connections."""

    def __init__(self, port: int, key: str, bodies: list[Figures]) -> None:
        self._port, self._key, self._bodies = port, key, bodies
        self.latencies_ms: list[float] = []
        self.denied = 0

    async def run(self, rate: float, seconds: float, connections: int = 64) -> None:
        """Open loop: call n begins at n / rate, whether or not earlier ones were answered."""
        loop, begun = asyncio.get_running_loop(), time.perf_counter() + 0.1
        made = [await loop.create_connection(Connection, "127.0.0.1", self._port) for _ in range(connections)]
        self._idle = deque(connection for _, connection in made)
        self._freed = asyncio.Event()
        tasks = []
        for n in range(round(rate * seconds)):
            intended = begun + n / rate
            await asyncio.sleep(max(0.0, intended - time.perf_counter()))
            while not self._idle:
                self._freed.clear()
                await self._freed.wait()
            tasks.append(asyncio.create_task(self._call(n, self._idle.popleft(), intended)))
        await asyncio.gather(*tasks)

    async def _call(self, n: int, connection: Connection, intended: float) -> None:
        body = {**self._bodies[n % len(self._bodies)], "attempt_id": new_id()}
        _, raw = await connection.request(self._post("/calls", body))
        self.latencies_ms.append((time.perf_counter() - intended) * 1000)
        answer = json.loads(raw)
        if answer["decision"] != "allow":
            self.denied += 1
        else:
            for kind in ("ringing", "answered", "ended"):
                report = {"at": time.time()}
                await connection.request(self._post(f"/calls/{answer['call_id']}/{kind}", report))
        self._idle.append(connection)
        self._freed.set()

    def _post(self, path: str, body: Figures) -> bytes:
        text = json.dumps(body).replace("%SOME%", "1234")
        head = f"POST {BASE}{path} HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {self._key}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


async def watch(spec: Figures) -> None:
    """The watchers' own process: open all, say `open`, read until stdin closes, print what came.

    It runs when nobody else wants the CPU, as if on machines of their own.
    """
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    counts = [0] * len(spec["paths"])

    async def one(n: int, path: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", spec["port"])
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {spec['token']}\r\n\r\n".encode()
        )
        opened.release()
        while chunk := await reader.read(65536):
            counts[n] += chunk.count(b"event: call.")

    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(one(n, path)) for n, path in enumerate(spec["paths"])]
    for _ in tasks:
        await opened.acquire()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"events": sum(counts), "least": min(counts), "ended": sum(t.done() for t in tasks)}))
    for task in tasks:
        task.cancel()


def measured(stack: Stack, world: BenchWorld, options: argparse.Namespace) -> Figures:
    """One run of calls: latencies of admissions, and the web process' CPU."""
    calls = WholeCalls(stack.port, world.edge_key, [world.request(n) for n in range(len(world.clients))])
    before, started = Usage.read(stack.processes()), time.monotonic()
    uvloop.run(calls.run(options.rate, options.seconds))
    after, elapsed = Usage.read(stack.processes()), time.monotonic() - started
    ordered = sorted(calls.latencies_ms)
    return {
        "calls": len(ordered), "denied": calls.denied, "per_s": round(len(ordered) / elapsed, 1),
        "p50_ms": round(ordered[len(ordered) // 2], 2), "p99_ms": round(ordered[len(ordered) * 99 // 100], 2),
        "web_cpu": round((after.cpu_s["web"] - before.cpu_s["web"]) / elapsed, 2),
    }  # fmt: skip


def paths(world: BenchWorld, watchers: int, operators: float) -> list[str]:
    """A share of operators, half of them the platform's; the rest clients."""
    whole = brand = round(watchers * operators / 2)
    events = f"{BASE}/calls/events"
    clients = [world.clients[n % len(world.clients)]["client_id"] for n in range(watchers - whole - brand)]
    return [events] * whole + [f"{events}?brand_id={world.brand_id}"] * brand + [
        f"{events}?client_id={client_id}" for client_id in clients
    ]  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--operators", type=float, default=0.1)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--spec", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.spec:
        uvloop.run(watch(json.loads(options.spec)))
        return
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "run") as stack:
        world = BenchWorld(stack.admin(), redis.Redis.from_url(stack.redis_url()))
        world.build(200, 5_000)
        world.wait_until_known()
        measured(stack, world, argparse.Namespace(rate=options.rate, seconds=3))  # warm
        found: Figures = {"nobody": measured(stack, world, options)}
        spec = {
            "port": stack.port,
            "paths": paths(world, options.watchers, options.operators),
            "token": stack.secret("internal_key"),
        }
        command = [sys.executable, "-m", "tests.bench.live_view", "--spec", json.dumps(spec)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as watchers:
            assert watchers.stdout is not None
            watchers.stdout.readline()
            time.sleep(3)
            found["watched"] = measured(stack, world, options)
            time.sleep(2)
            told, _ = watchers.communicate("")
        found |= {
            "watchers": options.watchers,
            "operators": options.operators,
            "rate": options.rate,
            "told": json.loads(told),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
