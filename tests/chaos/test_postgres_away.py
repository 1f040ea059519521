"""Postgres killed and away under load: calls go on, nothing is buried, every record comes afterwards."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from landline.chassis.embedded.postgres import Postgres

from tests.chaos.conftest import HEAVY
from tests.support.edge_load import EdgeLoad
from tests.support.load_check import assert_all_billed_once
from tests.support.story_edge import Edge
from tests.support.world import PROVISIONING, Brand

pytestmark = pytest.mark.chaos
AWAY_S = 300.0 if HEAVY else 15.0
BEFORE_S = 2.0


async def test_calls_go_on_without_postgres_and_are_all_recorded_when_it_is_back(
    brand: Brand, edge: Edge, postgres: Postgres
) -> None:
    """Failures of the surroundings never count towards dead letters, however long they last."""
    stack = brand.platform.stack
    homes = [brand.home(), brand.home(billing_method="prepaid", balance="100.00")]
    token = brand.api.http.headers["Authorization"]
    load = EdgeLoad(edge, homes, lanes=4, talk_s=0.5)
    without: dict[str, float] = {}

    async def harm() -> None:
        await asyncio.sleep(BEFORE_S)
        await asyncio.to_thread(postgres.kill)
        without["from"] = time.time() * 1000
        try:
            await asyncio.sleep(AWAY_S / 2)
            async with httpx.AsyncClient(base_url=stack.url, timeout=30) as http:
                people = {"Authorization": token}
                for path in (f"{PROVISIONING}/clients", f"{PROVISIONING}/clients/{homes[0].id}"):
                    answer = await http.get(path, headers=people)
                    assert answer.status_code == 503, answer.text
                    assert answer.json()["code"] == "database_away"
                ready = await http.get("/readyz")
                assert ready.status_code == 503
                assert ready.json()["components"]["billing.postgres"]
            await asyncio.sleep(AWAY_S / 2)
            without["to"] = time.time() * 1000
        finally:
            await asyncio.to_thread(postgres.start)

    await asyncio.gather(load.run(BEFORE_S + AWAY_S + 2), harm())
    await asyncio.to_thread(brand.platform.wait_served)
    meanwhile = [c for c in load.calls if without["from"] < (c.ended_ms or 0) < without["to"]]
    assert len(meanwhile) > AWAY_S, "calls go on without the database"
    await asyncio.to_thread(assert_all_billed_once, stack, load, 120.0)
    assert load.denials == {}
