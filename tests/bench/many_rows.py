"""Many rows straight into the tables, as copies of a row that the API made: no column is forgotten.

What is measured are lists, imports and rebuilds, not the making of a million rows one by one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from landline.chassis.settings import Settings

from tests.support.world import Brand, Home

ROWS_AT_ONCE = 50_000
_CLIENTS = """
insert into {table}
select row.* from (select * from {table} where {template}) r, generate_series($1::int, $2::int) n,
       lateral jsonb_populate_record(null::{table}, to_jsonb(r) || jsonb_build_object(
           {key}, new_id(n), 'brand_id', {brand}, 'name', 'Many ' || n, 'outgoing_ddi_id', null,
           'created_at', timestamptz '2026-01-01' + n * interval '1 second')) row
"""
_OF_CLIENT = """
insert into {table}
select row.* from (select * from {table} where {template}) r, generate_series($1::int, $2::int) n,
       lateral jsonb_populate_record(null::{table}, to_jsonb(r) || jsonb_build_object(
           {key}, new_id(n + {shift}), 'brand_id', {brand}, 'client_id', new_id(n),
           'created_at', timestamptz '2026-01-01' + n * interval '1 second') || {more}) row
"""
_POOL = """
insert into ddis
select row.* from (select * from ddis where {template}) r, generate_series($1::int, $2::int) n,
       lateral jsonb_populate_record(null::ddis, to_jsonb(r) || jsonb_build_object(
           'id', new_id(n + 30000000), 'brand_id', {brand}, 'client_id', null, 'target', 'none',
           'device_id', null, 'number', '+3491' || lpad(n::text, 7, '0'),
           'state', case when n % 10007 = 0 then 'quarantine' else 'active' end,
           'kind', case when n % 20011 = 0 then 'out' else 'inout' end,
           'created_at', timestamptz '2026-02-01' + n * interval '1 second')) row
"""
# `new_id(n)` in a statement: a UUIDv7's form around a number; the moment is of 2026.
_NEW_ID = (
    r"('019b8000-' || lpad(to_hex((\1) >> 16), 4, '0') || '-7000-8000-'"
    r" || lpad(to_hex((\1) & 65535), 12, '0'))::uuid"
)


@asynccontextmanager
async def owner(env: dict[str, str], schema: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection that may also analyze, with every row in sight."""
    settings = Settings(
        _env_file=None,
        pg_url=env["LANDLINE_PG_URL"],
        pg_owner_password=env.get("LANDLINE_PG_OWNER_PASSWORD", ""),
    )
    conn = await asyncpg.connect(settings.pg_dsn("landline_owner"), server_settings={"search_path": schema})
    try:
        await conn.execute("select set_config('landline.level', 'system', false)")
        yield conn
    finally:
        await conn.close()


def _brand_of(brand: Brand, others: Sequence[str]) -> str:
    """SQL: half of all rows are the big brand's, the rest is shared out."""
    listed = ", ".join(f"'{each}'" for each in others)
    return f"case when n % 2 = 0 then '{brand.id}' else (array[{listed}])[1 + n / 2 % {len(others)}] end"


async def _insert(conn: asyncpg.Connection[Any], statement: str, count: int) -> None:
    ready = re.sub(r"new_id\(([^)]*)\)", _NEW_ID, statement)
    for start in range(1, count + 1, ROWS_AT_ONCE):
        await conn.execute(ready, start, min(start + ROWS_AT_ONCE - 1, count))


async def fill_clients(
    env: dict[str, str], brand: Brand, home: Home, others: Sequence[str], count: int
) -> None:
    """Clients with a device and a number each, and their accounts and rating profiles at billing."""
    whose = _brand_of(brand, others)
    named = "jsonb_build_object('name', 'many' || n)"
    number = (
        "jsonb_build_object('number', '+3493' || lpad(n::text, 7, '0'), 'device_id', null, 'target', 'none')"
    )
    async with owner(env, "provisioning") as conn:
        clients = {"table": "clients", "key": "'id'", "template": f"id = '{home.id}'", "brand": whose}
        await _insert(conn, _CLIENTS.format(**clients), count)
        for table, row_id, shift, more in (
            ("devices", home.device_id, 10_000_000, named),
            ("ddis", home.ddi_id, 20_000_000, number),
        ):
            own = {
                "table": table,
                "key": "'id'",
                "template": f"id = '{row_id}'",
                "shift": shift,
                "more": more,
            }
            await _insert(conn, _OF_CLIENT.format(brand=whose, **own), count)
        await conn.execute("analyze")
    async with owner(env, "billing") as conn:
        for table, shift in (("clients", 0), ("accounts", 0), ("rating_profiles", 10_000_000)):
            key = "'id'" if table == "rating_profiles" else "'client_id'"
            own = {"table": table, "key": key, "template": f"client_id = '{home.id}'", "shift": shift}
            await _insert(conn, _OF_CLIENT.format(brand=whose, more="'{}'::jsonb", **own), count)
        await conn.execute("analyze")


async def fill_ddis(env: dict[str, str], brand: Brand, home: Home, others: Sequence[str], count: int) -> None:
    """Numbers in the pools, some of them resting or for presentation only."""
    async with owner(env, "provisioning") as conn:
        template = f"id = '{home.ddi_id}'"
        await _insert(conn, _POOL.format(brand=_brand_of(brand, others), template=template), count)
        await conn.execute("analyze ddis")
