"""What a test looks at: postings, balances and records, read as the system."""

from __future__ import annotations

from typing import Any

from landline.chassis.postgres import Database, Scope
from landline.kernel.money import decimal_string, to_micros


async def postings(db: Database, client_id: str) -> list[tuple[int, str, str, str]]:
    """(sequence, kind, amount, balance after) of a client, in order."""
    async with db.asyncpg(Scope.system()) as conn:
        rows = await conn.fetch(
            "select sequence, kind, amount, balance_after from postings where client_id = $1"
            " order by sequence",
            client_id,
        )
    return [(r[0], r[1], *(decimal_string(to_micros(m)) for m in (r[2], r[3]))) for r in rows]


async def balance(db: Database, client_id: str) -> str | None:
    """The account's balance; None without an account."""
    found = await value(db, "select balance from accounts where client_id = $1", client_id)
    return None if found is None else decimal_string(to_micros(found))


async def value(db: Database, sql: str, *args: Any) -> Any:
    """One value."""
    async with db.asyncpg(Scope.system()) as conn:
        return await conn.fetchval(sql, *args)


async def rows(db: Database, sql: str, *args: Any) -> list[Any]:
    """Rows as tuples."""
    async with db.asyncpg(Scope.system()) as conn:
        return [tuple(row) for row in await conn.fetch(sql, *args)]
