"""The preparing step: database, roles, schemas, then every service's migrations.

    python -m landline.chassis.embedded.migrate      LANDLINE_PG_ADMIN_DSN and the children's environment

A process of its own, so that the supervisor needs no database driver.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from importlib.resources import files
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from landline.chassis import logging
from landline.chassis.embedded.environment import pg_url_of
from landline.chassis.embedded.folder import ROLES
from landline.chassis.embedded.services import load_services
from landline.chassis.settings import Settings

_CONNECT_TRIES = 50


def roles_sql() -> str:
    """The one text that makes roles and schemas; deploy/postgres/roles.sql is a copy."""
    return files("landline.chassis.embedded").joinpath("roles.sql").read_text()


def with_database(dsn: str, database: str) -> str:
    """The same DSN, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def _connect(dsn: str) -> asyncpg.Connection:
    for _ in range(_CONNECT_TRIES):
        try:
            return await asyncpg.connect(dsn)
        except asyncpg.CannotConnectNowError:  # the port opens a moment before connections are accepted
            await asyncio.sleep(0.1)
    return await asyncpg.connect(dsn)


async def create_database(admin_dsn: str, name: str) -> None:
    """Make the database if there is none; UTF-8, byte order collation as everywhere."""
    connection = await _connect(admin_dsn)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            quoted = name.replace('"', '""')
            await connection.execute(f"CREATE DATABASE \"{quoted}\" TEMPLATE template0 ENCODING 'UTF8'")
    finally:
        await connection.close()


async def create_roles(admin_dsn: str, passwords: dict[str, str]) -> None:
    """Apply roles.sql in the DSN's database and set the roles' passwords."""
    connection = await _connect(admin_dsn)
    try:
        async with connection.transaction():
            await connection.execute(roles_sql())
            for role, password in passwords.items():
                # ALTER ROLE takes no parameters; quote_literal keeps any password harmless.
                literal = await connection.fetchval("SELECT quote_literal($1)", password)
                await connection.execute(f"ALTER ROLE {role} PASSWORD {literal}")
    finally:
        await connection.close()


def migrate_services(settings: Settings) -> None:
    """Bring every installed service's schema up to date."""
    if importlib.util.find_spec("landline.chassis.migrations") is None:
        return
    from landline.chassis.migrations import migrate

    for service in load_services():
        migrate(settings, service)


def main() -> None:
    """Prepare the database named by the environment."""
    settings = Settings()
    logging.configure(settings.log_level)
    admin_dsn = os.environ["LANDLINE_PG_ADMIN_DSN"]
    database = urlsplit(settings.pg_url).path.strip("/")
    passwords = {role: os.environ[f"LANDLINE_PG_PASSWORD_{role.upper()}"] for role in ROLES}

    async def prepare() -> None:
        await create_database(admin_dsn, database)
        await create_roles(with_database(admin_dsn, database), passwords)

    try:
        asyncio.run(prepare())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        where = pg_url_of(admin_dsn)
        sys.exit(f"cannot prepare {where}: {error} (LANDLINE_PG_DSN must log in as one who may create roles)")
    migrate_services(settings)


if __name__ == "__main__":
    main()
