"""The partitions' `calls` streams for those who only watch: no group, so Redis writes nothing for them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from landline.chassis.redis import AnyRedis
from landline.contracts.envelope import FIELD
from landline.contracts.streams import ALL_CALLS
from landline.kernel.ids import PARTITIONS
from redis.asyncio import RedisCluster

from call_control.domain.live_event import EntryId

COUNT: Final = 500
Entries = list[tuple[EntryId, bytes]]


class CallStreams:
    """Reads of one process. Nothing blocks: the reader's own pause sets the rhythm."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def newest(self) -> dict[int, EntryId]:
        """The last entry of every partition's stream, 0-0 where there is none."""
        replies: list[Any] = await asyncio.gather(
            *(self._redis.xrevrange(ALL_CALLS[k], count=1) for k in range(PARTITIONS))
        )
        return {
            k: EntryId.of(rows[0][0].decode()) if rows else EntryId(0, 0) for k, rows in enumerate(replies)
        }

    async def after(self, positions: Mapping[int, EntryId]) -> tuple[dict[int, Entries], int | None]:
        """What follows the positions, at most 500 a partition; and the moment up to which the fullest of
        them was read, None when all were read to their end."""
        wanted = {ALL_CALLS[k]: str(entry) for k, entry in positions.items()}
        if isinstance(self._redis, RedisCluster):
            replies = await self._of_nodes(self._redis, wanted)
        else:
            replies = [await self._redis.xread(wanted, count=COUNT)]  # type: ignore[arg-type]
        found = {_partition(name): _entries(rows) for reply in replies for name, rows in reply or ()}
        full = [entries[-1][0].ms for entries in found.values() if len(entries) >= COUNT]
        return {k: entries for k, entries in found.items() if entries}, min(full, default=None)

    async def _of_nodes(self, cluster: RedisCluster, wanted: Mapping[str, str]) -> list[Any]:
        """Streams of different slots cannot share a command: one pipeline a node."""
        by_node: dict[str, list[str]] = defaultdict(list)
        for stream in wanted:
            node = cluster.get_node_from_key(stream)
            by_node[node.name if node else ""].append(stream)

        async def read(streams: list[str]) -> list[Any]:
            pipe = cluster.pipeline()
            for stream in streams:
                pipe.execute_command("XREAD", "COUNT", COUNT, "STREAMS", stream, wanted[stream])
            return list(await pipe.execute())

        replies = await asyncio.gather(*(read(streams) for streams in by_node.values()))
        return [reply for part in replies for reply in part]

    async def between(self, partition: int, after: EntryId, until: EntryId, most: int) -> Entries:
        """Entries of a partition after one and up to another, at most `most`."""
        rows: Any = await self._redis.xrange(ALL_CALLS[partition], f"({after}", str(until), count=most)
        return _entries(rows)


def _partition(name: bytes) -> int:
    return int(name[2 : name.index(b"}")])


def _entries(rows: Any) -> Entries:
    return [(EntryId.of(i.decode()), fields[FIELD]) for i, fields in rows if fields and FIELD in fields]
