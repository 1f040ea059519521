"""Entries that failed by themselves five times: kept with the reason, listed, replayed by command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from landline.chassis.stream_metrics import DEAD_LETTERS
from landline.chassis.streams import FOR, AnyRedis, Entry
from landline.contracts.envelope import FIELD
from landline.contracts.streams import READERS, dead_letters


def _failures_key(stream: str, group: str) -> str:
    return f"{stream}:failures:{group}"


async def count_failure(redis: AnyRedis, stream: str, group: str, entry_id: str) -> int:
    """One more failure of an entry; kept in Redis so that a restart does not forget it. Returns the count."""
    key = _failures_key(stream, group)
    failures = int(await redis.hincrby(key, entry_id, 1))
    await redis.expire(key, 7 * 86_400)
    return failures


async def forget_failures(redis: AnyRedis, stream: str, group: str, entry_id: str) -> None:
    """The entry was handled after all."""
    await redis.hdel(_failures_key(stream, group), entry_id)


async def bury(redis: AnyRedis, entry: Entry, group: str, reason: str) -> None:
    """Move an entry to the group's dead letters: written there first, then acknowledged, so never lost."""
    fields: dict[Any, Any] = {**entry.fields, b"entry_id": entry.id, b"reason": reason}
    await redis.xadd(dead_letters(entry.stream, group), fields)
    await redis.xack(entry.stream, group, entry.id)
    await forget_failures(redis, entry.stream, group, entry.id)
    DEAD_LETTERS.labels(group).inc()


async def list_dead(redis: AnyRedis, stream: str, group: str, limit: int = 100) -> list[dict[str, str]]:
    """The oldest dead letters: id, the entry's id, the reason and the event as text."""
    rows: Any = await redis.xrange(dead_letters(stream, group), count=limit)
    return [
        {
            "id": row_id.decode(),
            "entry_id": fields[b"entry_id"].decode(),
            "reason": fields[b"reason"].decode(),
            "event": fields.get(FIELD, b"").decode(errors="replace"),
        }
        for row_id, fields in rows
    ]


async def dead_waiting(redis: AnyRedis, streams: Iterable[str]) -> dict[tuple[str, str], int]:
    """(stream, group) -> how many wait to be replayed, of all that read the streams; none: left out."""
    graves = [(stream, group) for stream in streams for group in READERS[stream]]
    counts = [int(await redis.xlen(dead_letters(*grave))) for grave in graves]
    return {grave: count for grave, count in zip(graves, counts, strict=True) if count}


async def replay_dead(redis: AnyRedis, stream: str, group: str) -> int:
    """Put every dead letter back on its stream, for this group alone; returns how many."""
    grave = dead_letters(stream, group)
    replayed = 0
    while True:
        rows: Any = await redis.xrange(grave, count=100)
        if not rows:
            return replayed
        for row_id, fields in rows:
            kept: dict[Any, Any] = {k: v for k, v in fields.items() if k not in (b"entry_id", b"reason")}
            await redis.xadd(stream, {**kept, FOR: group})
            await redis.xdel(grave, row_id)
            replayed += 1
