"""Taking over what a dead member of a consumer group left unacknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from landline.chassis.streams import AnyRedis, Entry

CLAIM_COUNT = 200
FORGET_MEMBER_AFTER_MS = 3_600_000


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
