"""How far behind a consumer group is, and what it gave up: the two figures that operators watch.

Per group and kind of stream (`landline:calls` for all partitions together), by whoever consumes it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from redis.exceptions import ResponseError

from landline.chassis.stream_metrics import DEAD_WAITING, LAG
from landline.chassis.streams import AnyRedis, unread
from landline.contracts.streams import dead_letters


async def measure(redis: AnyRedis, group: str, streams: Sequence[str]) -> None:
    """Set the gauges of this group."""
    behind = await asyncio.gather(*(_behind(redis, group, stream) for stream in streams))
    dead = await asyncio.gather(*(redis.xlen(dead_letters(stream, group)) for stream in streams))
    for gauge, figures in ((LAG, behind), (DEAD_WAITING, dead)):
        sums: dict[str, int] = defaultdict(int)
        for stream, figure in zip(streams, figures, strict=True):
            sums[kind_of(stream)] += figure
        for kind, total in sums.items():
            gauge.labels(group, kind).set(total)


def kind_of(stream: str) -> str:
    """The stream's name without its partition: 64 label values would say nothing more."""
    return stream.rpartition("}:")[2]


async def _behind(redis: AnyRedis, group: str, stream: str) -> int:
    try:
        return await unread(redis, group, stream)
    except ResponseError:
        return 0  # no such stream yet
