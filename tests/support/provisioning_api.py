"""Provisioning's API in the test's own process, on the real database: who asks is said by name.

api = await provisioning_api(settings)
await api.post("platform", "brands", {...})
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from landline.chassis.auth import Principal
from landline.chassis.http_app import build_app
from landline.chassis.postgres import Database
from landline.chassis.problems import Unauthorized
from landline.chassis.settings import Settings
from provisioning.api.ddi_imports import BODY_LIMIT_BYTES
from provisioning.main import REGISTRY, routers

from tests.support.other_services import OtherServices, other_services

BASE = "/api/provisioning/v1"
LIMITS = {"/ddis/import": BODY_LIMIT_BYTES}


class NamedPrincipals:
    """Stands for the token verifier: the bearer token is a name given by `know`."""

    def __init__(self) -> None:
        self.known: dict[str, Principal] = {"platform": Principal("platform", admin_id="1", username="root")}

    async def verify(self, token: str) -> Principal:
        """The principal of that name."""
        if token not in self.known:
            raise Unauthorized()
        return self.known[token]


class Api:
    """The API, and shorthands to set a scene."""

    def __init__(self, http: httpx.AsyncClient, app: FastAPI, db: Database, who: NamedPrincipals) -> None:
        self.http, self.app, self.db, self.who = http, app, db, who
        self.others = OtherServices()
        self._numbers = itertools.count(1)

    async def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        """One request as somebody."""
        headers = {"Authorization": f"Bearer {who}", **more.pop("headers", {})}
        return await self.http.request(method, f"{BASE}/{path}", headers=headers, **more)

    async def get(self, who: str, path: str, **more: Any) -> httpx.Response:
        """GET as somebody."""
        return await self.call(who, "GET", path, **more)

    async def post(self, who: str, path: str, body: Any, **more: Any) -> httpx.Response:
        """POST as somebody."""
        return await self.call(who, "POST", path, json=body, **more)

    async def patch(self, who: str, path: str, body: Any, **more: Any) -> httpx.Response:
        """PATCH as somebody."""
        return await self.call(who, "PATCH", path, json=body, **more)

    async def delete(self, who: str, path: str, **more: Any) -> httpx.Response:
        """DELETE as somebody."""
        return await self.call(who, "DELETE", path, **more)

    async def made(self, who: str, path: str, body: Any) -> dict[str, Any]:
        """POST that must succeed; the new row."""
        answer = await self.post(who, path, body)
        assert answer.status_code == 201, answer.text
        row: dict[str, Any] = answer.json()
        return row

    async def brand(self, **fields: Any) -> dict[str, Any]:
        """A new brand, and a principal named by its name."""
        n = next(self._numbers)
        given = {
            "name": f"brand{n}-{id(self):x}",
            "sip_domain": f"b{n}-{id(self):x}.example.com",
            "country": "ES",
            "features": ["billing", "faxes", "recordings"],
            **fields,
        }
        row = await self.made("platform", "brands", given)
        self.who.known[row["name"]] = Principal("brand", row["id"], admin_id="2", username="operator")
        return row

    async def client(self, brand: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A new client of a brand, and a principal named by its name."""
        row = await self.made(brand["name"], "clients", {"name": f"client{next(self._numbers)}", **fields})
        self.who.known[row["name"]] = Principal("client", brand["id"], row["id"], "3", "resident")
        return row


@asynccontextmanager
async def provisioning_api(settings: Settings, pool_size: int = 5) -> AsyncIterator[Api]:
    """The API over a pool of its own."""
    db, who = Database(settings, "provisioning", pool_size=pool_size), NamedPrincipals()
    async with other_services() as others:
        known = settings.model_copy(update={"public_url": others.url})
        app = build_app("provisioning", known, routers(), lifespan=_nothing, body_limits=LIMITS)
        app.state.db, app.state.verifier = db, who
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            api = Api(http, app, db, who)
            api.others = others
            yield api
    await db.close()


@asynccontextmanager
async def _nothing(_app: FastAPI) -> AsyncIterator[None]:
    yield


__all__ = ["BASE", "REGISTRY", "Api", "NamedPrincipals", "provisioning_api"]
