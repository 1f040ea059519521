"""Everything is killed at random moments: web and work processes, Redis, Postgres (issue 5, item 8).

LANDLINE_HEAVY=1 (`make chaos`) makes 10,000 calls; LANDLINE_CHAOS_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest
from landline.chassis.embedded.postgres import Postgres

from tests.chaos.conftest import HEAVY
from tests.chaos.test_killed_processes import LANES, MAX_CALLS, killed_once
from tests.support.edge_load import EdgeLoad
from tests.support.load_check import assert_all_billed_once
from tests.support.story_edge import Edge
from tests.support.world import Brand

pytestmark = pytest.mark.chaos
SEED = int(os.environ.get("LANDLINE_CHAOS_SEED", "4711"))
CALLS = 10_000 if HEAVY else 60
SECONDS = 30.0 if HEAVY else 5.0
# The supervisor gives up at the fifth death of a process in a minute, and a busy machine starts slowly.
EVERY_S = (45.0, 75.0) if HEAVY else (0.5, 3.5)


async def test_one_record_and_one_charge_for_each_call_whatever_dies_when(
    brand: Brand, edge: Edge, postgres: Postgres
) -> None:
    """The promise of the platform: no moment exists at which a `kill -9` loses or doubles a call."""
    stack, random = brand.platform.stack, Random(SEED)
    homes = [
        brand.home(max_calls=MAX_CALLS, billing_method="prepaid", balance="20.00"),
        brand.home(max_calls=MAX_CALLS, max_daily_usage="20.00"),
        brand.home(billing_method="pseudoprepaid", balance="500.00"),
        brand.home(),
    ]
    load, over = EdgeLoad(edge, homes, lanes=LANES, talk_s=0.1), asyncio.Event()
    deaths: list[str] = []

    async def die(role: str) -> None:
        """Again and again in the long form, once in the short one."""
        while not over.is_set():
            await asyncio.sleep(random.uniform(*EVERY_S))
            if over.is_set():
                return
            deaths.append(role)
            if role == "postgres":
                await asyncio.to_thread(postgres.kill)
                await asyncio.sleep(random.uniform(0.1, 3.0))
                await asyncio.to_thread(postgres.start)
            else:
                await killed_once(stack, role)
            if not HEAVY:
                return

    harm = [asyncio.create_task(die(role)) for role in ("web", "work", "valkey", "postgres")]
    await load.run(SECONDS, CALLS)
    over.set()
    await asyncio.gather(*harm)
    await asyncio.to_thread(brand.platform.wait_served)
    await asyncio.to_thread(assert_all_billed_once, stack, load, 240.0)
    assert set(deaths) == {"web", "work", "valkey", "postgres"}, deaths
    assert len(load.calls) >= CALLS
    assert all(load.peak[home.id] <= MAX_CALLS for home in homes[:2]), load.peak
