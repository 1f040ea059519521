"""Provisioning's accounts over real stores: an app with the login routes, and people to log in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from landline.chassis.auth import SYSTEM, TokenVerifier
from landline.chassis.http_app import build_app
from landline.chassis.outbox import run_outbox
from landline.chassis.postgres import Database, Scope
from landline.chassis.resources import Actor, Registry, Resource, create, resource_router
from landline.chassis.resources.audit import AUDIT_RESOURCE
from landline.chassis.resources.wire import create_schema
from landline.chassis.settings import Settings
from provisioning.accounts.admins import ADMINS
from provisioning.accounts.api_keys import API_KEYS
from provisioning.accounts.grants import grants_router
from provisioning.accounts.key_book import KeyBook
from provisioning.accounts.routes import router as auth_router
from provisioning.accounts.wiring import open_accounts
from provisioning.api.brands import BRANDS
from provisioning.api.clients import CLIENTS
from provisioning.snapshot import snapshot_router
from redis.asyncio import Redis

BASE = "/api/provisioning/v1"
PASSWORD = "correct horse battery"
REGISTRY = Registry("provisioning", (BRANDS, CLIENTS, ADMINS, API_KEYS, AUDIT_RESOURCE))


class House:
    """The app, its stores, and short ways to what tests do most. Each client has an address of its own."""

    def __init__(
        self, app: FastAPI, settings: Settings, db: Database, verifier: TokenVerifier, book: KeyBook
    ) -> None:
        self.app, self.settings, self.db, self.verifier, self.book = app, settings, db, verifier, book
        self._addresses = 0

    def http(self, token: str | None = None, address: str | None = None) -> httpx.AsyncClient:
        """A caller from an address nobody has used yet (throttling counts by address)."""
        self._addresses += 1
        client = (address or f"198.51.{self._addresses // 250}.{self._addresses % 250}", 1)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.app, client=client)
        return httpx.AsyncClient(transport=transport, base_url=f"http://test{BASE}", headers=headers)

    async def row(self, resource: Resource, **fields: Any) -> UUID:
        """A new row, made as the system; its id."""
        given = create_schema(resource)(**fields)
        async with self.db.transaction(Scope.system()) as tx:
            actor = Actor(SYSTEM, self.settings, self.settings.clock.now_ms())
            made, _ = await create(tx, REGISTRY, resource, actor, given)
        return UUID(str(made["id"]))

    async def post(self, path: str, body: Any = None, token: str | None = None) -> httpx.Response:
        """POST as JSON, from an address of its own."""
        return await self.http(token).post(path, json=body)

    async def login(self, username: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
        """The tokens of a login that must succeed."""
        answer = await self.http().post(
            "/auth/login", json={"username": username, "password": password, **more}
        )
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def revoked(self, sid: str) -> None:
        """Wait until the app's own verifier has heard that a session ended; it has no event to await."""
        async with asyncio.timeout(10):
            while sid not in self.verifier._revoked:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running_house(settings: Settings, redis: Redis) -> AsyncIterator[House]:
    """The app in this process, its publisher and its verifier running."""
    db = Database(settings, "provisioning")
    verifier = TokenVerifier(settings, redis)
    routers = [auth_router, grants_router(REGISTRY), snapshot_router(REGISTRY)]
    routers += [resource_router(REGISTRY, resource) for resource in REGISTRY.resources]

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = build_app("provisioning", settings, routers, lifespan)
    app.state.db, app.state.redis, app.state.verifier = db, redis, verifier
    app.state.accounts = await open_accounts(settings, db, redis)
    stop = asyncio.Event()
    work = [asyncio.create_task(verifier.run(stop)), asyncio.create_task(run_outbox(db, redis, stop))]
    try:
        async with asyncio.timeout(10):
            while verifier.missing():
                await asyncio.sleep(0.01)
        yield House(app, settings, db, verifier, KeyBook(db, redis))
    finally:
        stop.set()
        await asyncio.gather(*work)
        await db.close()
