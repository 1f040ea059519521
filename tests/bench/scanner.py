"""What a scanner's 1,000,000 rejections an hour cost those who call: `python -m tests.bench.scanner`.

Whole calls at a fixed rate, alone and beside a scanner (278 a second, unknown devices, of one source or of
ever new ones). Prints one JSON line: latencies of admissions, CPU by process, rows kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
import uvloop
from landline.kernel.ids import new_id

from tests.bench.live_view import BASE, WholeCalls
from tests.bench.load import Connection
from tests.bench.usage import Usage
from tests.bench.world import BenchWorld
from tests.support.stack import Stack, running_stack

A_MILLION_AN_HOUR = 1_000_000 / 3600
Figures = dict[str, Any]


async def scan(port: int, key: str, body: Figures, rate: float, seconds: float, many: bool) -> int:
    """So many refused calls a second; how many were refused."""
    loop, refused = asyncio.get_running_loop(), 0
    made = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(16)]
    begun, step = time.perf_counter(), 16 / rate

    async def drive(n: int, connection: Connection) -> None:
        nonlocal refused
        turn = 0
        while time.perf_counter() - begun < seconds:
            source = f"198.18.{(n * 16 + turn) // 250 % 250}.{turn % 250}" if many else "198.18.0.1"
            asked = {**body, "attempt_id": new_id(), "auth_user": "x", "from_user": "x", "source_ip": source}
            text = json.dumps(asked)
            head = f"POST {BASE}/calls HTTP/1.1\r\nHost: l\r\nAuthorization: Bearer {key}\r\n"
            sent = f"{head}Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"
            _, raw = await connection.request(sent.encode())
            refused += b'"decision":"deny"' in raw
            turn += 1
            await asyncio.sleep(max(0.0, begun + turn * step - time.perf_counter()))

    await asyncio.gather(*(drive(n, connection) for n, (_, connection) in enumerate(made)))
    return refused


def measured(stack: Stack, world: BenchWorld, options: argparse.Namespace, scanner: str) -> Figures:
    """One run of calls, with a scanner beside it: `none`, `one` source, or `many`."""
    bodies = [world.request(n) for n in range(len(world.clients))]
    calls, counted = WholeCalls(stack.port, world.edge_key, bodies), 0

    async def both() -> None:
        nonlocal counted
        work = [calls.run(options.rate, options.seconds)]
        if scanner != "none":
            body = {**bodies[0], "request_user": "0034600123123"}
            noise = scan(
                stack.port, world.edge_key, body, A_MILLION_AN_HOUR, options.seconds, scanner == "many"
            )
            counted = (await asyncio.gather(noise, *work))[0] or 0
        else:
            await asyncio.gather(*work)

    before, started = Usage.read(stack.processes()), time.monotonic()
    uvloop.run(both())
    after, elapsed = Usage.read(stack.processes()), time.monotonic() - started
    ordered = sorted(calls.latencies_ms)
    return {
        "calls": len(ordered), "rejected": counted,
        "p50_ms": round(ordered[len(ordered) // 2], 2), "p99_ms": round(ordered[len(ordered) * 99 // 100], 2),
        "cpu": {r: round((after.cpu_s[r] - before.cpu_s[r]) / elapsed, 2) for r in ("web", "work", "valkey")},
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "run") as stack:
        api = stack.admin()
        world = BenchWorld(api, redis.Redis.from_url(stack.redis_url()))
        world.build(200, 5_000)
        world.wait_until_known()
        measured(stack, world, argparse.Namespace(rate=options.rate, seconds=3), "none")  # warm
        found: Figures = {kind: measured(stack, world, options, kind) for kind in ("none", "one", "many")}
        time.sleep(3)
        listed = api.get("/api/call-control/v1/rejections", reason="unknown_device", count="true", limit=1)
        found["kept"] = listed["total"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
