"""Taking over what a dead member of a group left unacknowledged, and trimming what everybody has read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from landline.chassis.stream_metrics import LAG
from landline.chassis.streams import AnyRedis, Entry

CLAIM_COUNT = 200
FORGET_MEMBER_AFTER_MS = 3_600_000
KEEP_MS = 15 * 60_000  # revocations are tailed from ten minutes back


async def claim_orphans(
    redis: AnyRedis, group: str, member: str, streams: Sequence[str], idle_s: float
) -> list[Entry]:
    """Entries that were delivered more than `idle_s` ago and not acknowledged, now ours."""
    pending = await asyncio.gather(*(redis.xpending(stream, group) for stream in streams))
    owed = [stream for stream, summary in zip(streams, pending, strict=True) if summary["pending"]]
    found: list[Entry] = []
    for stream in owed:
        reply = await redis.xautoclaim(
            stream, group, member, min_idle_time=round(idle_s * 1000), count=CLAIM_COUNT
        )
        found += [Entry(stream, i.decode(), f) for i, f in reply[1] if f]
        await _forget_members(redis, stream, group, member)
    return found


async def _forget_members(redis: AnyRedis, stream: str, group: str, member: str) -> None:
    """Drop members that own nothing and have been silent for an hour: names are new at every start."""
    for other in await redis.xinfo_consumers(stream, group):
        silent = not other["pending"] and other["idle"] > FORGET_MEMBER_AFTER_MS
        if silent and other["name"] != member.encode():
            await redis.xgroup_delconsumer(stream, group, other["name"])


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
        LAG.labels(name).set(float(group.get("lag") or 0))
        if group["pending"]:
            needed.append((await redis.xpending(stream, name))["min"].decode())
    return str(min(needed, key=_id_key))


async def trim(redis: AnyRedis, stream: str, readers: Sequence[str], now_ms: int) -> int:
    """Drop what every reader has acknowledged and is older than fifteen minutes; returns how many."""
    needed = await _needed_from(redis, stream, readers)
    if needed is None:
        return 0
    floor = min(_id_key(needed), (now_ms - KEEP_MS, 0))
    return int(await redis.xtrim(stream, minid=f"{floor[0]}-{floor[1]}", approximate=False))
