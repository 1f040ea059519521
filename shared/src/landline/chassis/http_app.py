"""The HTTP side that all services share: one way to build the app, one thin layer around it.

The layer (`Front`) is plain ASGI, because admissions pass through it: request id, body limit, security
headers, log context, request metrics. Docs come from our own page: FastAPI's would load scripts from a CDN.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landline.chassis import health, metrics, openapi_document, problems
from landline.chassis.direct import DirectApp
from landline.chassis.methods import head_as_get
from landline.chassis.openapi_served import add_document
from landline.chassis.settings import Settings
from landline.kernel.ids import new_id

BODY_LIMIT_BYTES = 1024 * 1024
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
_API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_DOCS_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_app(
    service: str,
    settings: Settings,
    routers: Iterable[APIRouter],
    lifespan: Lifespan,
    *,
    description: str = "",
    body_limits: Mapping[str, int] | None = None,
) -> DirectApp:
    """A service's app. `service` is kebab-case; routers carry paths below `/api/<service>/v1`.

    `lifespan` opens pools and sets `app.state` (`db`, `verifier`, `readiness`). `body_limits` maps the end
    of a path (`/import`) to the bytes it takes instead of 1 MiB.
    """
    base = f"/api/{service}/v1"
    app = DirectApp(
        title=f"Landline {service}",
        version="1",
        description=description,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: openapi_document.operation_id(route.name),
    )
    app.state.settings = settings
    problems.install(app)
    for router in routers:
        app.include_router(router, prefix=base)
    add_document(app, f"{base}/openapi.json")
    app.add_route(f"{base}/docs", _docs, include_in_schema=False)
    app.add_route("/healthz", health.healthz, include_in_schema=False)
    app.add_route("/readyz", health.readyz, include_in_schema=False)
    app.add_route("/metrics", metrics.metrics_page, include_in_schema=False)
    _complete_openapi(app)
    app.add_middleware(Front, service=service, body_limits=dict(body_limits or {}))
    return app


async def _docs(_request: Request) -> Response:
    page = files("landline.chassis").joinpath("docs_page.html").read_text("utf-8")
    return HTMLResponse(page, headers={"Content-Security-Policy": _DOCS_POLICY})


def _complete_openapi(app: FastAPI) -> None:
    """Serve the document with what FastAPI leaves out."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        known = app.openapi_schema is not None
        schema = plain()
        return schema if known else dict(openapi_document.complete(schema))

    app.openapi = openapi  # type: ignore[method-assign]


class Front:
    """What surrounds every request."""

    def __init__(self, app: ASGIApp, service: str, body_limits: dict[str, int]) -> None:
        self.app, self.service, self.body_limits = app, service, body_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Number the request, bound its body, add headers to its answer, count and time it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope, receive, send = head_as_get(scope, send)
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_headers(message.get("headers", ()), request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, self._limited(scope, receive), answer)
            finally:
                self._measure(scope, status, time.perf_counter() - started)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        limit = next(
            (n for end, n in self.body_limits.items() if scope["path"].endswith(end)), BODY_LIMIT_BYTES
        )
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                # An HTTPException passes through FastAPI's body parsing; others become a plain 400.
                raise HTTPException(413, f"the body is larger than {limit} bytes")
            return message

        return limited

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        metrics.REQUESTS.labels(self.service, scope["method"], route, status).inc()
        metrics.SECONDS.labels(self.service, scope["method"], route).observe(seconds)


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else new_id()


def _with_headers(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    names = {name.lower() for name, _ in given}
    extra = [(b"x-request-id", request_id.encode()), *_SECURITY_HEADERS, _API_POLICY]
    return given + [(name, value) for name, value in extra if name not in names]
