"""What every consumer relies on: nothing lost, and poison harms only itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import typer
from landline.chassis.dead_letters import bury, dead_waiting, list_dead, replay_dead
from landline.chassis.settings import Settings
from landline.chassis.stream_commands import add_dead_letters, add_replay
from landline.chassis.stream_consumer import NotYet, StreamConsumer
from landline.chassis.stream_metrics import DEAD_WAITING, LAG
from landline.chassis.stream_trimmer import trim
from landline.chassis.stream_watch import measure
from landline.chassis.streams import Entry, create_groups
from landline.contracts.call_control.events import CallRinging
from landline.contracts.envelope import fields, seal
from landline.contracts.streams import MONEY, dead_letters
from landline.kernel.ids import new_id
from typer.testing import CliRunner

GROUP = "billing"
CLAIM_S = 0.1


@pytest.fixture
def stream() -> str:
    return f"test:{new_id()}:calls"


async def add(redis: Any, stream: str, at_ms: int) -> str:
    entry_id = await redis.xadd(stream, fields(seal(CallRinging(at_ms=at_ms), producer="test", now_ms=at_ms)))
    return str(entry_id.decode())


def number(entry: Entry) -> int:
    return entry.event.read(CallRinging).at_ms


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(redis: Any, streams: list[str], handler: Any) -> AsyncIterator[StreamConsumer]:
    stop = asyncio.Event()
    consumer = StreamConsumer(redis, GROUP, streams, handler, claim_s=CLAIM_S)
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        await task


async def pending(redis: Any, stream: str) -> int:
    return int((await redis.xpending(stream, GROUP))["pending"])


async def test_every_entry_of_every_stream_is_handled_once_and_acknowledged(redis: Any) -> None:
    """Would break when entries of one of many streams are skipped or left pending."""
    streams = [f"test:{new_id()}:{k}" for k in range(8)]
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    for n in range(80):
        await add(redis, streams[n % 8], n)
    async with running(redis, streams, handle):
        await until(lambda: _true(len(seen) == 80))
    assert sorted(seen) == list(range(80))
    assert [await pending(redis, s) for s in streams] == [0] * 8


async def _true(value: bool) -> bool:
    return value


async def test_a_member_killed_after_commit_leaves_its_entries_to_another(redis: Any, stream: str) -> None:
    """A crash between commit and acknowledge must deliver the entry again, never lose it."""
    committed = asyncio.Event()
    seen: list[int] = []

    async def commit_then_die(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)
        committed.set()
        await asyncio.Event().wait()

    await add(redis, stream, 7)
    stop = asyncio.Event()
    victim = asyncio.create_task(StreamConsumer(redis, GROUP, [stream], commit_then_die).run(stop))
    await committed.wait()
    victim.cancel()
    await asyncio.gather(victim, return_exceptions=True)
    assert await pending(redis, stream) == 1

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    async with running(redis, [stream], handle):
        await until(lambda: _true(len(seen) == 2))
        await until(lambda: _is_zero(redis, stream))
    assert seen == [7, 7]


async def _is_zero(redis: Any, stream: str) -> bool:
    return await pending(redis, stream) == 0


async def test_a_poison_entry_harms_only_itself(redis: Any, stream: str) -> None:
    """One entry that can never be handled must not keep its batch from being committed."""
    seen: set[int] = set()

    async def handle(entries: list[Entry]) -> None:
        if any(number(e) == 13 for e in entries):
            raise ValueError("thirteen")
        seen.update(number(e) for e in entries)

    for n in range(20):
        await add(redis, stream, n)
    async with running(redis, [stream], handle):
        await until(lambda: _buried(redis, stream, 1))
    assert seen == set(range(20)) - {13}
    (dead,) = await list_dead(redis, stream, GROUP)
    assert "thirteen" in dead["reason"]
    assert await pending(redis, stream) == 0


async def test_dead_letters_of_every_reader_are_counted(redis: Any) -> None:
    """`reconcile` asks for all that read calls and ledger: one group's silence proves nothing."""
    stream = MONEY[1]
    await bury(redis, Entry(stream, "1-1", {b"event": b"{}"}), "billing", "why")
    try:
        assert await dead_waiting(redis, MONEY) == {(stream, "billing"): 1}
    finally:
        await redis.delete(dead_letters(stream, "billing"))
    assert await dead_waiting(redis, MONEY) == {}


async def _buried(redis: Any, stream: str, count: int) -> bool:
    return bool(await redis.xlen(dead_letters(stream, GROUP)) == count)


async def test_lag_and_dead_letters_are_measured_over_all_partitions(redis: Any) -> None:
    """The last partition that was looked at would hide sixty-three others."""
    streams = [f"{{p{k}}}:landline:watched" for k in range(3)]
    await create_groups(redis, GROUP, streams)
    for stream in streams:
        await add(redis, stream, 1)
        await redis.xadd(dead_letters(stream, GROUP), {"reason": "tests"})
    await measure(redis, GROUP, streams)
    assert LAG.labels(GROUP, "landline:watched")._value.get() == 3
    assert DEAD_WAITING.labels(GROUP, "landline:watched")._value.get() == 3
    await redis.delete(*streams, *(dead_letters(stream, GROUP) for stream in streams))
    await measure(redis, GROUP, streams)
    assert LAG.labels(GROUP, "landline:watched")._value.get() == 0
    assert DEAD_WAITING.labels(GROUP, "landline:watched")._value.get() == 0


async def test_an_entry_that_is_no_event_becomes_a_dead_letter_and_can_be_replayed(
    redis: Any, stream: str
) -> None:
    """Garbage on a stream must neither stop the consumer nor vanish."""
    await redis.xadd(stream, {"event": b"not json"})
    seen: list[bytes] = []
    forgiving = asyncio.Event()

    async def handle(entries: list[Entry]) -> None:
        if not forgiving.is_set():
            assert all(e.event for e in entries)
        seen.extend(e.raw for e in entries)

    async with running(redis, [stream], handle):
        await until(lambda: _buried(redis, stream, 1))
        forgiving.set()
        assert await replay_dead(redis, stream, GROUP) == 1
        await until(lambda: _true(seen == [b"not json"]))
    assert await _buried(redis, stream, 0)


async def test_a_replayed_dead_letter_is_not_shown_to_other_groups(redis: Any, stream: str) -> None:
    """Other services handled the entry long ago: a replay is for the group that failed."""
    await redis.xadd(stream, {"event": seal(CallRinging(at_ms=1), producer="t", now_ms=1), "for": "notifier"})
    await add(redis, stream, 2)
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    async with running(redis, [stream], handle):
        await until(lambda: _true(2 in seen))
        await until(lambda: _is_zero(redis, stream))
    assert seen == [2]


async def test_a_store_that_is_away_never_makes_a_dead_letter(redis: Any, stream: str) -> None:
    """Postgres away for long must cost time only: nothing is counted, the consumer says it is not ready."""
    away = 12
    tries = 0
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        nonlocal tries
        tries += 1
        if tries <= away:
            raise ConnectionRefusedError("postgres is away")
        seen.extend(number(e) for e in entries)

    await add(redis, stream, 1)
    stop = asyncio.Event()
    consumer = StreamConsumer(redis, GROUP, [stream], handle, claim_s=CLAIM_S)
    consumer._backoff = type(consumer._backoff)(first_s=0.01, last_s=0.02)
    task = asyncio.create_task(consumer.run(stop))
    await until(lambda: _true("away" in (consumer.readiness() or "")))
    await until(lambda: _true(seen == [1]))
    await until(lambda: _true(consumer.readiness() is None))
    stop.set()
    await task
    assert tries == away + 1
    assert not await redis.exists(dead_letters(stream, GROUP), f"{stream}:failures:{GROUP}")


async def test_an_entry_that_must_wait_comes_again_without_being_counted(redis: Any, stream: str) -> None:
    """A mail for a client whose configuration is still on its way must wait, not die."""
    tries = 0

    async def handle(entries: list[Entry]) -> None:
        nonlocal tries
        tries += 1
        if tries < 9:
            raise NotYet("client unknown")

    await add(redis, stream, 1)
    async with running(redis, [stream], handle):
        await until(lambda: _true(tries >= 9))
        await until(lambda: _is_zero(redis, stream))
    assert not await redis.exists(dead_letters(stream, GROUP), f"{stream}:failures:{GROUP}")


async def test_two_members_share_the_work(redis: Any, stream: str) -> None:
    """Scaling out a consumer must not deliver entries to both."""
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    async with running(redis, [stream], handle), running(redis, [stream], handle):
        for n in range(200):
            await add(redis, stream, n)
        await until(lambda: _true(len(seen) >= 200))
        await until(lambda: _is_zero(redis, stream))
    assert sorted(seen) == list(range(200))


async def test_a_flushed_store_gets_its_groups_back(redis: Any, stream: str) -> None:
    """A consumer must survive the loss of its group, e.g. after Redis lost its disk."""
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    async with running(redis, [stream], handle):
        await add(redis, stream, 1)
        await until(lambda: _true(seen == [1]))
        await redis.delete(stream)
        await add(redis, stream, 2)
        await until(lambda: _true(seen == [1, 2]))


@pytest.mark.cluster
async def test_on_a_cluster_all_partitions_are_read(redis_cluster: Any) -> None:
    """Streams of different slots live on different nodes; none may be forgotten."""
    streams = [f"{{p{k}}}:test:{new_id()}" for k in range(12)]
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    for n, stream in enumerate(streams):
        await add(redis_cluster, stream, n)
    async with running(redis_cluster, streams, handle):
        await until(lambda: _true(len(seen) == 12))
    assert sorted(seen) == list(range(12))


OLD_MS = 1_000_000


async def test_trimming_keeps_what_the_slowest_reader_still_needs(redis: Any, stream: str) -> None:
    """Trimming past an unread or pending entry would lose a charge."""
    ids = [await redis.xadd(stream, {"event": b"x"}, id=f"{OLD_MS + n}-0") for n in range(5)]
    await create_groups(redis, "billing", [stream])
    await create_groups(redis, "notifier", [stream])
    await redis.xreadgroup("billing", "a", {stream: ">"})
    await redis.xack(stream, "billing", *ids)
    await redis.xreadgroup("notifier", "b", {stream: ">"}, count=4)
    await redis.xack(stream, "notifier", ids[0], ids[1])
    assert await trim(redis, stream, ["billing", "notifier"], OLD_MS + 10**7) == 2
    assert [i for i, _ in await redis.xrange(stream)] == ids[2:]


async def test_trimming_waits_for_readers_that_have_never_come(redis: Any, stream: str) -> None:
    """A service installed but not started yet must find everything."""
    await redis.xadd(stream, {"event": b"x"}, id="1000-0")
    await create_groups(redis, "billing", [stream])
    await redis.xreadgroup("billing", "a", {stream: ">"})
    await redis.xack(stream, "billing", "1000-0")
    assert await trim(redis, stream, ["billing", "notifier"], 10**9) == 0
    assert await redis.xlen(stream) == 1


async def test_a_sealed_event_says_which_field_does_not_fit(stream: str) -> None:
    """A dead letter's reason must name the field, or nobody can mend the producer."""
    sealed = seal(CallRinging(at_ms=1), producer="t", now_ms=1).replace(b'"at_ms":1', b'"at_ms":"x"')
    entry = Entry(stream, "1-0", {b"event": sealed})
    with pytest.raises(msgspec.ValidationError, match="at_ms"):
        number(entry)


async def test_dead_letters_are_listed_and_put_back_by_command(redis: Any, settings: Settings) -> None:
    """What nobody can list is lost as surely as what was dropped."""
    stream = "landline:commanded"
    await create_groups(redis, GROUP, [stream])
    await redis.xadd(dead_letters(stream, GROUP), {"entry_id": "1-1", "reason": "thirteen", "event": "{}"})
    cli = typer.Typer()
    add_dead_letters(cli, GROUP, [stream])
    add_replay(cli, GROUP, [stream])
    listed = await run_command(cli, settings, "dead-letters")
    assert (listed.exit_code, "thirteen" in listed.output) == (1, True), listed.output
    put_back = await run_command(cli, settings, "dead-letters", "--replay")
    assert (put_back.exit_code, put_back.output) == (0, "1 put back\n")
    empty = await run_command(cli, settings, "dead-letters")
    assert (empty.exit_code, empty.output) == (0, "0 dead letters\n")
    unread_yet = await run_command(cli, settings, "replay", "--within-s", "0")
    assert (unread_yet.exit_code, unread_yet.output) == (1, "1 of 1 entries are not read yet\n")


async def test_a_group_reads_again_what_the_streams_still_hold(
    redis: Any, settings: Settings, stream: str
) -> None:
    """After a restore the database lacks what the group had acknowledged."""
    seen: list[int] = []

    async def handle(entries: list[Entry]) -> None:
        seen.extend(number(e) for e in entries)

    cli = typer.Typer()
    add_dead_letters(cli, GROUP, [stream])
    add_replay(cli, GROUP, [stream])
    for n in range(3):
        await add(redis, stream, n)
    async with running(redis, [stream], handle):
        await until(lambda: _true(len(seen) == 3))
        again = await run_command(cli, settings, "replay", "--within-s", "20")
    assert (again.exit_code, again.output) == (0, "3 entries read again\n")
    assert seen == [0, 1, 2] * 2


async def run_command(cli: typer.Typer, settings: Settings, *words: str) -> Any:
    """A command in a thread of its own, since it starts an event loop."""
    env = {"LANDLINE_REDIS_URL": settings.redis_url}
    return await asyncio.to_thread(CliRunner().invoke, cli, list(words), env=env)
