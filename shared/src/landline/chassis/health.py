"""Alive or able to work: `/healthz` and `/readyz`.

A service sets `app.state.readiness`: an async function that returns component -> None if it is fine, else a
short sentence on what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Readiness = Callable[[], Awaitable[dict[str, str | None]]]
Check = Callable[[], Awaitable[Any]]

PATIENCE_S = 2.0


async def check_all(checks: Mapping[str, Check]) -> dict[str, str | None]:
    """Run checks side by side: a check that raises or takes over 2 s is not fine, and says so."""
    outcomes = await asyncio.gather(*(_check(check) for check in checks.values()))
    return dict(zip(checks, outcomes, strict=True))


async def _check(check: Check) -> str | None:
    try:
        await asyncio.wait_for(check(), PATIENCE_S)
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s"
    except Exception as error:  # whatever is wrong, the page must say it
        return f"{type(error).__name__}: {error}"[:200]
    return None


async def healthz(_request: Request) -> Response:
    """200 while the process answers at all."""
    return JSONResponse({"status": "alive"})


async def readyz(request: Request) -> Response:
    """200 when the service can work; 503 with what is missing otherwise."""
    readiness: Readiness | None = getattr(request.app.state, "readiness", None)
    components = {"start": "not finished"} if readiness is None else await readiness()
    missing = {name: what for name, what in components.items() if what is not None}
    body = {"status": "missing" if missing else "ready", "components": components}
    return JSONResponse(body, 503 if missing else 200)
