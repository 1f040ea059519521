"""Several services in one process: all start, all stop, and one that cannot start takes the others along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from landline.chassis.embedded.dispatcher import Dispatcher
from starlette.types import Message

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Any]]


async def lived(*lifespans: Lifespan) -> list[str]:
    """Start and stop a process of apps with these lifespans; what it told the server."""
    apps = {f"app{n}": FastAPI(lifespan=each) for n, each in enumerate(lifespans)}
    asked = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))
    told: list[str] = []

    async def receive() -> Message:
        return next(asked)

    async def send(message: Message) -> None:
        told.append(message["type"])

    await asyncio.wait_for(Dispatcher(apps, FastAPI())({"type": "lifespan"}, receive, send), 10)
    return told


async def test_apps_stop_at_once_not_one_after_the_other() -> None:
    """Each waits up to a second for its own readers: four in a row made Ctrl-C take four seconds."""
    stopping = asyncio.Barrier(3)

    @asynccontextmanager
    async def waits_for_the_others(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await stopping.wait()  # never passed by one alone

    told = await lived(*[waits_for_the_others] * 3)
    assert told == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_an_app_that_cannot_start_stops_those_that_did() -> None:
    """Or their connections would hang until the process is killed."""
    seen: list[str] = []

    @asynccontextmanager
    async def good(_app: FastAPI) -> AsyncIterator[None]:
        seen.append("started")
        yield
        seen.append("stopped")

    @asynccontextmanager
    async def bad(app: FastAPI) -> AsyncIterator[None]:
        if app.title:
            raise RuntimeError("no database")
        yield

    assert await lived(good, bad, good) == ["lifespan.startup.failed"]
    assert seen == ["started", "stopped"]


async def test_an_app_that_fails_to_stop_does_not_keep_the_others_from_it() -> None:
    """Its error is logged; the server is told that all has ended."""
    seen: list[str] = []

    @asynccontextmanager
    async def bad(_app: FastAPI) -> AsyncIterator[None]:
        yield
        raise RuntimeError("already closed")

    @asynccontextmanager
    async def good(_app: FastAPI) -> AsyncIterator[None]:
        yield
        seen.append("stopped")

    assert (await lived(bad, good))[-1] == "lifespan.shutdown.complete"
    assert seen == ["stopped"]
