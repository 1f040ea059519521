"""Several ASGI apps on one port: by path prefix, unchanged paths, all lifespans run.

A dictionary look-up instead of nested mounts: admissions pass through here.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from landline.chassis.logging import get_logger

log = get_logger(__name__)

_PREFIX = "/api/"


class Dispatcher:
    """`/api/<name>/...` goes to that service's app; everything else to `own`."""

    def __init__(self, apps: Mapping[str, FastAPI], own: ASGIApp) -> None:
        self._apps = dict(apps)
        self._own = own
        self._states: dict[str, dict[str, Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI call: a request for one app, or the lifespan of all."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path: str = scope["path"]
        if path.startswith(_PREFIX):
            name = path[len(_PREFIX) :].partition("/")[0]
            if app := self._apps.get(name):
                scope["state"] = dict(self._states.get(name, ()))
                await app(scope, receive, send)
                return
        await self._own(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Start one app after the other; stop all at once, or each would wait out its own tails' reads."""
        await receive()  # lifespan.startup
        closing, running = asyncio.Event(), []
        try:
            for name, app in self._apps.items():
                started: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
                running.append(asyncio.create_task(_live(app, started, closing), name=name))
                self._states[name] = await started
        except Exception as error:
            log.exception("a service could not start", exc_info=error)
            await _closed(closing, running)
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            return
        # What start-up made stays: keep it out of every later garbage collection's way.
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await _closed(closing, running)
        await send({"type": "lifespan.shutdown.complete"})


async def _live(app: FastAPI, started: asyncio.Future[dict[str, Any]], closing: asyncio.Event) -> None:
    """One app's lifespan, entered and left by the same task."""
    try:
        async with app.router.lifespan_context(app) as state:
            started.set_result(dict(state or {}))
            await closing.wait()
    except Exception as error:
        if started.done():
            raise
        started.set_exception(error)


async def _closed(closing: asyncio.Event, running: list[asyncio.Task[None]]) -> None:
    closing.set()
    for task, left in zip(running, await asyncio.gather(*running, return_exceptions=True), strict=True):
        if isinstance(left, BaseException):
            log.error("a service could not stop", service=task.get_name(), exc_info=left)
