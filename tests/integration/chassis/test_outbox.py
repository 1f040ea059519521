"""Events leave with the transaction that made them: never lost, never before their elders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from landline.chassis import outbox
from landline.chassis.outbox import add, run_outbox
from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings
from landline.contracts.envelope import FIELD
from redis.asyncio import Redis
from sqlalchemy import text

from tests.support.waiting import until


@pytest_asyncio.fixture(loop_scope="session")
async def db(settings: Settings, redis: Redis) -> AsyncIterator[Database]:
    """Provisioning's database, its outbox and the streams empty."""
    db = Database(settings, "provisioning")
    async with db.transaction(Scope.system()) as tx:
        await tx.execute(text("delete from outbox"))
    await redis.flushall()
    yield db
    await db.close()


class Publishing:
    """A publisher that runs while the block does."""

    def __init__(self, db: Database, redis: Redis) -> None:
        self._db, self._redis = db, redis

    async def __aenter__(self) -> None:
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(run_outbox(self._db, self._redis, self._stop))

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._task


async def sent(redis: Redis, stream: str) -> list[str]:
    """What readers of a stream see."""
    entries: Any = await redis.xrange(stream)
    return [fields[FIELD].decode() for _, fields in entries]


async def waiting(db: Database) -> int:
    """How many events have not left yet."""
    async with db.transaction(Scope.system()) as tx:
        return int(await tx.scalar(text("select count(*) from outbox")) or 0)


async def say(db: Database, stream: str, *events: str) -> None:
    """Events in one transaction."""
    async with db.transaction(Scope.system()) as tx:
        for event in events:
            await add(tx, stream, event.encode())


async def test_events_arrive_in_the_order_of_their_transactions(db: Database, redis: Redis) -> None:
    """Per stream, also when there are more than one batch holds."""
    names = [f"e{n}" for n in range(outbox.BATCH + 50)]
    await say(db, "s", *names)
    await say(db, "s", "last")
    async with Publishing(db, redis):
        await until(lambda: waiting(db), equals=0)
    assert await sent(redis, "s") == [*names, "last"]


async def test_a_transaction_rolled_back_says_nothing(db: Database, redis: Redis) -> None:
    """Its row never was."""

    async def use_case() -> None:
        async with db.transaction(Scope.system()) as tx:
            await add(tx, "s", b"never")
            raise RuntimeError("use case failed")

    with pytest.raises(RuntimeError):
        await use_case()
    await say(db, "s", "said")
    async with Publishing(db, redis):
        await until(lambda: waiting(db), equals=0)
    assert await sent(redis, "s") == ["said"]


async def test_a_transaction_that_commits_late_is_not_skipped(db: Database, redis: Redis) -> None:
    """Its id is smaller than one already sent: a reader that remembers the last id would lose it."""
    async with Publishing(db, redis):
        async with db.transaction(Scope.system()) as late:
            await add(late, "s", b"late")
            await say(db, "s", "early")
            await until(lambda: redis.xlen("s"), equals=1)
        await until(lambda: redis.xlen("s"), equals=2)
    assert await sent(redis, "s") == ["early", "late"]


async def test_a_long_transaction_elsewhere_holds_nothing_back(db: Database, redis: Redis) -> None:
    """An import that runs for a minute must not keep a changed limit from call-control."""
    async with Publishing(db, redis), db.transaction(Scope.system()) as importing:
        await importing.execute(text("insert into idempotency_keys values ('import', '', '', now())"))
        await say(db, "s", "raised the limit")
        await until(lambda: redis.xlen("s"), equals=1)
    assert await waiting(db) == 0


async def test_killed_between_sending_and_deleting_it_sends_again(
    db: Database, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Duplicates are allowed, loss and disorder are not."""
    await say(db, "s", "a", "b", "c")
    send = outbox.send

    async def send_and_die(*args: object) -> None:
        await send(*args)  # type: ignore[arg-type]
        raise ConnectionError("killed after XADD")

    monkeypatch.setattr(outbox, "send", send_and_die)
    async with Publishing(db, redis):
        await until(lambda: redis.xlen("s"), at_least=3)
    monkeypatch.setattr(outbox, "send", send)
    async with Publishing(db, redis):
        await until(lambda: waiting(db), equals=0)
    seen = await sent(redis, "s")
    assert set(seen) == {"a", "b", "c"}
    assert len(seen) > 3
    assert seen[-3:] == ["a", "b", "c"]


async def test_of_two_publishers_one_works_and_the_other_takes_over(db: Database, redis: Redis) -> None:
    """Two at once would mix the order; none at all would stop the platform."""
    async with Publishing(db, redis):
        async with Publishing(db, redis):
            await say(db, "s", *(f"e{n}" for n in range(100)))
            await until(lambda: waiting(db), equals=0)
            async with db.session(Scope.system()) as conn:
                assert not await conn.fetchval(outbox._ONE_PUBLISHER)
        await say(db, "s", "after one of them went")
        await until(lambda: waiting(db), equals=0)
    assert await sent(redis, "s") == [*(f"e{n}" for n in range(100)), "after one of them went"]


async def test_its_connection_killed_the_publisher_comes_back(
    db: Database, redis: Redis, stores: object
) -> None:
    """A restarted Postgres must not leave events behind."""
    async with Publishing(db, redis):
        await say(db, "s", "before")
        await until(lambda: waiting(db), equals=0)
        async with db.session(Scope.system()) as conn:
            holder = "select pid from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
            await conn.execute(f"select pg_terminate_backend(pid) from ({holder}) as holders")
        await say(db, "s", "after")
        await until(lambda: waiting(db), equals=0)
    assert await sent(redis, "s") == ["before", "after"]


async def test_changes_of_one_row_leave_in_the_order_of_its_versions(db: Database, redis: Redis) -> None:
    """Else a reader that takes the last event for the truth ends with an older one."""
    async with db.transaction(Scope.system()) as tx:
        await tx.execute(text("delete from idempotency_keys"))
        await tx.execute(
            text("insert into idempotency_keys values ('row', '', '', now() + interval '1 day')")
        )

    async def change(n: int) -> None:
        async with db.transaction(Scope.system()) as tx:
            await tx.execute(text("select 1 from idempotency_keys where id = 'row' for update"))
            grow = "update idempotency_keys set body_hash = body_hash || 'x' returning length(body_hash)"
            answer = await tx.scalar(text(grow))
            await add(tx, "s", f"{answer}".encode())

    async with Publishing(db, redis):
        await asyncio.gather(*(change(n) for n in range(60)))
        await until(lambda: waiting(db), equals=0)
    assert await sent(redis, "s") == [str(n) for n in range(1, 61)]
