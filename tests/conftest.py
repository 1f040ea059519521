"""Fixtures that any test may ask for. Stores start with the first test that needs them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from landline.chassis.embedded.stores import Stores
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from redis.asyncio import Redis, RedisCluster

from tests.support.cluster import ValkeyCluster, running_cluster
from tests.support.stores import TestStores, private_stores, running_stores


@pytest.fixture(scope="session")
def stores() -> Iterator[TestStores]:
    """One Postgres and one Valkey for the session. Whoever kills one starts it again."""
    with running_stores() as running, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LANDLINE_") and "_TEST_" not in name]:
            patch.delenv(name)  # a developer's own .env must not decide a test
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture
def fresh_stores() -> Iterator[Stores]:
    """A private pair, for tests that break things. Empty: no roles, no tables."""
    with private_stores() as own:
        yield own


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(stores: TestStores, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """Settings for this module's own database (all services migrated) and an emptied Redis."""
    database = await stores.fresh_database()
    settings = stores.settings(database, tmp_path_factory.mktemp("data"))
    client = await connect(settings)
    await client.flushall()
    await client.aclose()
    yield settings
    await stores.drop_database(database)


@pytest_asyncio.fixture(loop_scope="session")
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """A client of the session's Valkey; emptied at the start of each module, not of each test."""
    client = await connect(settings)
    assert isinstance(client, Redis)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """Three masters for the session; mark the test `cluster`."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_settings(valkey_cluster: ValkeyCluster, settings: Settings) -> Settings:
    """The module's settings with the cluster as Redis."""
    return settings.model_copy(update={"redis_mode": "cluster", "redis_url": valkey_cluster.url})


@pytest_asyncio.fixture(loop_scope="session")
async def redis_cluster(valkey_cluster: ValkeyCluster, tmp_path: Path) -> AsyncIterator[RedisCluster]:
    """A client of the cluster, emptied."""
    settings = Settings(redis_mode="cluster", redis_url=valkey_cluster.url, data=tmp_path, _env_file=None)
    client = await connect(settings)
    assert isinstance(client, RedisCluster)
    await client.flushall(target_nodes=RedisCluster.PRIMARIES)
    yield client
    await client.aclose()
