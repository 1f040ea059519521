"""Streams end: what all have read is dropped in parts, and what nobody is owed when memory is short."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from landline.chassis.embedded.stores import Stores
from landline.chassis.redis import connect
from landline.chassis.redis_memory import USED, RedisMemory
from landline.chassis.settings import Settings
from landline.chassis.stream_shedder import Shedder
from landline.chassis.stream_trimmer import run_trimmer, trim
from landline.chassis.streams import create_groups, last_id
from landline.contracts import streams as names
from landline.contracts.envelope import FIELD

NOW_MS = 1_795_348_800_000
DAY_MS = 86_400_000
MB = 1 << 20


@pytest_asyncio.fixture(loop_scope="session")
async def own(fresh_stores: Stores) -> AsyncIterator[Any]:
    """A Valkey whose memory the test may limit."""
    client = await connect(Settings(_env_file=None, redis_url=fresh_stores.valkey.url()))
    yield client
    await client.aclose()


def entry(kind: str, size: int = 500) -> dict[bytes, bytes]:
    """A sealed event of some type."""
    said = f'{{"id":"1","type":"{kind}","version":1,"occurred_at":"2026-11-25T12:00:00Z","producer":"test",'
    return {FIELD: (said + f'"brand_id":null,"data":{{"filler":"{"x" * size}"}}}}').encode()}


async def filled(redis: Any, stream: str, count: int, kinds: tuple[str, ...] = ("call.ended.v1",)) -> None:
    """So many entries, a millisecond apart, from a day ago on."""
    for start in range(0, count, 1000):
        pipe = redis.pipeline(transaction=False)
        for n in range(start, min(start + 1000, count)):
            pipe.xadd(stream, entry(kinds[n % len(kinds)]), id=f"{NOW_MS - DAY_MS + n}-0")
        await pipe.execute()


async def read_all(redis: Any, stream: str, group: str, upto: str) -> None:
    """A group that has read and acknowledged up to an id."""
    await create_groups(redis, group, [stream])
    await redis.xgroup_setid(stream, group, upto)


async def test_a_long_stream_is_trimmed_in_parts_that_hold_up_nobody(own: Any) -> None:
    """The first trimming after an upgrade, or after a reader's long absence: a million entries at once would
    stop all admissions for a second."""
    await filled(own, names.LEDGER, 60_000)
    for group in names.READERS[names.LEDGER]:
        await read_all(own, names.LEDGER, group, f"{NOW_MS - DAY_MS + 59_990}-0")
    slow: list[Any] = []
    await own.config_set("slowlog-log-slower-than", 10_000)
    await own.slowlog_reset()
    assert await trim(own, names.LEDGER, names.READERS[names.LEDGER], NOW_MS) == 59_990
    slow = [each for each in await own.slowlog_get(10) if each["command"].startswith(b"XTRIM")]
    assert len(slow) <= 1, "one may be the machine's"
    assert (await own.xlen(names.LEDGER)) == 10
    parts = (await own.info("commandstats"))["cmdstat_xtrim"]["calls"]
    assert parts >= 6


@pytest.mark.parametrize("stream", [names.CONFIG, names.RATES, names.LEDGER, names.BILLING, names.MESSAGES])
async def test_every_stream_keeps_what_is_young_and_what_a_group_needs(own: Any, stream: str) -> None:
    """Tails without a group go back a quarter of an hour; a group that nobody named counts, too."""
    readers = names.READERS[stream]
    await own.xadd(stream, entry("x.changed.v1"), id=f"{NOW_MS - DAY_MS}-0")
    await own.xadd(stream, entry("x.changed.v1"), id=f"{NOW_MS - DAY_MS}-1")
    await own.xadd(stream, entry("x.changed.v1"), id=f"{NOW_MS - 60_000}-0")
    assert bool(await trim(own, stream, readers, NOW_MS)) is not bool(readers), (
        "late starters find everything"
    )
    for group in readers:
        await read_all(own, stream, group, f"{NOW_MS - 60_000}-0")
    await read_all(own, stream, "somebody-else", f"{NOW_MS - DAY_MS}-0")
    await trim(own, stream, readers, NOW_MS)
    assert await own.xlen(stream) == (3 if readers else 1)
    await read_all(own, stream, "somebody-else", f"{NOW_MS - 60_000}-0")
    await trim(own, stream, readers, NOW_MS)
    assert await own.xlen(stream) == 1, "what is younger than a quarter of an hour stays"


async def test_an_emptied_stream_still_says_where_it_stands(own: Any) -> None:
    """A snapshot's position: 0-0 is older than every row, so a rebuild would replace and sweep nothing."""
    assert await last_id(own, names.CONFIG) == "0-0"
    await own.xadd(names.CONFIG, entry("x.changed.v1"), id=f"{NOW_MS - DAY_MS}-7")
    for group in names.READERS[names.CONFIG]:
        await read_all(own, names.CONFIG, group, f"{NOW_MS - DAY_MS}-7")
    await own.xtrim(names.CONFIG, maxlen=0, approximate=False)
    assert await own.xlen(names.CONFIG) == 0
    assert await last_id(own, names.CONFIG) == f"{NOW_MS - DAY_MS}-7"


async def test_the_trimmer_goes_by_the_servers_time(own: Any) -> None:
    """Ids are made by the server: a test's clock that is a day ahead must not drop revoked sessions."""
    import asyncio

    await own.xadd(names.CONFIG, entry("x.changed.v1"))
    for group in names.READERS[names.CONFIG]:
        await read_all(own, names.CONFIG, group, await last_id(own, names.CONFIG))
    stop = asyncio.Event()
    running = asyncio.create_task(run_trimmer(own, (names.CONFIG,), stop))
    await asyncio.sleep(0.2)
    stop.set()
    await running
    assert await own.xlen(names.CONFIG) == 1


async def used_up(redis: Any, share: float) -> None:
    """Limit memory so that this share of it is used now."""
    used = int((await redis.info("memory"))["used_memory"])
    await redis.config_set("maxmemory", int(used / share))


async def test_at_eighty_per_cent_rejections_and_ringing_go_and_money_stays(own: Any) -> None:
    """Billing is away and Redis fills up: a refused call's story is worth less than a call's price."""
    stream = names.ALL_CALLS[7]
    kinds = ("call.rejected.v1", "call.ended.v1", "call.ringing.v1", "call.admitted.v1")
    await filled(own, stream, 4_000, kinds)
    memory = RedisMemory(own)
    shedder = Shedder(own, memory, [stream], names.OWED_TO_NOBODY)
    await used_up(own, 0.7)
    assert 0.6 < await memory.look() < 0.8
    assert (memory.short, await shedder.shed()) == (False, 0)
    assert USED._value.get() > 0.6, "the alert"
    await used_up(own, 0.85)
    await memory.look()
    assert (memory.short, await shedder.shed()) == (True, 2_000)
    left = [fields[FIELD] for _, fields in await own.xrange(stream)]
    assert len(left) == 2_000
    assert not any(b"call.rejected" in raw or b"call.ringing" in raw for raw in left)
    assert await shedder.shed() == 0, "each stream is read once"


async def test_memory_without_a_limit_is_never_short(own: Any) -> None:
    """An embedded run: the machine is the limit."""
    memory, began = RedisMemory(own), time.monotonic()
    assert await memory.look() == 0
    assert not memory.short
    assert time.monotonic() - began < 5


async def test_it_is_short_until_there_is_room_again(own: Any) -> None:
    """Not on and off at each call around the limit."""
    await own.set("landline:filler", "x" * 2 * MB)
    memory = RedisMemory(own)
    for share, short in ((0.7, False), (0.85, True), (0.78, True), (0.7, False)):
        await used_up(own, share)
        await memory.look()
        assert memory.short is short, share
