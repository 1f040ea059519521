"""How far behind a consumer group is, and what it gave up: the two figures that operators watch.

Per group and kind of stream (`landline:calls` for all partitions together), by whoever consumes it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from landline.chassis.stream_metrics import DEAD_WAITING, LAG
from landline.chassis.streams import AnyRedis, unread
from landline.contracts.streams import dead_letters

Figures = dict[str, tuple[int, int]]
"""Stream -> entries not handled yet, entries given up."""


async def measure(
    redis: AnyRedis,
    group: str,
    streams: Sequence[str],
    known: Figures | None = None,
    node: Redis | None = None,
) -> None:
    """Set the gauges of this group.

    `node`: which has these streams, where that is one of several; `known`: the figures of the others, which
    keep what was last found while theirs are away.
    """
    figures = {} if known is None else known
    behind = await asyncio.gather(*(_behind(node or redis, group, stream) for stream in streams))
    dead = await asyncio.gather(*(_given_up(redis, group, stream, node) for stream in streams))
    figures.update(zip(streams, zip(behind, dead, strict=True), strict=True))
    for gauge, which in ((LAG, 0), (DEAD_WAITING, 1)):
        sums: dict[str, int] = defaultdict(int)
        for stream, found in figures.items():
            sums[kind_of(stream)] += found[which]
        for kind, total in sums.items():
            gauge.labels(group, kind).set(total)


async def _given_up(redis: AnyRedis, group: str, stream: str, node: Redis | None) -> int:
    """Beside the stream where its name has a hash tag; else the Cluster knows where."""
    dead = dead_letters(stream, group)
    return int(await (node if node is not None and dead.startswith("{") else redis).xlen(dead))


def kind_of(stream: str) -> str:
    """The stream's name without its partition: 64 label values would say nothing more."""
    return stream.rpartition("}:")[2]


async def _behind(redis: AnyRedis, group: str, stream: str) -> int:
    try:
        return await unread(redis, group, stream)
    except ResponseError:
        return 0  # no such stream yet
