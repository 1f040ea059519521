"""The load generator tells the truth: what a stalled server costs, what was refused, who was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from landline.kernel.ids import new_id

from tests.bench import peer_rpc
from tests.bench.load import run


class Peer:
    """An HTTP server of a few lines: keeps what it was asked; stalls once; answers errors when told to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer = b'{"id":1,"result":{"MaxUsage":60},"error":null}'
        self.stall_s = 0.0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                self.asked.append(json.loads(await reader.readexactly(length)))
                stall_s, self.stall_s = self.stall_s, 0.0
                await asyncio.sleep(stall_s)
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(self.answer) + self.answer
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Peer]:
    """A peer on a port of its own."""
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()


def spec(peer: Peer, bodies: Path, **more: Any) -> dict[str, Any]:
    """A short run against the peer."""
    return {
        "host": "127.0.0.1", "ports": [peer.port], "path": "/jsonrpc", "key": "-", "bodies": str(bodies),
        "seconds": 0.3, "in_flight": 1, **more,
    }  # fmt: skip


async def test_a_stall_counts_for_every_request_that_should_have_begun_meanwhile(tmp_path: Path) -> None:
    """Else a server that stops looks fast: one slow answer, and nobody asked the rest (coordinated
    omission)."""
    bodies = tmp_path / "bodies"
    bodies.write_text("{}")
    async with listening() as peer:
        peer.stall_s = 0.2
        figures = await run(spec(peer, bodies, rate=100.0))
    assert figures["requests"] == 30
    assert figures["p50_ms"] > 20
    assert 150 < figures["max_ms"] < 2_000


async def test_another_engine_is_asked_for_a_session_with_one_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authorize, initiate, terminate of one call belong together; a refusal is counted, not praised."""
    async with listening() as peer:
        monkeypatch.setenv("PEER_RPC", f"http://127.0.0.1:{peer.port}/jsonrpc")
        wanted: list[dict[str, Any]] = []
        peer_rpc.measure(lambda each: wanted.append(each) or {}, tmp_path, 0.2)  # type: ignore[func-returns-value]
        session = await run({**wanted[1], "in_flight": 1})
        sessions = list(peer.asked)
        peer.answer = b'{"id":1,"result":null,"error":"ACCOUNT_NOT_FOUND"}'
        refused = await run({**wanted[0], "in_flight": 1})
    assert session["refusals"] == 0
    first = sessions[:3]
    methods = [f"SessionSv1.{name}" for name in ("AuthorizeEvent", "InitiateSession", "TerminateSession")]
    assert [each["method"] for each in first] == methods
    assert len({each["params"][0]["Event"]["OriginID"] for each in first}) == 1
    assert len(first[0]["params"][0]["Event"]["OriginID"]) == len(new_id())
    assert refused["refusals"] == refused["requests"] > 0
    assert "ACCOUNT_NOT_FOUND" in refused["refused"]


def test_without_an_address_no_other_engine_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is optional."""
    monkeypatch.delenv("PEER_RPC", raising=False)
    assert peer_rpc.measure(lambda _spec: pytest.fail("asked"), tmp_path, 1.0) == {}
