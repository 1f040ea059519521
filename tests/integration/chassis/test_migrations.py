"""Bringing schemas up to date, also of services that keep nothing in Postgres."""

from __future__ import annotations

import asyncpg
from landline.chassis.migrations import migrate_package
from landline.chassis.settings import Settings


async def test_a_service_without_migrations_does_not_stop_the_others(settings: Settings) -> None:
    """call-control keeps its state in Redis: `make run` must not end because it has no revisions."""
    await migrate_package(settings, "call_control")
    connection = await asyncpg.connect(settings.pg_dsn("call_control"))
    try:
        assert await connection.fetchval("select count(*) from pg_namespace where nspname = 'call_control'")
    finally:
        await connection.close()
