"""Postgres, handed out in one place, always inside a scope (architecture section 7.5).

A transaction carries its tenant as three settings that row-level security reads: `landline.level`,
`landline.brand_id`, `landline.client_id`. They are set with `set_config(..., true)`, so they end with the
transaction and can't leak to the next user of a pooled connection. Without a scope there are no rows.

    async with db.transaction(Scope.brand(brand_id)) as tx:      # SQLAlchemy AsyncConnection
    async with db.asyncpg(Scope.system()) as conn:               # raw asyncpg, for volume; same pool
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import asyncpg
from asyncpg import Connection, Record
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from landline.chassis.logging import get_logger
from landline.chassis.principal import Level, Principal
from landline.chassis.settings import Settings

log = get_logger(__name__)

if TYPE_CHECKING:
    RawConnection = Connection[Record]
else:
    RawConnection = Connection

STATEMENT_TIMEOUT_MS = 15_000
MOST_CONNECTIONS = 10

_SET_SCOPE = (
    "select set_config('landline.level', :level, true), set_config('landline.brand_id', :brand_id, true),"
    " set_config('landline.client_id', :client_id, true)"
)


class DatabaseAway(Exception):
    """Postgres could not be reached within the time given."""


@dataclass(frozen=True)
class Scope:
    """Whose rows a transaction may see. Build it by one of the class methods."""

    level: Level
    brand_id: str | None = None
    client_id: str | None = None

    @classmethod
    def platform(cls) -> Scope:
        """All rows, for a platform operator."""
        return cls("platform")

    @classmethod
    def brand(cls, brand_id: str) -> Scope:
        """The rows of one brand and of its clients."""
        return cls("brand", brand_id)

    @classmethod
    def client(cls, brand_id: str, client_id: str) -> Scope:
        """The rows of one client, and what its brand shares."""
        return cls("client", brand_id, client_id)

    @classmethod
    def system(cls) -> Scope:
        """All rows, for consumers, publishers and jobs."""
        return cls("system")

    @classmethod
    def of(cls, principal: Principal) -> Scope:
        """The scope of whoever asks."""
        return cls(principal.level, principal.brand_id, principal.client_id)


class Database:
    """One service's pool in one process; `role` is the service's package name: its role and its schema."""

    def __init__(self, settings: Settings, role: str, pool_size: int | None = None) -> None:
        self.role = role
        self._dsn = settings.pg_dsn(role)
        self._settings = {
            "application_name": f"landline {role}",
            "search_path": role,
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": "60000",
        }
        size = min(pool_size or settings.pg_pool_size, MOST_CONNECTIONS)
        self.engine: AsyncEngine = create_async_engine(
            self._dsn.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={"server_settings": self._settings, "timeout": 5},
        )

    async def open(self, patience_s: float = 30) -> None:
        """Wait until Postgres answers; DatabaseAway when it does not within `patience_s`."""
        deadline, pause_s = asyncio.get_running_loop().time() + patience_s, 0.05
        while True:
            try:
                await self.ping()
                return
            except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if asyncio.get_running_loop().time() + pause_s > deadline:
                    raise DatabaseAway(f"Postgres does not answer as {self.role}: {error}") from error
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 1)

    async def ping(self) -> None:
        """One round trip; raises what the driver raises."""
        async with self.engine.connect() as conn:
            await conn.execute(text("select 1"))

    async def close(self) -> None:
        """Close the pool."""
        await self.engine.dispose()

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[AsyncConnection]:
        """A transaction in a scope: committed at the end, rolled back when the block raises."""
        async with self.engine.begin() as tx:
            await _enter(tx, scope)
            yield tx

    @asynccontextmanager
    async def one_moment(self, scope: Scope) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and sees one moment of the database, however many its queries."""
        async with self.engine.connect() as conn:
            await conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with conn.begin():
                await _enter(conn, scope)
                yield conn

    @asynccontextmanager
    async def asyncpg(self, scope: Scope) -> AsyncIterator[RawConnection]:
        """The same transaction as a raw asyncpg connection: named statements, `copy_records_to_table`."""
        async with self.transaction(scope) as tx:
            yield await raw(tx)

    @asynccontextmanager
    async def session(self, scope: Scope) -> AsyncIterator[RawConnection]:
        """A connection of its own outside the pool, for LISTEN and session-level advisory locks."""
        conn = await asyncpg.connect(self._dsn, server_settings=self._settings, timeout=5)
        try:
            await conn.execute(
                "select set_config('landline.level', $1, false), set_config('landline.brand_id', $2, false),"
                " set_config('landline.client_id', $3, false)",
                scope.level,
                scope.brand_id or "",
                scope.client_id or "",
            )
            yield conn
        finally:
            conn.terminate() if conn.is_closed() else await _close(conn)


async def _enter(tx: AsyncConnection, scope: Scope) -> None:
    values = {
        "level": scope.level,
        "brand_id": scope.brand_id or "",
        "client_id": scope.client_id or "",
    }
    await tx.execute(text(_SET_SCOPE), values)


async def _close(conn: RawConnection) -> None:
    try:
        await conn.close(timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        conn.terminate()


async def raw(tx: AsyncConnection) -> RawConnection:
    """The asyncpg connection under a transaction of `Database.transaction`; it shares the transaction."""
    pooled = await tx.get_raw_connection()
    return cast("RawConnection", pooled.driver_connection)


_LEVEL = "(select current_setting('landline.level', true))"
_BRAND = "(select nullif(current_setting('landline.brand_id', true), '')::uuid)"
_CLIENT = "(select nullif(current_setting('landline.client_id', true), '')::uuid)"


def tenant_policy(
    table: str,
    brand_column: str = "brand_id",
    client_column: str | None = None,
    *,
    client_reads_brand: bool = False,
    client_reads_unowned: bool = False,
    shared: bool = False,
) -> list[str]:
    """SQL statements that put a tenant table under row-level security; for migrations.

    client_column: a client sees rows of its own; None: a client sees nothing, unless client_reads_brand.
    client_reads_brand: a client may read (never write) all rows of its brand.
    client_reads_unowned: a client may read (never write) the rows of its brand that no client has.
    shared: rows without a brand belong to the platform and are readable by everyone with a scope.
    The settings are read in sub-selects, so that Postgres reads them once per statement, not once per row.
    """
    everyone = f"{_LEVEL} in ('platform', 'system')"
    brand = f"({_LEVEL} = 'brand' and {brand_column} = {_BRAND})"
    client = f"({_LEVEL} = 'client' and {client_column} = {_CLIENT} and {brand_column} = {_BRAND})"
    write = " or ".join([everyone, brand, *([client] if client_column else [])])
    reads = []
    if client_reads_brand:
        reads.append(f"({_LEVEL} = 'client' and {brand_column} = {_BRAND})")
    if client_reads_unowned:
        reads.append(f"({_LEVEL} = 'client' and {brand_column} = {_BRAND} and {client_column} is null)")
    if shared:
        reads.append(f"({_LEVEL} in ('brand', 'client') and {brand_column} is null)")
    statements = [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy tenant on {table} using ({write}) with check ({write})",
    ]
    if reads:
        statements.append(f"create policy tenant_reads on {table} for select using ({' or '.join(reads)})")
    return statements


def scoped_policy(table: str) -> list[str]:
    """RLS for a table that belongs to no tenant: any scope may use it, no scope sees nothing."""
    has_scope = f"{_LEVEL} in ('platform', 'brand', 'client', 'system')"
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy scoped on {table} using ({has_scope}) with check ({has_scope})",
    ]
