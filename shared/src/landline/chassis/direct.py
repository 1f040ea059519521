"""Bare endpoints in front of an app, for the few addresses that cannot afford FastAPI's machinery.

A direct endpoint reads, decides and answers by itself (ASGI); it is found by one dictionary look-up and still
counted and timed like every request. It is documented in OpenAPI by whoever declares it. What it must do
itself: authenticate, bound the body, render its problems. An exception that escapes it is a 500 here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landline.chassis import metrics, problems
from landline.chassis.logging import get_logger

log = get_logger(__name__)


class DirectRoute:
    """One address and its endpoint, measured."""

    def __init__(self, service: str, method: str, route: str, endpoint: ASGIApp) -> None:
        self.endpoint = endpoint
        labels = (service, method, route)
        self._seconds = metrics.SECONDS.labels(*labels)
        self._labels = labels
        self._counters: dict[int, Callable[[], None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, then count and time it."""
        started, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.endpoint(scope, receive, answer)
        except Exception as error:
            log.exception("direct endpoint failed", path=scope["path"], exc_info=error)
            bug = problems.Problem("something went wrong on our side")
            await problems.render(bug)(scope, receive, answer)
        finally:
            self._seconds.observe(time.perf_counter() - started)
            counter = self._counters.get(status)
            if counter is None:
                counter = self._counters[status] = metrics.REQUESTS.labels(*self._labels, status).inc
            counter()


class DirectApp(FastAPI):
    """A FastAPI app with direct addresses: `/exact/path`, or `/things/{id}/verb`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._exact: dict[tuple[str, str], DirectRoute] = {}
        self._verbs: dict[tuple[str, str, str], tuple[str, DirectRoute]] = {}

    def add_direct(self, service: str, path: str, endpoint: ASGIApp, method: str = "POST") -> None:
        """Serve `method path` by `endpoint`; one `{name}` may stand before the last part of the path."""
        route = DirectRoute(service, method, path, endpoint)
        front, braced, rest = path.partition("/{")
        if not braced:
            self._exact[method, path] = route
            return
        name, _, verb = rest.partition("}/")
        self._verbs[method, front, verb] = (name, route)

    def _find(self, scope: Scope) -> DirectRoute | None:
        if scope["type"] != "http":
            return None
        method: str = scope["method"]
        path: str = scope["path"]
        found = self._exact.get((method, path))
        if found is not None:
            return found
        rest, _, verb = path.rpartition("/")
        front, _, value = rest.rpartition("/")
        named = self._verbs.get((method, front, verb))
        if named is None:
            return None
        scope["path_params"] = {named[0]: value}
        return named[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: the direct address, else the app."""
        route = self._find(scope)
        if route is None:
            await super().__call__(scope, receive, send)
        else:
            await route(scope, receive, send)
