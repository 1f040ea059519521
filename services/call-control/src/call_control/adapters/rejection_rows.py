"""Rejections in Postgres: inserted in sets, kept by days, dropped by days."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Protocol

import msgspec
import structlog
from landline.chassis.postgres import Database, Scope
from landline.chassis.surroundings import Backoff, is_surroundings
from landline.kernel.clock import Clock, utc

from call_control.domain.rejection import KEPT_DAYS, Rejection

DAYS_AHEAD: Final = 3
_HOUR_S: Final = 3600.0
log = structlog.get_logger(__name__)

_COLUMNS: Final = (
    ("id", "uuid"), ("created_at", "timestamptz"), ("brand_id", "uuid"), ("client_id", "uuid"),
    ("attempt_id", "text"), ("reason", "text"), ("sip_code", "int"), ("detail", "text"), ("rule", "text"),
    ('"limit"', "text"), ("value", "text"), ("remedy", "text"), ("direction", "text"), ("source_ip", "text"),
    ("device_id", "uuid"), ("caller", "text"), ("withheld_caller", "text"), ("callee", "text"),
    ("trace", "jsonb"),
)  # fmt: skip
_INSERT: Final = (
    f"insert into rejections ({', '.join(name for name, _ in _COLUMNS)}) select * from"
    f" unnest({', '.join(f'${n}::{kind}[]' for n, (_, kind) in enumerate(_COLUMNS, 1))})"
    " on conflict do nothing"
)
_encode = msgspec.json.Encoder().encode


class RejectionRows(Protocol):
    """Where rejections are kept."""

    async def keep(self, found: Sequence[Rejection]) -> None:
        """Store them; those that are there already stay as they are."""

    async def without_client(self, day: date) -> int:
        """How many of a UTC day belong to no client."""


class PostgresRejectionRows:
    """One statement for a batch, however large."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, found: Sequence[Rejection]) -> None:
        """Store them; those that are there already stay as they are."""
        rows = [_row(each) for each in found]
        async with self._db.asyncpg(Scope.system()) as conn:
            await conn.execute(_INSERT, *([row[n] for row in rows] for n in range(len(_COLUMNS))))

    async def without_client(self, day: date) -> int:
        """How many of a UTC day belong to no client."""
        async with self._db.asyncpg(Scope.system()) as conn:
            found = await conn.fetchval(
                "select count(*) from rejections where client_id is null"
                " and created_at >= $1::date at time zone 'UTC'"
                " and created_at < ($1::date + 1) at time zone 'UTC'",
                day,
            )
        return int(found)


def _row(one: Rejection) -> tuple[object, ...]:
    event = one.event
    return (
        one.id, utc(one.at_ms), one.brand_id, one.client_id,
        event.attempt_id, event.reason, event.sip_code, one.detail, event.rule,
        event.limit, event.value, event.remedy, event.direction, event.source_ip,
        event.device_id, one.caller, one.withheld_caller, event.callee,
        _encode(one.trace).decode(),
    )  # fmt: skip


async def keep_days(db: Database, now_ms: int) -> tuple[int, int]:
    """Make the partitions of the next days, drop those of over 30 days. (made, dropped)

    A day for which this never ran is no loss: its rows stand in the default partition, and move when the day
    is made.
    """
    today, made = utc(now_ms).date(), 0
    async with db.asyncpg(Scope.system()) as conn:
        for offset in range(-1, DAYS_AHEAD + 1):
            made += await conn.fetchval("select ensure_rejections_day($1)", today + timedelta(days=offset))
        oldest = today - timedelta(days=KEPT_DAYS)
        dropped = await conn.fetchval("select drop_rejections_days($1)", oldest)
    return made, dropped


async def run_days(db: Database, clock: Clock, stop: asyncio.Event) -> None:
    """Keep partitions, once an hour; waits out an absent database."""
    backoff = Backoff()
    while not stop.is_set():
        wait_s = _HOUR_S
        try:
            await keep_days(db, clock.now_ms())
            backoff.reset()
        except Exception as error:
            if not is_surroundings(error):
                log.exception("partitions of rejections could not be kept")
            wait_s = backoff.next_s()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
