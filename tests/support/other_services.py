"""Stands for call-control and billing where provisioning asks them: real HTTP, answers set by the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse


class OtherServices:
    """`live`: calls by client id; `moved`: clients with a posting; `bans`: as listed; `away`: only 503."""

    def __init__(self) -> None:
        self.live: dict[str, int] = {}
        self.moved: set[str] = set()
        self.bans: list[dict[str, Any]] = []
        self.away = False
        self.url = ""

    def app(self) -> FastAPI:
        """The interfaces that are asked, with the fields that are read."""
        app = FastAPI()

        @app.get("/api/call-control/v1/clients/{client_id}/usage")
        async def usage(client_id: str) -> JSONResponse:
            return self._answer({"active_calls": self.live.get(client_id, 0)})

        @app.get("/api/billing/v1/internal/reconcile")
        async def reconcile(client_ids: str) -> JSONResponse:
            items = [{"client_id": i, "sequence": int(i in self.moved)} for i in client_ids.split(",")]
            return self._answer({"items": items})

        @app.get("/api/call-control/v1/internal/banned-addresses")
        async def bans(domain: str | None = None) -> JSONResponse:
            mine = [b for b in self.bans if domain in (None, *(f["domain"] for f in b["failures"]))]
            return self._answer({"items": mine})

        @app.delete("/api/call-control/v1/internal/banned-addresses/{address}")
        async def lift(address: str) -> JSONResponse:
            self.bans = [b for b in self.bans if b["address"] != address]
            return self._answer({})

        return app

    def _answer(self, body: dict[str, Any]) -> JSONResponse:
        return JSONResponse({}, 503) if self.away else JSONResponse(body)


@asynccontextmanager
async def other_services() -> AsyncIterator[OtherServices]:
    """Served on a port of its own."""
    others, listener = OtherServices(), socket.socket()
    listener.bind(("127.0.0.1", 0))
    others.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(others.app(), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield others
    finally:
        server.should_exit = True
        await serving
