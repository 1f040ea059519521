"""A service's app in this process: its lifespan run, its routes called without a port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def serving(app: FastAPI, headers: dict[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running app; an error inside it is answered, as in a server."""
    async with app.router.lifespan_context(app):
        transport: Any = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://landline.test", headers=headers
        ) as client:
            yield client
