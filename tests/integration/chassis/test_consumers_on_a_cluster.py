"""Consumers on a Cluster of three masters: one that is away stops its own partitions, and no others."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from landline.chassis.cluster_nodes import by_node
from landline.chassis.embedded.valkey import Valkey
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.stream_consumer import StreamConsumer
from landline.chassis.stream_metrics import LAG, NOT_READY
from landline.chassis.streams import Entry
from landline.contracts.streams import ALL_CALLS
from redis.asyncio import RedisCluster
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import RedisError

from tests.support.cluster import ValkeyCluster, running_cluster

pytestmark = pytest.mark.cluster
GROUP = "billing"


@pytest.fixture(scope="module")
def masters() -> Iterator[ValkeyCluster]:
    """Three masters that go on with what they have when one is away."""
    with running_cluster() as cluster:
        yield cluster


async def client_of(cluster: ValkeyCluster, node: Valkey, folder: Path) -> RedisCluster:
    """A client that begins with this node."""
    made = await connect(Settings(_env_file=None, redis_mode="cluster", redis_url=node.url(), data=folder))
    assert isinstance(made, RedisCluster)
    assert cluster.nodes
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def redis(masters: ValkeyCluster, tmp_path: Path) -> AsyncIterator[RedisCluster]:
    """The consumer's client, on an emptied cluster."""
    made = await client_of(masters, masters.nodes[0], tmp_path)
    await made.flushall(target_nodes=RedisCluster.PRIMARIES)
    await made.config_set("cluster-require-full-coverage", "no", target_nodes=RedisCluster.PRIMARIES)
    yield made
    await made.aclose()


@asynccontextmanager
async def consuming(redis: RedisCluster, handler: Any) -> AsyncIterator[StreamConsumer]:
    """A consumer of all partitions."""
    stop = asyncio.Event()
    consumer = StreamConsumer(redis, GROUP, ALL_CALLS, handler, claim_s=1.0)
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def until(condition: Callable[[], bool], within_s: float, what: str) -> None:
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(what) from None


def hang(node: Valkey) -> Callable[[], None]:
    """It is there and does not answer: worse than dead, since each question waits."""
    for process in psutil.process_iter():
        try:
            if any(
                conn.laddr.port == node.port for conn in process.net_connections() if conn.status == "LISTEN"
            ):
                os.kill(process.pid, signal.SIGSTOP)
                return lambda: os.kill(process.pid, signal.SIGCONT)
        except psutil.Error:
            continue
    raise AssertionError("no process listens there")


def die(node: Valkey) -> Callable[[], None]:
    """kill -9; and how it comes back."""
    node.kill()
    return node.start


@pytest.mark.parametrize("away", [die, hang])
async def test_a_node_that_is_away_stops_its_own_partitions_only(
    masters: ValkeyCluster, redis: RedisCluster, tmp_path: Path, away: Callable[[Valkey], Callable[[], None]]
) -> None:
    """Before, every brand's calls waited for their record while one node of three was away."""
    seen: set[str] = set()

    async def handle(entries: list[Entry]) -> None:
        seen.update(entry.fields[b"event"].decode() for entry in entries)

    async def add(client: RedisCluster, streams: list[str], word: str) -> set[str]:
        for stream in streams:
            while True:  # a node that is back is not of the cluster at once
                with suppress(RedisError):
                    await client.xadd(stream, {"event": f"{stream} {word}"})
                    break
                await asyncio.sleep(0.1)
        return {f"{stream} {word}" for stream in streams}

    victim = masters.nodes[2]
    shares = by_node(redis, ALL_CALLS)
    theirs = next(some for name, some in shares.items() if name.endswith(f":{victim.port}"))
    others = [stream for stream in ALL_CALLS if stream not in theirs]
    assert theirs
    assert others
    async with consuming(redis, handle) as consumer:
        before = await add(redis, list(ALL_CALLS), "before")
        await until(lambda: seen >= before, 10, "all partitions are read")
        back = await asyncio.to_thread(away, victim)
        try:
            writer = await client_of(masters, masters.nodes[0], tmp_path)
            for word in ("at once", "later", "much later"):
                wanted = await add(writer, others, word)
                await until(lambda wanted=wanted: seen >= wanted, 3, f"the others are read {word}")  # type: ignore[misc]
                await asyncio.sleep(2)
            assert consumer.readiness() is not None, "and somebody is told"
            assert NOT_READY.labels(GROUP)._value.get() == 1
        finally:
            await asyncio.to_thread(back)
        after = await add(redis, theirs, "after")
        await until(lambda: seen >= after, 30, "the node's own are read when it is back")
        await until(lambda: consumer.readiness() is None, 15, "all is well again")
        await asyncio.sleep(1.5)
        assert LAG.labels(GROUP, "landline:calls")._value.get() == 0
        await writer.aclose()


async def test_an_entry_that_needs_the_dead_node_keeps_no_other_waiting(redis: RedisCluster) -> None:
    """A posting of a client whose partition is away, in front of everybody else's on the same stream."""
    is_back = asyncio.Event()
    handled: list[bytes] = []

    async def handle(entries: list[Entry]) -> None:
        if any(entry.fields[b"event"] == b"dead" for entry in entries) and not is_back.is_set():
            raise RedisAway("its partition")
        handled.extend(entry.fields[b"event"] for entry in entries)

    stream = ALL_CALLS[0]
    async with consuming(redis, handle):
        for word in ("dead", "one", "two"):
            await redis.xadd(stream, {"event": word})
        await until(lambda: {b"one", b"two"} <= set(handled), 10, "the others are handled")
        await redis.xadd(stream, {"event": "three"})
        await until(lambda: b"three" in handled, 10, "and those that come after")
        assert b"dead" not in handled
        is_back.set()
        await until(lambda: b"dead" in handled, 10, "it is claimed again")
    assert sorted(set(handled)) == [b"dead", b"one", b"three", b"two"]
