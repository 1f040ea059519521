"""The stores that tests run against: our own from wheels, Debian's, or ones given by URL.

LANDLINE_TEST_STORES=wheels|debian|system   which servers to start (default: wheels)
LANDLINE_TEST_PACKAGES=billing,...          whose tables test databases get (default: all four services)
LANDLINE_TEST_PG_URL, LANDLINE_TEST_REDIS_URL   use these: a superuser's DSN, a Redis to flush
"""

from __future__ import annotations

import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from landline.chassis.embedded.binaries import Kind, is_kind
from landline.chassis.embedded.environment import pg_url_of
from landline.chassis.embedded.folder import ROLES
from landline.chassis.embedded.migrate import create_database, create_roles, with_database
from landline.chassis.embedded.postgres import Postgres
from landline.chassis.embedded.stores import Stores
from landline.chassis.embedded.valkey import Valkey
from landline.chassis.migrations import migrate_package
from landline.chassis.settings import Settings

TEMPLATE = "landline_template"
SERVICE_PACKAGES = "provisioning,call_control,billing,notifier"

# A killed process loses nothing that it wrote; only a power cut would, and tests have none.
_FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "300"}


def kind() -> Kind:
    """Which servers tests start."""
    named = os.environ.get("LANDLINE_TEST_STORES", "wheels")
    if not is_kind(named):
        raise pytest.UsageError(f"LANDLINE_TEST_STORES={named}: wheels, debian or system")
    return named


class TestStores:
    """One Postgres and one Valkey; both have kill(), stop(), start() (same port, same data).

    `admin_url` is a superuser's DSN; `passwords` maps each role (`landline_owner`, `call_control` ...) to its
    password, also found in the environment where `Settings` looks for it.
    """

    __test__ = False

    def __init__(self, own: Stores | None, admin_url: str, redis_url: str) -> None:
        self._own = own
        self.admin_url = admin_url
        self.redis_url = redis_url
        self.passwords = {role: secrets.token_urlsafe(12) for role in ROLES}
        self._numbers = itertools.count(1)
        self._migrated = False

    @property
    def postgres(self) -> Postgres:
        """Ours to kill; skips the test when the stores were given by URL."""
        return self._started().postgres

    @property
    def valkey(self) -> Valkey:
        """Ours to kill; skips the test when the stores were given by URL."""
        return self._started().valkey

    def _started(self) -> Stores:
        if self._own is None:
            pytest.skip("these stores are not ours to stop")
        return self._own

    def environment(self) -> dict[str, str]:
        """The roles' passwords as `Settings` reads them."""
        return {f"LANDLINE_PG_PASSWORD_{role.upper()}": word for role, word in self.passwords.items()}

    def settings(self, database: str, data: Path, **values: object) -> Settings:
        """Settings for one database of these stores; `values` are fields of Settings."""
        known: dict[str, object] = {
            "pg_url": pg_url_of(with_database(self.admin_url, database)),
            "pg_owner_password": self.passwords["landline_owner"],
            "redis_url": self.redis_url,
            "data": data,
            "internal_key": "internal-key-of-tests-0123456789abcdef",
            "ticket_key": "ticket-key-of-tests-0123456789abcdef0",
            "secrets_key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "admin_password": "an admin of tests 1",
            "smtp_url": "",
        }
        return Settings(_env_file=None, **{**known, **values})  # type: ignore[arg-type]

    async def fresh_database(self) -> str:
        """The name of a new database with all services' tables, cloned from one that was migrated once."""
        await self._migrate_template()
        name = f"landline_test_{os.getpid()}_{next(self._numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    async def empty_database(self) -> str:
        """The name of a new database with the roles' rights and no table: for tests of migrations."""
        name = f"landline_test_{os.getpid()}_{next(self._numbers)}"
        await create_database(self.admin_url, name)
        await create_roles(with_database(self.admin_url, name), self.passwords)
        return name

    async def drop_database(self, name: str) -> None:
        """Whoever is still connected is thrown out."""
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _migrate_template(self) -> None:
        if self._migrated:
            return
        await self._execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        await create_database(self.admin_url, TEMPLATE)
        await create_roles(with_database(self.admin_url, TEMPLATE), self.passwords)
        settings = self.settings(TEMPLATE, Path(tempfile.gettempdir()))
        for package in os.environ.get("LANDLINE_TEST_PACKAGES", SERVICE_PACKAGES).split(","):
            if has_migrations(package):
                await migrate_package(settings, package)
        self._migrated = True

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def has_migrations(package: str) -> bool:
    """Whether an installed package has revisions to run."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return any(True for folder in folders or () for _ in Path(folder, "migrations", "versions").glob("*.py"))


@contextmanager
def running_stores(postgres_settings: Mapping[str, str] | None = None) -> Iterator[TestStores]:
    """Stores for as long as the block runs, in a temporary folder and on free ports."""
    admin_url = os.environ.get("LANDLINE_TEST_PG_URL")
    redis_url = os.environ.get("LANDLINE_TEST_REDIS_URL")
    if admin_url and redis_url:
        yield TestStores(None, admin_url, redis_url)
        return
    with private_stores(postgres_settings) as own:
        yield TestStores(own, own.postgres.url(), own.valkey.url())


@contextmanager
def private_stores(postgres_settings: Mapping[str, str] | None = None) -> Iterator[Stores]:
    """A pair of stores of one's own, whatever the rest of the session uses."""
    with tempfile.TemporaryDirectory(prefix="landline-stores-") as folder:
        own = Stores.new(Path(folder), kind=kind(), postgres_settings={**_FAST, **(postgres_settings or {})})
        own.start()
        try:
            yield own
        finally:
            own.stop()
