"""Somebody who watches live calls: the app on a real port, and a reader of its server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from landline.chassis.embedded.process import HOST, free_port
from starlette.types import ASGIApp


@asynccontextmanager
async def on_a_port(app: ASGIApp) -> AsyncIterator[str]:
    """The app, whose lifespan runs already, served by uvicorn; its URL."""
    port = free_port()
    config = uvicorn.Config(
        app, host=HOST, port=port, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclass
class Heard:
    """One event."""

    id: str
    name: str
    data: dict[str, Any]


@dataclass
class Reader:
    """What a watcher has heard. `over`: the server ended the stream."""

    status: int = 0
    events: list[Heard] = field(default_factory=list)
    comments: int = 0
    over: bool = False
    body: str = ""

    @property
    def last_id(self) -> str:
        """What a browser sends as Last-Event-ID."""
        return next((event.id for event in reversed(self.events) if event.id), "")

    def names(self) -> list[str]:
        """Of all events but the greeting."""
        return [event.name for event in self.events if event.name != "hello"]

    async def until(self, condition: Any, within_s: float = 10.0) -> None:
        """Wait until `condition(self)`."""
        async with asyncio.timeout(within_s):
            while not condition(self):
                await asyncio.sleep(0.01)

    def take(self, block: str) -> None:
        """One block of the stream."""
        if block.startswith(":"):
            self.comments += 1
            return
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            self.events.append(Heard(fields.get("id", ""), fields["event"], json.loads(fields["data"])))


@asynccontextmanager
async def watching(
    url: str, headers: dict[str, str], last_event_id: str = "", **query: str
) -> AsyncIterator[Reader]:
    """A reader of `GET calls/events`, once it has been greeted (or refused)."""
    reader = Reader()
    sent = {**headers, **({"Last-Event-ID": last_event_id} if last_event_id else {})}
    path = f"{url}/api/call-control/v1/calls/events"

    async def read() -> None:
        async with (
            httpx.AsyncClient(timeout=30, trust_env=False) as http,
            http.stream("GET", path, headers=sent, params=query) as answer,
        ):
            reader.status = answer.status_code
            if answer.status_code != 200:
                reader.body = (await answer.aread()).decode()
                return
            rest = ""
            async for text in answer.aiter_text():
                *blocks, rest = (rest + text).split("\n\n")
                for block in blocks:
                    reader.take(block)
            reader.over = True

    task = asyncio.create_task(read())
    try:
        await reader.until(lambda r: r.events or r.body or task.done())
        yield reader
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
