"""Postgres that is late, away, or not what the tables say."""

from __future__ import annotations

import asyncio

import pytest
from landline.chassis.migrations import migrate_package
from landline.chassis.postgres import Database, DatabaseAway, Scope
from landline.chassis.settings import Settings
from provisioning.main import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError


async def test_a_database_that_does_not_answer_is_named(settings: Settings) -> None:
    """A clear sentence after the time given, instead of a stack of driver errors."""
    away = settings.model_copy(update={"pg_url": "postgresql://127.0.0.1:1/landline"})
    db = Database(away, "provisioning")
    with pytest.raises(DatabaseAway, match="provisioning"):
        await db.open(patience_s=0.2)
    await db.close()


async def test_two_runners_migrate_one_after_the_other(settings: Settings) -> None:
    """Two hosts deploy at once: the second waits and finds nothing to do."""
    await asyncio.gather(*(migrate_package(settings, "provisioning") for _ in range(3)))


async def test_every_declared_column_is_in_the_database(settings: Settings) -> None:
    """A column that only the declaration or only the migration knows fails at the first request."""
    db = Database(settings, "provisioning")
    query = text(
        "select column_name, is_nullable = 'YES' from information_schema.columns"
        " where table_name = :t and table_schema = 'provisioning'"
    )
    async with db.transaction(Scope.system()) as tx:
        for resource in REGISTRY.resources:
            found = {r[0]: r[1] for r in (await tx.execute(query, {"t": resource.table.name})).all()}
            declared = {c.name: c.nullable for c in resource.table.c}
            # A table may keep more than its resource shows, never less, and null alike.
            assert declared.items() <= found.items(), resource.name
    await db.close()


async def test_every_table_is_under_row_level_security(settings: Settings) -> None:
    """FORCE, so that even its owner obeys; a new table that forgets it fails here."""
    db = Database(settings, "provisioning")
    query = text(
        "select relname from pg_class where relnamespace = 'provisioning'::regnamespace and relkind = 'r'"
        " and not (relrowsecurity and relforcerowsecurity) and relname <> 'alembic_version'"
    )
    async with db.transaction(Scope.system()) as tx:
        assert list((await tx.execute(query)).scalars()) == []
        role = text("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
        assert await tx.scalar(role) is False
    await db.close()


async def test_a_statement_that_takes_too_long_is_stopped(settings: Settings) -> None:
    """One bad query must not hold a connection of ten for ever."""
    db = Database(settings, "provisioning")

    async def linger() -> None:
        async with db.transaction(Scope.system()) as tx:
            await tx.execute(text("set local statement_timeout = '50ms'"))
            await tx.execute(text("select pg_sleep(5)"))

    with pytest.raises(DBAPIError, match="statement timeout"):
        await linger()
    async with db.transaction(Scope.system()) as tx:
        assert await tx.scalar(text("show statement_timeout")) == "15s"
    await db.close()
