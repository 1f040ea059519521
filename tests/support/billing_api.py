"""Billing's app with its background work, asked in-process by named people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from billing.main import service
from landline.chassis.auth import SYSTEM, Principal
from landline.chassis.settings import Settings
from landline.contracts import streams
from landline.contracts.envelope import fields, seal
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.ids import new_id
from redis.asyncio import Redis

from tests.support.billing_calls import NOW_MS, Client
from tests.support.waiting import until

BASE = "/api/billing/v1"


class Named:
    """A verifier whose tokens are names."""

    def __init__(self) -> None:
        self.people: dict[str, Principal] = {
            "platform": Principal("platform", admin_id=new_id(), username="pat"),
            "system": SYSTEM,
        }

    async def verify(self, token: str) -> Principal:
        return self.people[token]

    def missing(self) -> str | None:
        return None


class BillingApi:
    """Ask as somebody: `await api.post("platform", "/rate-decks", {...})`."""

    def __init__(self, http: httpx.AsyncClient, named: Named, redis: Redis) -> None:
        self.http, self.named, self.redis = http, named, redis

    def operator(self, brand_id: str) -> str:
        """A brand operator's token."""
        name = f"brand {brand_id}"
        self.named.people[name] = Principal("brand", brand_id=brand_id, admin_id=new_id(), username="bea")
        return name

    def customer(self, client: Client) -> str:
        """A client administrator's token."""
        name = f"client {client.client_id}"
        who = Principal("client", client.brand_id, client.client_id, admin_id=new_id(), username="carl")
        self.named.people[name] = who
        return name

    async def client(self, client: Client, version: int = 1, **data: Any) -> Client:
        """Let provisioning publish a client."""
        row = {"name": "Casa", "currency": client.currency, "timezone": "Europe/Madrid", **data}
        change = EntityChanged(entity="client", entity_id=client.client_id, entity_version=version, data=row)
        event = seal(
            change,
            producer="provisioning",
            now_ms=NOW_MS,
            brand_id=client.brand_id,
            client_id=client.client_id,
        )
        await self.redis.xadd(streams.CONFIG, fields(event))
        return client

    async def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who}", **more.pop("headers", {})}
        return await self.http.request(method, f"{BASE}{path}", headers=headers, **more)

    async def get(self, who: str, path: str, **params: Any) -> Any:
        """The JSON of a GET that succeeds."""
        answer = await self.call(who, "GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, who: str, path: str, body: Any, **headers: str) -> Any:
        """The JSON of a POST that succeeds."""
        answer = await self.call(who, "POST", path, json=body, headers=headers)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    async def operate(
        self, who: str, client: Client, operation: str, amount: str, key: str
    ) -> httpx.Response:
        """A balance operation."""
        return await self.call(
            who,
            "POST",
            f"/clients/{client.client_id}/balance/operations",
            json={"operation": operation, "amount": amount, "reason": "a test"},
            headers={"Idempotency-Key": key, "X-Reason": "a test"},
        )

    async def upload(self, who: str, deck_id: str, sheet: bytes, **form: Any) -> dict[str, Any]:
        """Import a sheet and wait for its job's end."""
        answer = await self.call(
            who, "POST", f"/rate-decks/{deck_id}/import", files={"file": ("rates.csv", sheet)}, data=form
        )
        assert answer.status_code == 202, answer.text
        return await self.finished(who, answer.json()["id"])

    async def finished(self, who: str, job_id: str, within_s: float = 60) -> dict[str, Any]:
        """The job once it is done or failed."""
        async with asyncio.timeout(within_s):
            while True:
                job: dict[str, Any] = await self.get(who, f"/jobs/{job_id}")
                if job["state"] in ("done", "failed"):
                    return job
                await asyncio.sleep(0.05)

    async def told(self, stream: str, kind: str, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """The data of the events of a type that have these fields, as soon as there are `count` of them."""
        found: list[dict[str, Any]] = []

        async def how_many() -> int:
            events = await self.events(stream, kind)
            found[:] = [each for each in events if fields.items() <= each.items()]
            return len(found)

        await until(how_many, at_least=count)
        return found

    async def events(self, stream: str, kind: str) -> list[dict[str, Any]]:
        """The data of all events of a type on a stream, as it stands: the outbox may have more (`told`)."""
        entries: Any = await self.redis.xrange(stream)
        found = [msgspec.json.decode(entry[b"event"]) for _, entry in entries]
        return [event["data"] for event in found if event["type"] == kind]


@asynccontextmanager
async def billing_api(settings: Settings, redis: Redis) -> AsyncIterator[BillingApi]:
    """The app and the work of billing, running in this loop."""
    app, stop, named = service.app(settings), asyncio.Event(), Named()
    working = asyncio.ensure_future(service.work(settings, stop))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://billing", timeout=60) as http,
        ):
            app.state.verifier = named
            yield BillingApi(http, named, redis)
    finally:
        stop.set()
        await asyncio.wait_for(working, 20)
