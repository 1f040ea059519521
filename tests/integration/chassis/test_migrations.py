"""Bringing schemas up to date, also of services that keep nothing in Postgres."""

from __future__ import annotations

from pathlib import Path

import asyncpg
from landline.chassis.migrations import migrate_package
from landline.chassis.resources import changed_event
from landline.chassis.settings import Settings
from landline.contracts.envelope import unseal
from landline.contracts.provisioning.events import EntityChanged
from provisioning.api.numbers import EMERGENCY_NUMBERS
from provisioning.api.risk_classes import RISK_CLASSES

from tests.support.stores import TestStores


async def test_a_service_without_migrations_does_not_stop_the_others(settings: Settings) -> None:
    """call-control keeps its state in Redis: `make run` must not end because it has no revisions."""
    await migrate_package(settings, "call_control")
    connection = await asyncpg.connect(settings.pg_dsn("call_control"))
    try:
        assert await connection.fetchval("select count(*) from pg_namespace where nspname = 'call_control'")
    finally:
        await connection.close()


async def test_rows_that_a_migration_brings_in_are_told_to_who_knows_the_others(
    stores: TestStores, tmp_path: Path
) -> None:
    """A read model built before the upgrade would else lack the emergency numbers until a rebuild."""
    database = await stores.empty_database()
    settings = stores.settings(database, tmp_path)
    await migrate_package(settings, "provisioning", "0007")
    assert await _outbox(settings) == []
    owner = await asyncpg.connect(
        settings.pg_dsn("landline_owner"), server_settings={"search_path": "provisioning"}
    )
    await owner.execute("select set_config('landline.level', 'system', false)")
    await owner.execute(
        "insert into emergency_numbers (id, version, created_at, updated_at, number, country, description)"
        " values (gen_random_uuid(), 1, now(), now(), '112', 'ES', 'an operator made it')"
    )
    await migrate_package(settings, "provisioning", "0008")
    told = await _outbox(settings)
    for resource in (RISK_CLASSES, EMERGENCY_NUMBERS):
        rows = [dict(row) for row in await owner.fetch(f"select * from {resource.table.name}")]
        known = {str(row["id"]) for row in rows if row["description"] != "an operator made it"}
        events = {e.entity_id: e.data for e in told if e.entity == resource.entity}
        assert set(events) == known
        assert len(events) > 100
        expected = {str(row["id"]): changed_event(resource, row).data for row in rows}
        assert events == {row_id: expected[row_id] for row_id in known}
    await owner.close()
    await stores.drop_database(database)


async def test_a_new_platform_has_nobody_to_tell(settings: Settings) -> None:
    """Its copies begin with a snapshot: a thousand events before the first brand's would be in its way."""
    assert await _outbox(settings) == []


async def _outbox(settings: Settings) -> list[EntityChanged]:
    conn = await asyncpg.connect(settings.pg_dsn("landline_owner"))
    try:
        await conn.execute("select set_config('landline.level', 'system', false)")
        rows = await conn.fetch("select event from provisioning.outbox order by id")
    finally:
        await conn.close()
    return [unseal(row["event"]).read(EntityChanged) for row in rows]
