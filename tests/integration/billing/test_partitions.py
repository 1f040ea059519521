"""Months of call records and raw events: made ahead, caught by default, dropped in time; tenants apart."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from billing.app.keep_months import keep_months
from billing.consumers.calls import CallsHandler
from landline.chassis.postgres import Database, Scope
from landline.kernel.clock import SetClock, to_ms
from landline.kernel.ids import CallId

from tests.integration.billing.ledger_view import balance, rows, value
from tests.support.billing_calls import NOW_MS, Client, entry


def moment(year: int, month: int) -> int:
    return to_ms(datetime(year, month, 15, 12, tzinfo=UTC))


async def partitions(db: Database, parent: str) -> set[str]:
    found = await rows(
        db,
        "select c.relname from pg_inherits join pg_class c on c.oid = inhrelid"
        " where inhparent = $1::text::regclass",
        f"billing.{parent}",
    )
    return {name for (name,) in found}


async def test_months_are_made_ahead_of_their_first_call(db: Database) -> None:
    """On the first of a month no call may wait for a table."""
    async with db.asyncpg(Scope.system()) as conn:
        await keep_months(conn, moment(2031, 12))
        again = await keep_months(conn, moment(2031, 12))
    wanted = {f"call_records_{m}" for m in ("2031_11", "2031_12", "2032_01", "2032_02", "2032_03")}
    assert wanted <= await partitions(db, "call_records")
    assert again == (0, 0)


async def test_a_call_of_a_month_without_partition_is_kept_and_moves_when_it_is_made(db: Database) -> None:
    """A clock gone wrong at an edge must not lose money, nor block the month when it comes."""
    client, at_ms = Client(), moment(2040, 6)
    end = client.ended(call_id=str(CallId.new(17, at_ms)))
    handler = CallsHandler(db, SetClock(NOW_MS))
    await handler([entry(end)])
    assert await value(
        db, "select tableoid::regclass::text from call_records where id = $1", end.call.call_id
    ) == ("call_records_default")
    async with db.asyncpg(Scope.system()) as conn:
        await keep_months(conn, at_ms)
    assert await value(
        db, "select tableoid::regclass::text from call_records where id = $1", end.call.call_id
    ) == ("call_records_2040_06")
    await handler([entry(end)])
    assert await balance(db, client.client_id) == "-0.15"
    assert await value(db, "select count(*) from call_records where id = $1", end.call.call_id) == 1


async def test_raw_events_go_after_ninety_days_with_their_month_and_records_stay(db: Database) -> None:
    """Personal data is not kept for ever; the ledger is."""
    async with db.asyncpg(Scope.system()) as conn:
        await keep_months(conn, moment(2035, 1))
        await keep_months(conn, moment(2035, 6))
    assert "raw_events_2035_01" not in await partitions(db, "raw_events")
    assert "raw_events_2035_03" in await partitions(db, "raw_events")
    assert "call_records_2035_01" in await partitions(db, "call_records")


async def test_no_scope_no_rows_and_a_partition_is_no_way_round(db: Database) -> None:
    """Row-level security must hold for the partition named directly as for its parent."""
    client, stranger = Client(), Client()
    end = msgspec.structs.replace(client.ended())
    await CallsHandler(db, SetClock(NOW_MS))([entry(end)])
    tables = ("call_records", "call_records_2026_11", "postings", "accounts", "raw_events", "record_lines")
    for table in tables:
        count = f"select count(*) from {table} where client_id = $1"
        async with db.asyncpg(Scope.brand(client.brand_id)) as conn:
            assert await conn.fetchval(count, client.client_id) == 1, table
        for scope in (Scope.brand(stranger.brand_id), Scope.client(stranger.brand_id, stranger.client_id)):
            async with db.asyncpg(scope) as conn:
                assert await conn.fetchval(count, client.client_id) == 0, table
        async with db.engine.connect() as unscoped:
            found = await unscoped.exec_driver_sql(f"select count(*) from {table}")
            assert found.scalar() == 0, table


async def test_every_tenant_table_is_under_forced_row_level_security(db: Database) -> None:
    """A table added without its policy would be open to every brand."""
    bare = await rows(
        db,
        "select c.relname from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where nspname = 'billing' and relkind in ('r', 'p') and relname <> 'alembic_version'"
        " and not (relrowsecurity and relforcerowsecurity)",
    )
    assert bare == []


async def test_the_service_may_not_make_or_drop_tables(db: Database) -> None:
    """What a stolen service password can't do."""
    for sql in ("create table x (n int)", "drop table postings", "alter table postings disable trigger all"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.asyncpg(Scope.system()) as conn:
                await conn.execute(sql)
