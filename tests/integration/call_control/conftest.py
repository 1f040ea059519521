"""A world per test, on one Valkey and, where the test says so, on a cluster of three masters too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from call_control.adapters.scripts import load_all
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from redis.asyncio import RedisCluster

from tests.support.money_world import World


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of an own Redis: `single` unless the test asks for `cluster`."""
    mode = getattr(request, "param", "single")
    if mode == "single":
        url = request.getfixturevalue("stores").redis_url
    else:
        url = request.getfixturevalue("valkey_cluster").url
    return Settings(redis_mode=mode, redis_url=url, data=tmp_path, _env_file=None)


@pytest_asyncio.fixture(loop_scope="session")
async def world(server: Settings) -> AsyncIterator[World]:
    """An empty world, its scripts loaded."""
    redis = await connect(server)
    if isinstance(redis, RedisCluster):
        await redis.flushall(target_nodes=RedisCluster.PRIMARIES)
    else:
        await redis.flushall()
    await load_all(redis)
    world = World(redis)
    yield world
    await world.batch.aclose()
    await redis.aclose()
