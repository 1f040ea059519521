"""Provisioning and billing as they are, with a gateway between them that can fail as gateways do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from landline.chassis.auth import SYSTEM
from landline.chassis.outbox import run_outbox
from landline.chassis.settings import Settings
from provisioning.setups.complete import run_setups
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.billing_api import BASE, BillingApi, billing_api
from tests.support.provisioning_api import Api, provisioning_api

Row = dict[str, Any]


@dataclass
class Gateway:
    """`refuses`: ends of paths whose POSTs never arrive; `loses`: those whose answers never come back."""

    billing: BillingApi
    refuses: set[str] = field(default_factory=set)
    loses: set[str] = field(default_factory=set)
    away: bool = False

    async def pass_on(self, request: Request) -> Response:
        """One request to billing, or what a gateway says when it cannot."""
        path, body = request.url.path, await request.body()
        hit = {e for e in self.refuses | self.loses if request.method == "POST" and path.endswith(e)}
        if self.away or hit & self.refuses:
            return Response(status_code=503)
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "content-length")}
        answer: httpx.Response = await self.billing.http.request(
            request.method, path, params=str(request.query_params), headers=headers, content=body
        )
        return Response(status_code=502) if hit else Response(answer.content, answer.status_code)


@dataclass
class Story:
    """A brand with a plan, a number in its pool, and both services."""

    api: Api
    billing: BillingApi
    gateway: Gateway
    settings: Settings
    brand: Row
    plan_id: str
    redis: Redis

    @property
    def who(self) -> str:
        """The brand's operator."""
        return str(self.brand["name"])

    async def set_up(self, body: Row, key: str | None = None, who: str | None = None) -> httpx.Response:
        """`POST client-setups`."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.api.post(who or self.who, "client-setups", body, headers=headers)

    async def profiles(self, client_id: str) -> list[Row]:
        """What billing has for the client."""
        answer = await self.billing.get("platform", "/rating-profiles", client_id=client_id)
        items: list[Row] = answer["items"]
        return items

    async def balance(self, client_id: str) -> tuple[str, int]:
        """(balance, how many postings)."""
        found = await self.billing.get("platform", f"/clients/{client_id}/balance")
        return found["balance"], found["sequence"]

    async def until_done(self, setup_id: str) -> Row:
        """The worker at work until the setup is done."""
        stop = asyncio.Event()
        working = asyncio.create_task(run_setups(self.api.db, self.settings, stop))
        try:
            async with asyncio.timeout(20):
                while True:
                    row: Row = (await self.api.get(self.who, f"client-setups/{setup_id}")).json()
                    if row["state"] == "done":
                        return row
                    await asyncio.sleep(0.05)
        finally:
            stop.set()
            await working


@asynccontextmanager
async def setup_story(settings: Settings, redis: Redis) -> AsyncIterator[Story]:
    """Both services, provisioning's events on their way, and a brand."""
    async with billing_api(settings, redis) as billing, provisioning_api(settings) as api:
        billing.named.people[settings.internal_key.get_secret_value()] = SYSTEM
        gateway, stop = Gateway(billing), asyncio.Event()
        publishing = asyncio.create_task(run_outbox(api.db, redis, stop))
        try:
            async with _served(gateway) as url:
                known: Settings = api.app.state.settings
                known.public_url = url
                yield await _furnished(api, billing, gateway, known, redis)
        finally:
            stop.set()
            await publishing


@asynccontextmanager
async def _served(gateway: Gateway) -> AsyncIterator[str]:
    methods = ["GET", "POST"]
    app = Starlette(routes=[Route(f"{BASE}/{{rest:path}}", gateway.pass_on, methods=methods)])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def _furnished(
    api: Api, billing: BillingApi, gateway: Gateway, settings: Settings, redis: Redis
) -> Story:
    brand = await api.brand(timezone="Europe/Madrid")
    plan = {"name": "Residential", "currency": "EUR", "brand_id": brand["id"]}
    made = await billing.post("platform", "/rating-plans", plan)
    return Story(api, billing, gateway, settings, brand, made["id"], redis)
