"""Redis with replicas, by Sentinel and as a Cluster: a node dies under load, and what was promised holds.

The guarantees of architecture 3.2, on real processes; docs/runbooks/redis-kinds.md says what they cost.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis as plain
from call_control.adapters.scripts import load_all
from call_control.app.record_end import EndReport, record_end
from call_control.domain.live_call import State, Terms
from landline.chassis.embedded.valkey import Valkey
from landline.chassis.redis import AnyRedis, connect, durability_gaps
from landline.chassis.replication import NotReplicated
from landline.chassis.settings import Settings
from landline.chassis.stream_consumer import StreamConsumer
from landline.chassis.streams import Entry
from landline.contracts.call_control.events import CallEnded
from landline.contracts.streams import ALL_CALLS
from landline.kernel.ids import PARTITIONS
from redis.asyncio import RedisCluster
from redis.exceptions import RedisError, ResponseError

from tests.support.calls import new_call
from tests.support.cluster import MASTERS, ValkeyCluster, running_cluster, wait_linked
from tests.support.money_world import KEY, World
from tests.support.redis_load import RedisLoad
from tests.support.sentinel import NAME, WatchedRedis, running_sentinel

pytestmark = pytest.mark.cluster
POSTPAID = Terms(rule="postpaid")


@asynccontextmanager
async def following(redis: AnyRedis) -> AsyncIterator[set[str]]:
    """Another service that reads all `calls` streams: the calls whose end it was told."""
    told: set[str] = set()

    async def handle(entries: list[Entry]) -> None:
        told.update(e.event.call_id or "" for e in entries if e.event.type == CallEnded.TYPE)

    consumer, stop = StreamConsumer(redis, "billing", ALL_CALLS, handle, claim_s=1), asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield told
    finally:
        stop.set()
        await task


async def until(condition: Any, what: str, within_s: float = 20.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.05)


def pid_of(node: Valkey) -> int:
    """The server's process."""
    assert node.process is not None
    return node.process.pid


@pytest.fixture(scope="module")
def watched() -> Iterator[WatchedRedis]:
    """A primary, two replicas, three Sentinels."""
    with running_sentinel() as watched:
        yield watched


@pytest_asyncio.fixture(loop_scope="session")
async def by_sentinel(watched: WatchedRedis, tmp_path: Path) -> AsyncIterator[World]:
    """A world on whoever is primary; one replica must confirm."""
    settings = Settings(
        redis_mode="sentinel", redis_url=watched.account, redis_sentinels=watched.sentinels,
        redis_sentinel_name=NAME, data=tmp_path, _env_file=None,
    )  # fmt: skip
    redis = await connect(settings)
    await load_all(redis)
    assert await durability_gaps(redis, replicas=1) == []
    world = World(redis, 5, replicas=1)
    yield world
    await world.batch.aclose()
    await redis.aclose()


async def test_a_fail_over_under_load_loses_nothing_that_was_acknowledged(
    watched: WatchedRedis, by_sentinel: World
) -> None:
    """The primary is killed while calls begin and end: Sentinel promotes a replica, which has them all."""
    load = RedisLoad([by_sentinel])
    running = asyncio.create_task(load.run())
    await until(lambda: len(load.ended) > 100, "the load is on")
    before = watched.primary_port()
    killed = next(node for node in watched.nodes if node.port == before)
    await asyncio.to_thread(killed.kill)
    await until(lambda: watched.primary_port() != before, "another is primary")
    so_far = len(load.ended)
    await until(lambda: len(load.ended) > so_far + 100, "calls go on")
    load.over = True
    await running
    await load.assert_promises_hold()
    assert load.refused, "somebody was told 503 meanwhile"
    async with following(by_sentinel.redis) as told:
        await until(lambda: told >= load.ended.keys(), "every end is on the stream")
    await asyncio.to_thread(killed.start)


async def test_without_a_replica_nothing_is_acknowledged(watched: WatchedRedis, by_sentinel: World) -> None:
    """Frozen replicas confirm nothing: an end gets its 503 and the edge keeps it; an admission is undone."""
    world, now = by_sentinel, time.time_ns() // 1_000_000
    live = new_call(5, now, POSTPAID, client_id="frozen")
    assert (await world.calls.admit(live, now)).status == "ADMITTED"
    primary = watched.primary_port()
    replicas = [node for node in watched.nodes if node.running and node.port != primary]
    # Stopped but connected: the primary still counts them as good, and only WAIT tells the truth.
    for node in replicas:
        os.kill(pid_of(node), signal.SIGSTOP)
    refused = new_call(5, now, POSTPAID, client_id="frozen")
    with pytest.raises(NotReplicated):
        await world.calls.admit(refused, now)
    report = EndReport(now + 1_000, now)
    for _ in range(2):  # also when the primary knows the end already
        with pytest.raises(NotReplicated):
            await record_end(world.calls, live.facts.call_id, report, now + 1_000, KEY)
    for node in replicas:
        os.kill(pid_of(node), signal.SIGCONT)
    async with asyncio.timeout(10):
        while True:
            try:
                await record_end(world.calls, live.facts.call_id, report, now + 1_000, KEY)
                break
            except RedisError:
                await asyncio.sleep(0.1)
    usage = await world.calls.client_usage(5, "frozen", "UTC", now)
    assert (usage.active_calls, usage.held_micros, usage.unposted_micros) == (0, 0, 10_000)
    undone = await world.calls.read_call(refused.facts.call_id)
    assert undone is None or undone.state is State.ENDED


async def test_a_primary_that_lost_its_replicas_takes_no_call(
    watched: WatchedRedis, by_sentinel: World
) -> None:
    """`min-replicas-to-write 1`: it could be the wrong side of a split, where money would be spent twice."""
    now, primary = time.time_ns() // 1_000_000, watched.primary_port()
    gone = [node for node in watched.nodes if node.running and node.port != primary]
    for node in gone:
        await asyncio.to_thread(node.kill)
    await asyncio.sleep(0.3)
    with pytest.raises(ResponseError, match="NOREPLICAS"):
        await by_sentinel.calls.admit(new_call(5, now, POSTPAID, client_id="lonely"), now)
    usage = await by_sentinel.calls.client_usage(5, "lonely", "UTC", now)
    assert (usage.active_calls, usage.held_micros) == (0, 0)
    for node in gone:
        await asyncio.to_thread(node.start)


@pytest.fixture(scope="module")
def replicated() -> Iterator[ValkeyCluster]:
    """Three masters, each with a replica."""
    with running_cluster(replicas=True) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def nodes(replicated: ValkeyCluster, tmp_path: Path) -> AsyncIterator[AnyRedis]:
    """A client of the cluster."""
    settings = Settings(redis_mode="cluster", redis_url=replicated.url, data=tmp_path, _env_file=None)
    redis = await connect(settings)
    await load_all(redis)
    yield redis
    await redis.aclose()


async def test_brands_are_spread_over_all_nodes(nodes: RedisCluster) -> None:
    """A brand is a partition, a partition a slot: 64 of them over three masters."""
    owners = [nodes.get_node_from_key(f"{{p{k}}}:x") for k in range(PARTITIONS)]
    names = [owner.name for owner in owners if owner]
    assert len(set(names)) == 3
    assert min(names.count(name) for name in set(names)) >= PARTITIONS // 6


async def test_a_killed_master_takes_only_its_brands_along_until_its_replica_is_promoted(
    replicated: ValkeyCluster, nodes: RedisCluster
) -> None:
    """Brands of the other masters go on; afterwards all is there, and every call charged once."""
    by_node: dict[str, int] = {}
    for k in range(PARTITIONS):
        owner = nodes.get_node_from_key(f"{{p{k}}}:x")
        by_node.setdefault(owner.name if owner else "", k)
    worlds = {name: World(nodes, k, replicas=1) for name, k in by_node.items()}
    load = RedisLoad(list(worlds.values()), lanes=2)
    async with following(nodes) as told:
        await _kill_a_master(replicated, worlds, load)
        await until(lambda: told >= load.ended.keys(), "every end was told, also by the heir")
    await load.assert_promises_hold()
    for world in worlds.values():
        await world.batch.aclose()


async def _kill_a_master(cluster: ValkeyCluster, worlds: dict[str, World], load: RedisLoad) -> None:
    running = asyncio.create_task(load.run())
    await until(lambda: len(load.ended) > 100, "the load is on")
    victim = cluster.nodes[1]
    name = next(name for name in worlds if name.endswith(f":{victim.port}"))
    killed_at = time.monotonic()
    await asyncio.to_thread(victim.kill)
    await asyncio.sleep(1.5)
    for other, world in worlds.items():
        if other != name:
            assert load.acknowledged_between(world.partition, killed_at + 0.5, time.monotonic()) > 5, other
    heir = plain.Redis.from_url(cluster.nodes[MASTERS + 1].url())
    await until(lambda: heir.info("replication")["role"] == "master", "its replica is promoted")
    heir.close()
    # The heir is alone: it takes no money until the old master follows it.
    await asyncio.to_thread(victim.start)
    back = plain.Redis.from_url(victim.url())
    await asyncio.to_thread(wait_linked, back)
    back.close()
    since = time.monotonic()
    await until(
        lambda: load.acknowledged_between(worlds[name].partition, since, time.monotonic()) > 20,
        "the killed master's brands are served again",
    )
    load.over = True
    await running
