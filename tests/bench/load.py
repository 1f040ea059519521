"""A load generator lighter than what it measures: raw HTTP/1.1, one request at a time a connection.

Runs as a process of its own: `python -m tests.bench.load '<JSON spec>'` prints a JSON result.
Spec: {host, ports, path, key, bodies: <file of JSON lines>, seconds, in_flight,
       rate: null | requests per second, whole: false | true, chain: false | true,
       good: null | <text that a good answer holds>,
       trail: null | <file for a line per request: moment it began (epoch ms), latency (us)>}.
`whole`: every admission is followed by its `answered` and `ended`; a request is then a whole call.
`chain`: all lines of `bodies` are sent one after the other, with the same id and digits; that is one request.
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
        self._lines = Path(spec["bodies"]).read_text().splitlines()
        self._bodies = cycle(self._lines)
        self._head = (
            f" HTTP/1.1\r\nHost: {spec['host']}\r\nAuthorization: Bearer {spec['key']}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self._ask = self._request
        if spec.get("whole"):
            self._ask = self._whole_call
        elif spec.get("chain"):
            self._ask = self._chain
        self.latencies_us = array("Q")
        self.statuses: dict[int, int] = {}
        self.trail: list[str] = []
        self.refused, self.refusals = "", 0

    def _post(self, path: str, body: str) -> bytes:
        return f"POST {path}{self._head}{len(body)}\r\n\r\n{body}".encode()

    def _marks_refusal(self, answer: bytes) -> bool:
        good = self.spec.get("good")
        return good is not None and good.encode() not in answer

    async def _next(self, connection: Connection) -> tuple[int, bytes]:
        """The next request, with a fresh id: its status and answer."""
        return await self._send(connection, next(self._bodies), new_id(), _some())

    async def _send(self, connection: Connection, body: str, its_id: str, some: str) -> tuple[int, bytes]:
        body = body.replace("%ID%", its_id).replace("%SOME%", some)
        status, answer = await connection.request(self._post(self.spec["path"], body))
        if status >= 300 or self._marks_refusal(answer):
            self.refused = answer.decode()[:300]
            self.refusals += 1
        return status, answer

    async def _chain(self, connection: Connection) -> int:
        status, its_id, some = 0, new_id(), _some()
        for line in self._lines:
            status, _ = await self._send(connection, line, its_id, some)
        return status

    async def _request(self, connection: Connection) -> int:
        return (await self._next(connection))[0]

    async def _whole_call(self, connection: Connection) -> int:
        """Admit, answered at once, ended two seconds later by the edge's clock; the last status."""
        began_s = time.time() - 2
        call = json.loads((await self._next(connection))[1])
        path = f"{self.spec['path']}/{call['call_id']}"
        server_id = call["routes"][0]["server_id"]
        answered = {"at": began_s, "server_id": server_id}
        ended = {"at": began_s + 2, "answered_at": began_s, "sip_code": 200, "ended_by": "caller",
                 "server_id": server_id, "ticket": call["ticket"]}  # fmt: skip
        await connection.request(self._post(f"{path}/answered", json.dumps(answered)))
        status, _ = await connection.request(self._post(f"{path}/ended", json.dumps(ended)))
        return status

    def note(self, started_ns: int, status: int) -> None:
        """Keep what a request took and how it was answered."""
        took_us = (time.perf_counter_ns() - started_ns) // 1000
        self.latencies_us.append(took_us)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.spec.get("trail"):
            self.trail.append(f"{time.time() * 1000 - took_us / 1000:.0f} {took_us}")

    async def connections(self) -> list[Connection]:
        """As many connections as may be in flight."""
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(Connection, self.spec["host"], port)
            for _, port in zip(range(self.spec["in_flight"]), cycle(self.spec["ports"]), strict=False)
        ]
        return [connection for _, connection in made]

    async def closed_loop(self) -> None:
        """Each connection asks again as soon as it is answered, until the time is up."""
        end_ns = time.perf_counter_ns() + round(self.spec["seconds"] * 1e9)

        async def drive(connection: Connection) -> None:
            while (started_ns := time.perf_counter_ns()) < end_ns:
                self.note(started_ns, await self._ask(connection))

        await asyncio.gather(*(drive(c) for c in await self.connections()))

    async def open_loop(self) -> None:
        """Requests start at fixed moments; waiting for a free connection counts as latency."""
        idle = deque(await self.connections())
        freed = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()
        start_ns = time.perf_counter_ns()
        step_ns = 1e9 / self.spec["rate"]

        async def one(connection: Connection, intended_ns: int) -> None:
            self.note(intended_ns, await self._ask(connection))
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
            "refusals": self.refusals,
            "refused": self.refused,
            "generator_cpu": round(cpu_s / elapsed_s, 2),
        }


def _some() -> str:
    return f"{randrange(10_000):04d}"


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    """One run, closed or open loop."""
    load = Load(spec)
    started, cpu = time.perf_counter(), time.process_time()
    await (load.closed_loop() if spec.get("rate") is None else load.open_loop())
    result = load.result(time.perf_counter() - started, time.process_time() - cpu)
    if spec.get("trail"):
        Path(spec["trail"]).write_text("\n".join(load.trail))
    return result


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
