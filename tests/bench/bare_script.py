"""The admission script alone: what Valkey can do when nothing stands in front of it.

The commands are those of real admissions, made by the worker's own code and kept instead of sent; then they
go out by plain sockets, pipelined, as `redis-benchmark -P` would send them.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import hiredis
import psutil


class Kept:
    """In place of an AutoBatch: keeps commands, answers each admission with an allow."""

    def __init__(self) -> None:
        self.packed: list[bytes] = []

    def execute(self, *command: Any) -> asyncio.Future[list[bytes]]:
        """Keep it."""
        self.packed.append(hiredis.pack_command(command))
        reply: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        reply.set_result([b"ADMITTED", b"100000000000"])
        return reply


class Pipe:
    """One connection that sends a number of commands at a time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        if parts.password:
            login: Any = ("AUTH", parts.password)
            self.send([hiredis.pack_command(login)])
            self.receive(1)

    def send(self, packed: Sequence[bytes]) -> None:
        """Several commands at once."""
        self._socket.sendall(b"".join(packed))

    def receive(self, count: int) -> list[Any]:
        """So many replies."""
        replies: list[Any] = []
        while len(replies) < count:
            self._reader.feed(self._socket.recv(65_536))
            while (reply := self._reader.gets()) is not False:
                replies.append(reply)
        return replies

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def drive(
    url: str, server: psutil.Process, packed: list[bytes], depth: int, connections: int = 1
) -> dict[str, Any]:
    """All commands, `depth` at a time on each connection: calls/s and Valkey's CPU each."""
    pipes = [Pipe(url) for _ in range(connections)]
    before, began = cpu_s(server), time.perf_counter()
    latencies = []
    step = depth * connections
    for at in range(0, len(packed), step):
        sent = time.perf_counter()
        parts = [packed[at + n * depth : at + (n + 1) * depth] for n in range(connections)]
        for pipe, part in zip(pipes, parts, strict=True):
            pipe.send(part)
        for pipe, part in zip(pipes, parts, strict=True):
            for reply in pipe.receive(len(part)):
                if reply[0] != b"ADMITTED":
                    raise RuntimeError(f"the script answered {reply}")
        latencies.append(time.perf_counter() - sent)
    took = time.perf_counter() - began
    for pipe in pipes:
        pipe.close()
    latencies.sort()
    return {
        "per_s": round(len(packed) / took, 1),
        "valkey_us": round((cpu_s(server) - before) / len(packed) * 1e6, 1),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 3),
    }


def cpu_s(server: psutil.Process) -> float:
    """CPU time of a process so far."""
    times = server.cpu_times()
    return float(times.user + times.system)
