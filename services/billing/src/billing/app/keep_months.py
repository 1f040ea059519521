"""Partitions made ahead and raw events dropped after their time; run at start and once a day."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from landline.chassis.background import rounds
from landline.chassis.postgres import Database, Scope
from landline.kernel.clock import Clock, utc

from billing.app.connection import Connection

DAY_S = 86_400.0
MONTHS_AHEAD = 3
RAW_DAYS = 90


async def keep_months(conn: Connection, now_ms: int) -> tuple[int, int]:
    """Make the partitions of last month to three months ahead; drop raw events of over 90 days.

    Returns (made, dropped). A month for which this never ran is no loss: its rows stand in the default
    partition and move when the month is made.
    """
    made = 0
    for offset in range(-1, MONTHS_AHEAD + 1):
        month = add_months(utc(now_ms).date(), offset)
        for parent in ("call_records", "raw_events"):
            made += await conn.fetchval("select ensure_month($1, $2)", parent, month)
    dropped = await conn.fetchval("select drop_raw_months($1)", utc(now_ms) - timedelta(days=RAW_DAYS))
    return made, dropped


def add_months(day: date, months: int) -> date:
    """The first day of the month that many months later."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


async def months_until(db: Database, clock: Clock, stop: asyncio.Event) -> None:
    """Background work: keep partitions ahead of time."""

    async def keep() -> None:
        async with db.asyncpg(Scope.system()) as conn:
            await keep_months(conn, clock.now_ms())

    await rounds("partitions of months", keep, stop, every_s=DAY_S)
