"""The service as it is deployed: lifespan, background work, a change that reaches the stream."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from landline.chassis.settings import Settings
from landline.contracts import streams
from landline.contracts.envelope import FIELD, unseal
from provisioning.main import app, service, work
from pydantic import SecretStr
from redis.asyncio import Redis

from tests.support.waiting import until

BASE = "/api/provisioning/v1"


async def test_a_change_made_by_an_admin_reaches_the_config_stream(settings: Settings, redis: Redis) -> None:
    """From log-in to the event, nothing replaced: app, outbox publisher, Postgres, Redis."""
    given = settings.model_copy(update={"admin_password": SecretStr("An-Admin-Of-Tests-1")})
    served, stop = app(given), asyncio.Event()
    async with served.router.lifespan_context(served):
        background = asyncio.create_task(work(given, stop))
        transport = httpx.ASGITransport(app=served)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as http:

            async def ready() -> Any:
                return (await http.get("/readyz")).status_code

            await until(ready, equals=200)
            login = {"username": "admin", "password": "An-Admin-Of-Tests-1"}
            token = (await http.post(f"{BASE}/auth/login", json=login)).json()["access_token"]
            head = {"Authorization": f"Bearer {token}"}
            brand = {"name": "Real", "sip_domain": "real.example.com", "country": "ES"}
            made = await http.post(f"{BASE}/brands", json=brand, headers=head)
            assert made.status_code == 201, made.text

            async def published() -> list[str]:
                entries: Any = await redis.xrange(streams.CONFIG)
                return [unseal(fields[FIELD]).type for _, fields in entries]

            async def has_brand() -> bool:
                return "brand.changed.v1" in await published()

            await until(has_brand, equals=True)
            lines = (await http.get(f"{BASE}/internal/snapshot", headers=_internal(given))).text.splitlines()
            assert any(made.json()["id"] in line for line in lines)
        stop.set()
        await background


def _internal(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings.internal_key.get_secret_value()}"}


def test_it_is_found_by_its_entry_point() -> None:
    """The embedded run starts whatever is installed."""
    from landline.chassis.service import installed_services

    assert service in installed_services()
    assert service.base_path == BASE
