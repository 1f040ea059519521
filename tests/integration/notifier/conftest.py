"""notifier's parts over real stores and a real mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings

from tests.integration.notifier.office import Office
from tests.integration.notifier.smtp_server import SmtpServer, running_smtp_server


@pytest_asyncio.fixture(loop_scope="session")
async def smtp_server() -> AsyncIterator[SmtpServer]:
    """Listening for as long as the test runs."""
    async with running_smtp_server() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    """notifier's pool; its tables are empty."""
    database = Database(settings, "notifier")
    async with database.asyncpg(Scope.system()) as conn:
        for table in ("notifications", "facts", "notification_templates", "clients", "brands", "outbox"):
            await conn.execute(f"delete from {table}")
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def office(settings: Settings, db: Database, smtp_server: SmtpServer) -> Office:
    """The parts, to be run by hand."""
    return Office(settings, db, smtp_server)
