"""Real Postgres and Redis with billing's schema migrated; the database is fresh per module."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from landline.chassis.embedded.migrate import create_database, create_roles, with_database
from landline.chassis.embedded.stores import Stores
from landline.chassis.migrations import migrate_package
from landline.chassis.postgres import Database
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from redis.asyncio import Redis

from tests.support.billing_api import BillingApi, billing_api
from tests.support.stores import kind

ROLES = ("landline_owner", "provisioning", "call_control", "billing", "notifier")
INTERNAL_KEY = "internal key of billing's tests, long enough"


@pytest.fixture(scope="session")
def billing_stores() -> Iterator[Stores]:
    """Postgres and Valkey for billing's tests alone: some of them stop Postgres."""
    with tempfile.TemporaryDirectory() as folder:
        stores = Stores.new(Path(folder), kind=kind())
        stores.start()
        yield stores
        stores.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def settings(
    billing_stores: Stores, request: pytest.FixtureRequest, tmp_path_factory: Any
) -> AsyncIterator[Settings]:
    """Settings of a module: its own database, migrated."""
    name = f"b_{abs(hash(request.module.__name__)) % 10**8}"
    admin = billing_stores.postgres.url()
    await create_database(admin, name)
    passwords = {role: f"{role}-secret" for role in ROLES}
    await create_roles(with_database(admin, name), passwords)
    patch = pytest.MonkeyPatch()  # undone at the module's end: other tests have other stores
    for role, password in passwords.items():
        patch.setenv(f"LANDLINE_PG_PASSWORD_{role.upper()}", password)
    found = Settings(
        pg_url=f"postgresql://127.0.0.1:{billing_stores.postgres.port}/{name}",
        pg_owner_password=passwords["landline_owner"],
        redis_url=billing_stores.valkey.url(),
        internal_key=INTERNAL_KEY,
        data=tmp_path_factory.mktemp("data"),
        claim_s=0.2,
    )
    await migrate_package(found, "billing")
    yield found
    patch.undo()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    """Billing's own pool, as its own role."""
    database = Database(settings, "billing")
    await database.open()
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """An empty Redis."""
    client = await connect(settings)
    assert isinstance(client, Redis)
    await client.flushall()
    yield client
    await client.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(settings: Settings) -> AsyncIterator[BillingApi]:
    """Billing as a whole: its API in-process, its work beside it."""
    client = await connect(settings)
    assert isinstance(client, Redis)
    await client.flushall()
    async with billing_api(settings, client) as running:
        yield running
    await client.aclose()
