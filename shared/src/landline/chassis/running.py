"""What a service with a database opens when it starts, and closes when it ends: stores, tokens, readiness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI

from landline.chassis import health
from landline.chassis.postgres import Database
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.streams import AnyRedis
from landline.chassis.token_verifier import TokenVerifier

Missing = Callable[[], Mapping[str, str | None]]


@asynccontextmanager
async def stores(
    settings: Settings, role: str, *, pool_size: int | None = None
) -> AsyncIterator[tuple[Database, AnyRedis]]:
    """Postgres as `role` and Redis, while the block runs. Nobody has waited for Postgres yet: `db.open()`."""
    db, redis = Database(settings, role, pool_size), await connect(settings)
    try:
        yield db, redis
    finally:
        await redis.aclose()
        await db.close()


@asynccontextmanager
async def serving(
    app: FastAPI, settings: Settings, role: str, missing: Missing = dict
) -> AsyncIterator[tuple[Database, AnyRedis]]:
    """The body of a lifespan: sets `app.state.db`, `.redis`, `.verifier` and `.readiness`.

    `missing`: what else the service needs, component -> None or what is wrong (`chassis.health`).
    """
    async with stores(settings, role) as (db, redis):
        verifier, stop = TokenVerifier(settings, redis), asyncio.Event()

        async def readiness() -> dict[str, str | None]:
            found = await health.check_all({"postgres": db.ping, "redis": redis.ping})
            return {**found, "sessions": verifier.missing(), **missing()}

        app.state.db, app.state.redis, app.state.verifier = db, redis, verifier
        app.state.readiness = readiness
        tail = asyncio.create_task(verifier.run(stop))
        try:
            yield db, redis
        finally:
            stop.set()
            await tail
