"""AutoBatch: the commands of one turn share a round trip, and none harms another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from landline.chassis.embedded.stores import Stores
from landline.chassis.redis import AutoBatch, connect, durability_gaps
from landline.chassis.settings import Settings
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from tests.support.stores import TestStores


@pytest_asyncio.fixture(loop_scope="session")
async def batch(stores: TestStores, tmp_path: Path) -> AsyncIterator[AutoBatch]:
    """A batch on the session's Valkey, under keys of its own."""
    redis = await connect(Settings(redis_url=stores.redis_url, data=tmp_path))
    await redis.delete("batch:h", "batch:n", "batch:text")
    batch = AutoBatch(redis)
    yield batch
    await batch.aclose()
    await redis.aclose()


async def test_commands_of_one_turn_travel_together(batch: AutoBatch) -> None:
    """Promise of the hot path: one round trip per admission, shared with others that are in flight."""
    replies = await asyncio.gather(*(batch.execute("INCR", "batch:n") for _ in range(4)))
    assert replies == [1, 2, 3, 4]
    assert (batch.round_trips, batch.commands) == (1, 4)


@pytest.mark.parametrize(("commands", "most_trips"), [(8, 2), (64, 6), (500, 16), (5_000, 26)])
async def test_a_crowd_is_sent_in_parts(batch: AutoBatch, commands: int, most_trips: int) -> None:
    """Redis must not stand idle while we prepare the last of a turn's commands, nor we while it carries
    them out; yet a part is worth its fsync."""
    replies = await asyncio.gather(*(batch.execute("INCR", "batch:n") for _ in range(commands)))
    assert sorted(replies) == list(range(1, commands + 1))
    assert 2 <= batch.round_trips <= most_trips


async def test_commands_that_come_while_a_batch_is_in_flight_gather_for_the_next(batch: AutoBatch) -> None:
    """Few large batches under load, one fsync each."""

    async def twice() -> None:
        await batch.execute("INCR", "batch:n")
        await batch.execute("INCR", "batch:n")

    await asyncio.gather(*(twice() for _ in range(50)))
    assert batch.commands == 100
    assert batch.round_trips <= 14


async def test_an_error_belongs_to_its_own_command(batch: AutoBatch) -> None:
    """One caller's mistake must not fail 63 others."""
    await batch.execute("SET", "batch:text", "x")
    replies: Any = await asyncio.gather(
        batch.execute("INCR", "batch:n"),
        batch.execute("INCR", "batch:text"),
        batch.execute("GET", "batch:text"),
        return_exceptions=True,
    )
    assert [replies[0], replies[2]] == [1, b"x"]
    assert isinstance(replies[1], ResponseError)


async def test_replies_are_shaped_as_redis_py_shapes_them(batch: AutoBatch) -> None:
    """A caller may move from the client to the batch without noticing."""
    await batch.execute("HSET", "batch:h", "a", 1, "b", b"\xff")
    found = await batch.execute("HGETALL", "batch:h")
    assert found == await batch.redis.hgetall("batch:h") == {b"a": b"1", b"b": b"\xff"}


async def test_a_caller_that_gives_up_does_not_disturb_the_others(batch: AutoBatch) -> None:
    """HTTP clients hang up in the middle."""
    first = asyncio.ensure_future(batch.execute("INCR", "batch:n"))
    second = asyncio.ensure_future(batch.execute("INCR", "batch:n"))
    first.cancel()
    assert await second == 2


async def test_a_killed_server_fails_what_was_in_flight_and_the_next_batch_reconnects(
    fresh_stores: Stores, tmp_path: Path
) -> None:
    """No command is repeated by itself: whoever may repeat it, does."""
    redis = await connect(Settings(redis_url=fresh_stores.valkey.url(), data=tmp_path))
    batch = AutoBatch(redis)
    await batch.execute("SET", "n", 1)
    fresh_stores.valkey.kill()
    with pytest.raises((ConnectionError, OSError)):
        await batch.execute("INCR", "n")
    fresh_stores.valkey.start()
    assert await batch.execute("INCR", "n") == 2
    await batch.aclose()
    await redis.aclose()


async def test_an_argument_that_cannot_be_sent_harms_nothing_that_follows(batch: AutoBatch) -> None:
    """None is no text: its caller hears of it, the lane goes on."""
    for _ in range(4):  # more than there are lanes
        with pytest.raises(Exception, match="must be str"):
            await batch.execute("SET", "batch:text", None)
    assert await batch.execute("SET", "batch:text", "x")


async def test_a_server_that_stands_still_is_given_up_in_time_and_used_again(
    fresh_stores: Stores, tmp_path: Path
) -> None:
    """Its late replies must not be taken for those of the next batch."""
    redis = await connect(Settings(redis_url=fresh_stores.valkey.url(), data=tmp_path))
    batch = AutoBatch(redis, timeout_s=0.3, lanes=1)
    await batch.execute("SET", "n", 1)
    await redis.client_pause(1000)
    with pytest.raises(TimeoutError):
        await batch.execute("INCR", "n")
    await asyncio.sleep(1)
    assert await batch.execute("GET", "n") in (b"1", b"2")
    await batch.aclose()
    await redis.aclose()


async def test_a_server_that_may_lose_writes_is_told_by_name(batch: AutoBatch, stores: TestStores) -> None:
    """Not ready otherwise (architecture 3.2)."""
    redis = batch.redis
    await redis.config_set("appendfsync", "always")
    assert [gap for gap in await durability_gaps(redis) if "appendfsync" in gap] == []
    await redis.config_set("appendfsync", "everysec")
    try:
        gaps = await durability_gaps(redis)
        assert "appendfsync is everysec, must be always" in gaps
    finally:
        await redis.config_set("appendfsync", "always")


@pytest.mark.cluster
async def test_on_a_cluster_each_command_finds_its_node(redis_cluster: object) -> None:
    """Partitions live on different nodes."""
    batch = AutoBatch(redis_cluster)  # type: ignore[arg-type]
    keys = [f"{{p{k}}}:n" for k in range(64)]
    assert await asyncio.gather(*(batch.execute("INCR", key) for key in keys)) == [1] * 64
    replies: Any = await asyncio.gather(
        batch.execute("LPUSH", keys[0], "x"), batch.execute("INCR", keys[1]), return_exceptions=True
    )
    assert (isinstance(replies[0], ResponseError), replies[1]) == (True, 2)
    await batch.aclose()
