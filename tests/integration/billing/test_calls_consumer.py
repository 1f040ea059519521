"""The calls consumer on real streams: redelivery, disorder, crashes, a database that is away, poison."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from billing.app.audit import audit
from billing.app.record_metrics import UNBILLED_S
from billing.consumers.calls import CallsHandler
from billing.consumers.config import ConfigHandler
from landline.chassis.embedded.stores import Stores
from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings
from landline.chassis.stream_consumer import Handler, StreamConsumer
from landline.chassis.streams import Entry
from landline.contracts import streams
from landline.contracts.envelope import fields, seal
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.clock import SetClock
from redis.asyncio import Redis

from tests.integration.billing.ledger_view import balance, postings, value
from tests.support.billing_calls import NOW_MS, Client, corrected, sealed

GROUP = "billing"


@asynccontextmanager
async def consuming(
    redis: Redis, handler: Handler, names: tuple[str, ...] = streams.ALL_CALLS
) -> AsyncIterator[None]:
    """A consumer that runs while the block does."""
    stop = asyncio.Event()
    consumer = StreamConsumer(redis, GROUP, names, handler, claim_s=0.2)
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 20) -> None:
    """Wait for a state that the consumer brings about; there is no event to wait for across processes."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.02)


async def drained(redis: Redis, names: tuple[str, ...] = streams.ALL_CALLS) -> bool:
    """All entries are acknowledged."""
    for name in names:
        if not await redis.exists(name):
            continue
        groups = await redis.xinfo_groups(name)
        ours = [g for g in groups if g["name"] == GROUP.encode()]
        if not ours or ours[0]["pending"] or ours[0]["lag"]:
            return False
    return True


async def add(redis: Redis, event: object, stream: str | None = None) -> None:
    """Put an event on the stream of its call's partition."""
    raw = event if isinstance(event, bytes) else sealed(event)  # type: ignore[arg-type]
    await redis.xadd(stream or streams.calls(17), fields(raw))


async def dead(redis: Redis, stream: str = streams.calls(17)) -> int:
    return int(await redis.xlen(streams.dead_letters(stream, GROUP)))


async def holds(db: Database) -> bool:
    async with db.asyncpg(Scope.system()) as conn:
        return await audit(conn) == []


async def test_calls_of_many_partitions_are_recorded_once_each(db: Database, redis: Redis) -> None:
    """A partition that nobody reads would bill nobody of its brands."""
    clients = [Client(partition=k) for k in range(64)]
    for client in clients:
        await add(redis, client.ended(), streams.calls(client.partition))
    async with consuming(redis, CallsHandler(db, SetClock(NOW_MS))):
        await until(lambda: drained(redis))
    assert [await balance(db, c.client_id) for c in clients] == ["-0.15"] * 64
    assert await holds(db)


async def test_a_consumer_killed_between_commit_and_acknowledge_charges_once(
    db: Database, redis: Redis
) -> None:
    """The commonest crash of all: the work is done, the stream does not know it."""
    client, committed = Client(), asyncio.Event()
    inner = CallsHandler(db, SetClock(NOW_MS))

    async def dies_after_commit(entries: list[Entry]) -> None:
        await inner(entries)
        committed.set()
        await asyncio.Event().wait()

    for _ in range(3):
        await add(redis, client.ended())
    doomed = StreamConsumer(redis, GROUP, streams.ALL_CALLS, dies_after_commit, claim_s=0.2)
    task = asyncio.create_task(doomed.run(asyncio.Event()))
    await asyncio.wait_for(committed.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not await drained(redis)
    async with consuming(redis, inner):
        await until(lambda: drained(redis))
    assert await postings(db, client.client_id) == [
        (1, "charge", "-0.15", "-0.15"),
        (2, "charge", "-0.15", "-0.30"),
        (3, "charge", "-0.15", "-0.45"),
    ]
    assert await holds(db)


async def test_all_is_replayed_in_reverse_and_nothing_moves(db: Database, redis: Redis) -> None:
    """After a restored Redis the whole stream may come again, in any order."""
    client = Client()
    ends = [client.ended() for _ in range(20)]
    events = [sealed(end) for end in ends] + [sealed(corrected(ends[3], 180, "0.35"))]
    handler = CallsHandler(db, SetClock(NOW_MS))
    async with consuming(redis, handler):
        for event in [*events, *reversed(events)]:
            await add(redis, event)
        await until(lambda: drained(redis))
    assert len(await postings(db, client.client_id)) == 21
    assert await balance(db, client.client_id) == "-3.20"
    assert await holds(db)


async def test_a_correction_that_overtakes_its_call_waits_without_being_counted(
    db: Database, redis: Redis
) -> None:
    """Two consumers share a stream: the correction may be handled before the end is."""
    client = Client()
    end = client.ended()
    await add(redis, corrected(end, 180, "0.35"))
    async with consuming(redis, CallsHandler(db, SetClock(NOW_MS))):
        other = Client()
        await add(redis, other.ended())
        await until(lambda: has_records(db, other, 1))
        await add(redis, end)
        await until(lambda: drained(redis))
    assert await balance(db, client.client_id) == "-0.35"
    assert await dead(redis) == 0


async def has_records(db: Database, client: Client, count: int) -> bool:
    found = await value(db, "select count(*) from call_records where client_id = $1", client.client_id)
    return bool(found == count)


async def test_poison_harms_only_itself(db: Database, redis: Redis) -> None:
    """One bad event must neither stop nor lose the money of all others."""
    client, yen = Client(), Client(currency="EUR")
    await add(redis, client.ended())
    await add(redis, b"not json")
    await add(redis, client.ended(charge="-1"))
    await add(redis, client.ended(caller="+34\x00"))
    await add(redis, yen.ended())
    await add(redis, msgspec.structs.replace(yen.ended(currency="JPY")))
    await add(redis, client.ended(duration_s=0, charge="5.00"))
    await add(redis, client.ended())
    async with consuming(redis, CallsHandler(db, SetClock(NOW_MS))):
        await until(lambda: drained(redis), 40)
    assert await balance(db, client.client_id) == "-0.30"
    assert await balance(db, yen.client_id) == "-0.15"
    assert await dead(redis) == 5
    assert await holds(db)


async def test_postgres_away_loses_and_buries_nothing(
    db: Database, redis: Redis, billing_stores: Stores
) -> None:
    """Five minutes or five seconds: a missing database is nobody's fault and passes."""
    client = Client()
    await add(redis, client.ended())
    async with consuming(redis, CallsHandler(db, SetClock(NOW_MS))):
        await until(lambda: drained(redis))
        await asyncio.to_thread(billing_stores.postgres.kill)
        for _ in range(300):
            await add(redis, client.ended())
        await until(lambda: delivered(redis))
        await asyncio.to_thread(billing_stores.postgres.start)
        await until(lambda: drained(redis), 60)
    assert await balance(db, client.client_id) == "-45.15"
    assert await dead(redis) == 0
    assert await holds(db)


async def delivered(redis: Redis) -> bool:
    """The consumer has read something that it could not store."""
    return bool((await redis.xpending(streams.calls(17), GROUP))["pending"])


def client_changed(client: Client, version: int, **more: object) -> bytes:
    data = {
        "name": "Casa",
        "currency": "EUR",
        "timezone": "Europe/Madrid",
        "billing_method": "prepaid",
        **more,
    }
    change = EntityChanged(entity="client", entity_id=client.client_id, entity_version=version, data=data)
    return seal(
        change, producer="provisioning", now_ms=NOW_MS, brand_id=client.brand_id, client_id=client.client_id
    )


async def test_a_client_gets_its_account_whether_its_call_or_its_creation_comes_first(
    db: Database, redis: Redis
) -> None:
    """The two streams know no order between them; money must not wait for a name."""
    caller, silent = Client(), Client()
    handler, config = CallsHandler(db, SetClock(NOW_MS)), ConfigHandler(db)
    async with consuming(redis, handler):
        await add(redis, caller.ended())
        await until(lambda: drained(redis))
    async with consuming(redis, config, (streams.CONFIG,)):
        for client in (caller, silent):
            await add(redis, client_changed(client, 2, name="new"), streams.CONFIG)
            await add(redis, client_changed(client, 1, name="old"), streams.CONFIG)
        await until(lambda: drained(redis, (streams.CONFIG,)))
    assert await balance(db, caller.client_id) == "-0.15"
    assert await balance(db, silent.client_id) == "0.00"
    names = [
        await value(db, "select name from clients where client_id = $1", c.client_id)
        for c in (caller, silent)
    ]
    assert names == ["new", "new"]


async def test_a_charge_that_differs_from_its_tariff_is_posted_and_marked(db: Database, redis: Redis) -> None:
    """Limits were counted with the charge: it stands; people must be able to find the difference."""
    client, unbilled_s = Client(), UNBILLED_S._value.get()
    async with consuming(redis, CallsHandler(db, SetClock(NOW_MS))):
        await add(redis, client.ended(charge="0.99"))
        await add(redis, client.ended(charge="0.10", unbilled_s=3, unbilled_micros=50_000))
        await add(redis, client.ended(tariff="{}", charge="0.20"))
        await until(lambda: drained(redis))
    async with db.asyncpg(Scope.system()) as conn:
        checks = await conn.fetch(
            "select price_check from call_records where client_id = $1", client.client_id
        )
    assert sorted(row[0] for row in checks) == ["capped", "differs", "unreadable"]
    assert await balance(db, client.client_id) == "-1.29"
    assert UNBILLED_S._value.get() == unbilled_s + 3, "overrun is watched"


async def test_raw_money_events_are_kept_as_they_came(db: Database, redis: Redis, settings: Settings) -> None:
    """`billing replay` proves the ledger from them."""
    client = Client()
    raw = sealed(client.ended())
    async with consuming(redis, CallsHandler(db, SetClock(NOW_MS))):
        await add(redis, raw)
        await add(redis, raw)
        await until(lambda: drained(redis))
    kept = await value(db, "select array_agg(event) from raw_events where client_id = $1", client.client_id)
    assert kept == [raw]
