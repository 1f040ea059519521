"""The ledger as tables: what happened, and the postings and balances that must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from billing.app.audit import audit
from billing.consumers.calls import CallsHandler
from landline.chassis.postgres import Database, Scope
from landline.kernel.clock import SetClock

from tests.integration.billing.ledger_view import balance, postings, rows, value
from tests.support.billing_calls import NOW_MS, Client, corrected, entry


@dataclass
class Story:
    """One client, the batches that arrive, and what the ledger then says."""

    name: str
    batches: list[list[str]]
    expected: list[tuple[int, str, str, str]]
    records: int
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)


MINUTE = {"duration_s": 60, "charge": "0.15"}
STORIES = [
    Story(
        "two calls in one batch are charged in the order of their arrival",
        [["a", "b"]],
        [(1, "charge", "-0.15", "-0.15"), (2, "charge", "-0.25", "-0.40")],
        2,
        {"a": MINUTE, "b": {"duration_s": 61, "charge": "0.25"}},
    ),
    Story("a call delivered twice is charged once", [["a"], ["a"]], [(1, "charge", "-0.15", "-0.15")], 1),
    Story("a call twice in one batch is charged once", [["a", "a"]], [(1, "charge", "-0.15", "-0.15")], 1),
    Story(
        "a redelivered batch adds only the call that was missing from it",
        [["a", "b"], ["a", "b", "c"]],
        [(1, "charge", "-0.15", "-0.15"), (2, "charge", "-0.15", "-0.30"), (3, "charge", "-0.15", "-0.45")],
        3,
    ),
    Story(
        "an unanswered call leaves a record and no posting",
        [["a"]],
        [],
        1,
        {"a": {"duration_s": 0, "charge": "0", "cause": "no_answer"}},
    ),
    Story(
        "a late report of a lost call posts the difference once",
        [["a"], ["a+180=0.35"], ["a+180=0.35"]],
        [(1, "charge", "-0.15", "-0.15"), (2, "adjustment", "-0.20", "-0.35")],
        1,
    ),
    Story(
        "a correction downwards gives money back",
        [["a"], ["a+1=0.05"]],
        [(1, "charge", "-0.15", "-0.15"), (2, "adjustment", "0.10", "-0.05")],
        1,
    ),
    Story(
        "a correction in front of its call in the same batch waits for it",
        [["a+180=0.35", "a"]],
        [(1, "charge", "-0.15", "-0.15"), (2, "adjustment", "-0.20", "-0.35")],
        1,
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_ledger(db: Database, story: Story) -> None:
    """Would break if a charge were lost, doubled, or out of line with its balance."""
    client, clock = Client(), SetClock(NOW_MS)
    ends = {
        name: client.ended(**story.calls.get(name, MINUTE))
        for batch in story.batches
        for name in batch
        if "+" not in name
    }
    entries = {name: entry(end) for name, end in ends.items()}
    for batch in story.batches:
        for name in batch:
            if name not in entries:
                call, _, change = name.partition("+")
                duration, _, charge = change.partition("=")
                entries[name] = entry(corrected(ends[call], int(duration), charge))
        await CallsHandler(db, clock)([entries[name] for name in batch])
    assert await postings(db, client.client_id) == story.expected
    assert await balance(db, client.client_id) == (story.expected[-1][3] if story.expected else "0.00")
    count = await value(db, "select count(*) from call_records where client_id = $1", client.client_id)
    assert count == story.records
    async with db.asyncpg(Scope.system()) as conn:
        assert await audit(conn) == []


async def test_a_posting_tells_the_ledger_stream_in_the_same_transaction(db: Database) -> None:
    """Without the event call-control's balance would stay behind the ledger for ever."""
    client = Client()
    await CallsHandler(db, SetClock(NOW_MS))([entry(client.ended())])
    streams = await rows(
        db,
        "select stream, convert_from(event, 'UTF8')::jsonb #>> '{type}',"
        " convert_from(event, 'UTF8')::jsonb #>> '{data,balance_after_micros}'"
        " from outbox where convert_from(event, 'UTF8')::jsonb ->> 'client_id' = $1 order by id",
        client.client_id,
    )
    assert streams == [
        ("landline:ledger", "posting.made.v1", "-150000"),
        ("landline:billing", "call_record.rated.v1", None),
    ]


VIOLATIONS = {
    "a gap in the sequence": ("insert", 3, "1", "1.15"),
    "a repeated sequence": ("insert", 1, "1", "0.85"),
    "a balance that is not the sum": ("insert", 2, "1", "0.86"),
    "an update": ("update postings set reason = 'x' where client_id = $1", None, None, None),
    "a deletion": ("delete from postings where client_id = $1", None, None, None),
    "a balance moved by hand": ("update accounts set balance = 5 where client_id = $1", None, None, None),
    "a deleted account": ("delete from accounts where client_id = $1", None, None, None),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_the_database_itself_refuses(db: Database, name: str) -> None:
    """A bug in our own code, or a hand in psql, must not bend the ledger."""
    client = Client()
    await CallsHandler(db, SetClock(NOW_MS))([entry(client.ended())])
    sql, sequence, amount, after = VIOLATIONS[name]
    args: list[Any] = [client.client_id]
    if sql == "insert":
        sql = (
            "insert into postings (id, client_id, brand_id, sequence, kind, amount, balance_after, author,"
            " created_at) values (gen_random_uuid(), $1, $2, $3, 'top_up', $4::text::numeric,"
            " $5::text::numeric, 'test', now())"
        )
        args += [client.brand_id, sequence, amount, after]
    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.InsufficientPrivilegeError)):
        async with db.asyncpg(Scope.system()) as conn:
            await conn.execute(sql, *args)
    assert await postings(db, client.client_id) == [(1, "charge", "-0.15", "-0.15")]


async def test_not_even_the_owner_empties_the_ledger(db: Database, settings: Any) -> None:
    """A migration gone wrong must fail rather than drop what people owe."""
    client = Client()
    await CallsHandler(db, SetClock(NOW_MS))([entry(client.ended())])
    owner = await asyncpg.connect(settings.pg_dsn("landline_owner"))
    try:
        await owner.execute("set search_path = billing")
        await owner.execute("select set_config('landline.level', 'system', false)")
        for sql in ("truncate postings", "delete from postings", "update postings set amount = 0"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(sql)
    finally:
        await owner.close()


async def test_a_second_charge_of_a_call_is_refused_by_the_database(db: Database) -> None:
    """The last line of defence of "billed exactly once"."""
    client, end = Client(), None
    end = client.ended()
    await CallsHandler(db, SetClock(NOW_MS))([entry(end)])
    with pytest.raises(asyncpg.UniqueViolationError, match="postings_charge"):
        async with db.asyncpg(Scope.system()) as conn:
            await conn.execute(
                "insert into postings (id, client_id, brand_id, sequence, kind, amount, balance_after,"
                " call_id, author, created_at)"
                " values (gen_random_uuid(), $1, $2, 2, 'charge', -1, -1.15, $3, 'x', now())",
                client.client_id,
                client.brand_id,
                end.call.call_id,
            )
