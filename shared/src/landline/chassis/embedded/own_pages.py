"""What the embedded run serves besides the services: landing page, health of the whole, metrics, /dev."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from landline.chassis import health, problems
from landline.chassis.embedded import worker_card
from landline.chassis.embedded.dev_api import dev_router
from landline.chassis.metrics import metrics_page
from landline.chassis.settings import Settings

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Landline</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}}</style>
<h1>Landline</h1>
<p>Real-time voice platform for residential SIP clients. The services and their documentation:</p>
<ul>{items}</ul><p><a href="/readyz">state</a> · <a href="/dev/mails">mails of this run</a></p></html>"""
Handler = Callable[[Request], Awaitable[Response]]
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def build_own_app(settings: Settings, apps: Mapping[str, FastAPI]) -> FastAPI:
    """The app for every path that is no service's."""
    own = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    problems.install(own)
    own.include_router(dev_router(settings))
    own.add_route("/healthz", health.healthz)
    own.add_route("/readyz", _readyz(settings, apps))
    own.add_route("/metrics", metrics_page)
    own.add_route("/metrics/work", _work_metrics(settings.data))
    own.add_route("/", _landing(list(apps)))
    return own


def _landing(names: list[str]) -> Handler:
    items = "".join(f'<li><a href="/api/{html.escape(n)}/v1/docs">{html.escape(n)}</a></li>' for n in names)
    page = _PAGE.format(items=items)

    async def landing(_request: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    return landing


async def _of_app(name: str, app: FastAPI) -> dict[str, str | None]:
    """One service's components, each under the service's name; a readiness that fails is itself missing."""
    readiness: health.Readiness | None = getattr(app.state, "readiness", None)
    if readiness is None:
        return {name: "start not finished"}
    try:
        components = await asyncio.wait_for(readiness(), health.PATIENCE_S)
    except TimeoutError:
        return {name: f"no answer within {health.PATIENCE_S:g} s"}
    except Exception as error:  # the page must say whatever is wrong
        return {name: f"{type(error).__name__}: {error}"[:200]}
    return {f"{name}.{component}": missing for component, missing in components.items()}


def _readyz(settings: Settings, apps: Mapping[str, FastAPI]) -> Handler:
    async def readyz(_request: Request) -> Response:
        parts = await asyncio.gather(*(_of_app(name, app) for name, app in apps.items()))
        components = {name: missing for part in parts for name, missing in part.items()}
        components["work"] = worker_card.missing(settings.data)
        missing = any(what is not None for what in components.values())
        body = {"status": "missing" if missing else "ready", "components": components}
        return JSONResponse(body, 503 if missing else 200)

    return readyz


def _work_metrics(data: Path) -> Handler:
    """The other process's metrics: consumers' lag, keepers, jobs."""

    async def work_metrics(_request: Request) -> Response:
        text = await worker_card.fetch_metrics(data)
        return Response(text or b"", 200 if text else 503, media_type=CONTENT_TYPE_LATEST)

    return work_metrics
