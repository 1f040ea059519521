"""Trimming streams: what every reader has acknowledged goes, nothing else (architecture 3.3).

Each stream is trimmed by the service that writes it, once a minute. A reader is a consumer group that
`READERS` names, or any other that exists; as long as one that is named has not come yet, nothing is dropped.
Who tails a stream without a group (revoked sessions, live events) reads back `KEEP_MS` at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from landline.chassis.background import rounds
from landline.chassis.streams import AnyRedis
from landline.contracts.streams import READERS
from landline.kernel.clock import SystemClock

KEEP_MS = 15 * 60_000  # revocations are tailed from ten minutes back
EVERY_S = 60.0
AT_ONCE = 10_000
NEWEST = f"{2**63}-0"  # nobody reads it by group: age alone decides


def _id_key(entry_id: str) -> tuple[int, int]:
    millis, _, sequence = entry_id.partition("-")
    return int(millis), int(sequence or 0)


async def _needed_from(redis: AnyRedis, stream: str, readers: Sequence[str]) -> str | None:
    """The oldest id that some reader still needs; None when a reader has no group yet: keep everything."""
    try:
        groups: list[Any] = await redis.xinfo_groups(stream)
    except ResponseError:
        return None  # no such stream
    by_name = {g["name"].decode(): g for g in groups}
    if not set(readers) <= by_name.keys():
        return None
    needed = []
    for name, group in by_name.items():
        needed.append(group["last-delivered-id"].decode())
        if group["pending"]:
            needed.append((await redis.xpending(stream, name))["min"].decode())
    return str(min(needed, key=_id_key, default=NEWEST))


async def trim(
    redis: AnyRedis, stream: str, readers: Sequence[str], now_ms: int, keep_ms: int = KEEP_MS
) -> int:
    """Drop what every reader has acknowledged and is older than `keep_ms`; returns how many.

    In parts: a stream that was not trimmed for days would hold up Redis for seconds.
    """
    needed = await _needed_from(redis, stream, readers)
    if needed is None:
        return 0
    floor = min(_id_key(needed), (now_ms - keep_ms, 0))
    oldest = f"{floor[0]}-{floor[1]}"
    dropped = 0
    while part := int(await redis.xtrim(stream, minid=oldest, approximate=True, limit=AT_ONCE)):
        dropped += part
    # What is left of it is less than a node of the stream.
    return dropped + int(await redis.xtrim(stream, minid=oldest, approximate=False))


async def run_trimmer(
    redis: AnyRedis, streams: Iterable[str], stop: asyncio.Event, keep_ms: int = KEEP_MS
) -> None:
    """Background work: trim the given streams every minute. By the machine's clock, as ids are made by the
    server's: a test's clock that runs ahead would drop what is tailed from ten minutes back."""
    clock = SystemClock()

    async def trim_all() -> None:
        for stream in streams:
            await trim(redis, stream, READERS[stream], clock.now_ms(), keep_ms)

    await rounds("trimming of streams", trim_all, stop, every_s=EVERY_S)
