"""A service that does nothing but exist: for tests of what runs services.

`LANDLINE_SERVICES=tests.support.dummy_service:alpha,tests.support.dummy_service:beta`
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI
from landline.chassis.logging import get_logger
from landline.chassis.service import Service
from landline.chassis.settings import Settings

ENVIRONMENT = "tests.support.dummy_service:alpha,tests.support.dummy_service:beta"


def _build(name: str, package: str) -> Service:
    def app(settings: Settings) -> FastAPI:
        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
            async def readiness() -> dict[str, str | None]:
                return {"postgres": None}

            app.state.readiness = readiness
            get_logger(__name__).warning(f"{name} begins")
            yield {"greeting": f"from {name}"}
            get_logger(__name__).warning(f"{name} ends")

        api = FastAPI(lifespan=lifespan)

        @api.get(f"/api/{name}/v1/pid")
        async def pid() -> dict[str, Any]:
            return {"pid": os.getpid(), "role": package}

        @api.post(f"/api/{name}/v1/rows")
        async def add() -> dict[str, int]:
            connection = await asyncpg.connect(settings.pg_dsn(package))
            try:
                await connection.execute(f"INSERT INTO {package}.rows DEFAULT VALUES")
                return {"rows": await connection.fetchval(f"SELECT count(*) FROM {package}.rows")}
            finally:
                await connection.close()

        return api

    async def work(settings: Settings, stop: asyncio.Event) -> None:
        connection = await asyncpg.connect(settings.pg_dsn("landline_owner"))
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {package}.rows (id int GENERATED ALWAYS AS IDENTITY)"
        )
        await connection.close()
        await stop.wait()

    return Service(name, package, app, work)


alpha = _build("alpha", "billing")
beta = _build("beta", "notifier")
