"""The fixtures themselves: what every other test stands on."""

from __future__ import annotations

import asyncpg
import pytest
from landline.chassis.embedded.stores import Stores
from landline.chassis.settings import Settings
from redis.asyncio import Redis, RedisCluster


async def test_a_service_role_reads_and_writes_its_own_schema_only(settings: Settings) -> None:
    """Isolation of services is the database's business, not good manners."""
    owner = await asyncpg.connect(settings.pg_dsn("landline_owner"))
    await owner.execute("CREATE TABLE billing.things (id int GENERATED ALWAYS AS IDENTITY)")
    await owner.close()
    billing = await asyncpg.connect(settings.pg_dsn("billing"))
    assert await billing.execute("INSERT INTO things DEFAULT VALUES") == "INSERT 0 1"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await billing.execute("CREATE TABLE billing.mine (id int)")
    await billing.close()
    notifier = await asyncpg.connect(settings.pg_dsn("notifier"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await notifier.fetch("SELECT * FROM billing.things")
    await notifier.close()


async def test_killed_stores_come_back_on_the_same_port_with_their_data(fresh_stores: Stores) -> None:
    """Chaos tests kill; what was acknowledged must be there afterwards."""
    connection = await asyncpg.connect(fresh_stores.postgres.url())
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    client = Redis.from_url(fresh_stores.valkey.url())
    await client.set("kept", 7)
    await client.aclose()
    fresh_stores.postgres.kill()
    fresh_stores.valkey.kill()
    fresh_stores.start()
    again = await asyncpg.connect(fresh_stores.postgres.url())
    assert await again.fetchval("SELECT n FROM kept") == 7
    await again.close()
    client = Redis.from_url(fresh_stores.valkey.url())
    assert await client.get("kept") == b"7"
    await client.aclose()
    connection.terminate()


@pytest.mark.cluster
async def test_the_cluster_serves_every_slot(redis_cluster: RedisCluster) -> None:
    """Keys of all partitions, so of all three masters."""
    for number in range(64):
        await redis_cluster.set(f"{{p{number}}}:x", number)
    assert [await redis_cluster.get(f"{{p{n}}}:x") for n in range(64)] == [b"%d" % n for n in range(64)]


async def test_redis_is_as_durable_as_services_demand(redis: Redis) -> None:
    """Architecture 3.2: services are not ready on less."""
    found = await redis.config_get("appendonly", "appendfsync", "maxmemory-policy")
    assert found == {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
