"""Schema changes, per service: alembic files in `<package>/migrations/versions`, run as `landline_owner`.

Each service owns one schema, named after its package; the version table lives inside it. Runners of the
same service wait for one another on an advisory lock. Inside a migration the schema is the search path and
the scope is `system`, so data can be changed under FORCE ROW LEVEL SECURITY. What is created can be used by
the service's role at once (default privileges).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from importlib.resources import as_file, files
from pathlib import Path

from alembic import op
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from landline.chassis.logging import get_logger
from landline.chassis.postgres import scoped_policy, tenant_policy
from landline.chassis.service import Service
from landline.chassis.settings import Settings

log = get_logger(__name__)

OWNER = "landline_owner"


def migrate(settings: Settings, service: Service) -> None:
    """Bring a service's schema to its newest revision. Blocks; starts an event loop of its own."""
    asyncio.run(migrate_package(settings, service.package))


async def migrate_package(settings: Settings, package: str, target: str = "head") -> None:
    """The same from inside an event loop; `target` is an alembic revision."""
    with as_file(files(package) / "migrations") as folder:
        if not any(folder.glob("versions/*.py")):
            log.info("no tables, nothing to migrate", package=package)
            return
        engine = create_async_engine(
            settings.pg_dsn(OWNER).replace("postgresql://", "postgresql+asyncpg://", 1),
            poolclass=NullPool,
            connect_args={
                "server_settings": {"search_path": package, "application_name": "landline migrate"}
            },
        )
        try:
            async with engine.begin() as tx:
                await tx.run_sync(_upgrade, package, folder, target)
        finally:
            await engine.dispose()


def _upgrade(connection: Connection, package: str, folder: Path, target: str) -> None:
    connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"migrate {package}"}
    )
    _prepare_schema(connection, package)
    new = connection.execute(text("select to_regclass(:name)"), {"name": f"{package}.alembic_version"})
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: str | tuple[str, ...], _context: object) -> list[RevisionStep]:
        return script._upgrade_revs(target, revision)  # type: ignore[arg-type]

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(
            connection=connection,
            version_table_schema=package,
            transactional_ddl=True,
            is_new=new.scalar() is None,
        )
        environment.run_migrations()
    log.info("schema is up to date", schema=package)


def _prepare_schema(connection: Connection, package: str) -> None:
    """The schema, and what its service may do in it. The roles themselves are deploy/postgres/roles.sql."""
    exists = connection.execute(text("select to_regnamespace(:name)"), {"name": package}).scalar()
    if exists is None:  # only then, because creating needs a right on the database that owners may lack
        connection.execute(text(f"create schema {package}"))
    defaults = f"alter default privileges in schema {package}"
    for statement in (
        f"grant usage on schema {package} to {package}",
        f"{defaults} grant select, insert, update, delete on tables to {package}",
        f"{defaults} grant usage, select on sequences to {package}",
        "select set_config('landline.level', 'system', true)",
    ):
        connection.execute(text(statement))


def is_new() -> bool:
    """In a migration: whether the schema had no tables before this run, so that nobody knows its rows yet."""
    return bool(op.get_context().opts["is_new"])


def run_sql(statements: Iterable[str]) -> None:
    """In a migration: run statements one by one, as they are (no `:name` parameters are looked for)."""
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


def create_chassis_tables(package: str) -> None:
    """In a service's first migration: what outbox, idempotency keys and the audit log live in."""
    run_sql(
        [
            "create table outbox (id bigint generated always as identity primary key,"
            " xid xid8 not null default pg_current_xact_id(), stream text not null, event bytea not null)",
            "create index outbox_order on outbox (xid, id)",
            f"create function outbox_written() returns trigger language plpgsql as"
            f" 'begin perform pg_notify(''landline_outbox_{package}'', ''''); return null; end'",
            "create trigger outbox_written after insert on outbox"
            " for each statement execute function outbox_written()",
            *scoped_policy("outbox"),
            "create table idempotency_keys (id bytea primary key, body_hash bytea not null,"
            " answer bytea not null, expires_at timestamptz not null)",
            "create index idempotency_keys_expires_at on idempotency_keys (expires_at)",
            *scoped_policy("idempotency_keys"),
            "create table audit_log (id uuid primary key, created_at timestamptz not null,"
            " request_id text not null, admin_id text, username text not null, level text not null,"
            " impersonator_id text, brand_id uuid, client_id uuid, resource text not null,"
            " entity_id text not null, action text not null,"
            " changes jsonb not null, reason text, address text)",
            "create index audit_log_brand on audit_log (brand_id, created_at, id)",
            "create index audit_log_created on audit_log (created_at, id)",
            "create index audit_log_entity on audit_log (entity_id, created_at)",
            *tenant_policy("audit_log", client_column="client_id"),
            f"revoke update, delete on audit_log from {package}",
        ]
    )
