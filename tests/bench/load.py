"""A load generator lighter than what it measures: raw HTTP/1.1, one request at a time a connection.

Runs as a process of its own: `python -m tests.bench.load '<JSON spec>'` prints a JSON result.
Spec: {port, path, key, bodies: <file of JSON lines>, seconds, in_flight, rate: null | requests per second,
       save: null | <file for the answers>}.
Closed loop (rate null): every connection sends again as soon as it is answered. Open loop: requests start
at fixed moments and their latency counts from the *intended* start, so that a stalled server cannot hide
(no coordinated omission). In a body `%ID%` becomes a fresh UUID, `%SOME%` four random digits.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections import deque
from itertools import cycle
from pathlib import Path
from random import randrange
from typing import Any, cast

import uvloop
from landline.kernel.ids import new_id


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of asyncio.Transport, only alike
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end].lower()
        length_at = head.find(b"content-length:")
        length = int(head[length_at + 15 : (head + b"\r").find(b"\r", length_at)]) if length_at >= 0 else 0
        end = head_end + 4 + length
        if len(self._buffer) < end or self._waiter is None:
            return
        body, self._buffer = self._buffer[head_end + 4 : end], self._buffer[end:]
        waiter, self._waiter = self._waiter, None
        if not waiter.done():
            waiter.set_result((int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("closed by the server"))

    def request(self, raw: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request; the future gives status and body."""
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return self._waiter


class Load:
    """One run of the generator."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        lines = Path(spec["bodies"]).read_text().splitlines()
        self._bodies = cycle(lines)
        self._head = (
            f"POST {spec['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {spec['key']}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self.latencies_us = array("Q")
        self.statuses: dict[int, int] = {}
        self.answers: list[bytes] = []

    def next_request(self) -> bytes:
        """The next request's bytes, with a fresh id."""
        body = next(self._bodies).replace("%ID%", new_id()).replace("%SOME%", f"{randrange(10_000):04d}")
        return f"{self._head}{len(body)}\r\n\r\n{body}".encode()

    def note(self, started_ns: int, status: int, body: bytes) -> None:
        """Keep what a request took and how it was answered."""
        self.latencies_us.append((time.perf_counter_ns() - started_ns) // 1000)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.spec.get("save"):
            self.answers.append(body)

    async def connections(self) -> list[Connection]:
        """As many connections as may be in flight."""
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(Connection, "127.0.0.1", self.spec["port"])
            for _ in range(self.spec["in_flight"])
        ]
        return [connection for _, connection in made]

    async def closed_loop(self) -> None:
        """Each connection asks again as soon as it is answered, until the time is up."""
        end_ns = time.perf_counter_ns() + round(self.spec["seconds"] * 1e9)

        async def drive(connection: Connection) -> None:
            while (started_ns := time.perf_counter_ns()) < end_ns:
                self.note(started_ns, *await connection.request(self.next_request()))

        await asyncio.gather(*(drive(c) for c in await self.connections()))

    async def open_loop(self) -> None:
        """Requests start at fixed moments; waiting for a free connection counts as latency."""
        idle = deque(await self.connections())
        freed = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()
        start_ns = time.perf_counter_ns()
        step_ns = 1e9 / self.spec["rate"]

        async def one(connection: Connection, intended_ns: int) -> None:
            self.note(intended_ns, *await connection.request(self.next_request()))
            idle.append(connection)
            freed.set()

        for n in range(round(self.spec["rate"] * self.spec["seconds"])):
            intended_ns = start_ns + round(n * step_ns)
            delay_s = (intended_ns - time.perf_counter_ns()) / 1e9
            if delay_s > 0:
                await asyncio.sleep(delay_s)
            while not idle:
                freed.clear()
                await freed.wait()
            task = asyncio.create_task(one(idle.popleft(), intended_ns))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    def result(self, elapsed_s: float, cpu_s: float) -> dict[str, Any]:
        """Figures of the run; latencies in milliseconds."""
        ordered = sorted(self.latencies_us)

        def quantile_ms(q: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] / 1000, 3) if ordered else 0.0

        return {
            "requests": len(ordered),
            "per_s": round(len(ordered) / elapsed_s, 1),
            "p50_ms": quantile_ms(0.5),
            "p95_ms": quantile_ms(0.95),
            "p99_ms": quantile_ms(0.99),
            "max_ms": quantile_ms(1.0),
            "statuses": {str(k): v for k, v in self.statuses.items()},
            "generator_cpu": round(cpu_s / elapsed_s, 2),
        }


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    """One run, closed or open loop."""
    load = Load(spec)
    started, cpu = time.perf_counter(), time.process_time()
    await (load.closed_loop() if spec.get("rate") is None else load.open_loop())
    result = load.result(time.perf_counter() - started, time.process_time() - cpu)
    if spec.get("save"):
        Path(spec["save"]).write_bytes(b"\n".join(load.answers))
    return result


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
