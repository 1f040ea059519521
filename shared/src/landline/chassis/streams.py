"""Reading Redis streams with consumer groups, on one node or on a Cluster, through one small interface.

Single node and Sentinel: one blocking XREADGROUP over all keys. One node of a Cluster: keys of different
slots cannot share a command, so a non-blocking pipeline, with a wait that adapts to the traffic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from landline.contracts.envelope import FIELD, Envelope, unseal

AnyRedis = Redis | RedisCluster
FOR = b"for"  # a replayed dead letter is meant for this group alone
GROUP_START = "0"  # a new group reads all that is still there: nothing acknowledged by nobody is skipped


class Entry:
    """One stream entry: where it stands and the event it carries (decoded when first asked for)."""

    __slots__ = ("_event", "fields", "id", "stream")

    def __init__(self, stream: str, entry_id: str, fields: dict[bytes, bytes]) -> None:
        self.stream = stream
        self.id = entry_id
        self.fields = fields
        self._event: Envelope | None = None

    @property
    def raw(self) -> bytes:
        """The sealed event as it came; KeyError when the entry carries none."""
        return self.fields[FIELD]

    @property
    def event(self) -> Envelope:
        """The envelope; msgspec.DecodeError when the entry carries none that can be read."""
        if self._event is None:
            self._event = unseal(self.raw)
        return self._event

    def meant_for(self, group: str) -> bool:
        """False for a dead letter of another group that is being replayed."""
        return self.fields.get(FOR, group.encode()) == group.encode()


def entries_of(reply: Any) -> list[Entry]:
    """The entries of an XREAD or XREADGROUP reply, in either protocol's shape, deleted ones left out."""
    pairs = reply.items() if isinstance(reply, dict) else (reply or [])
    found = []
    for stream, listed in pairs:
        rows = listed[0] if isinstance(reply, dict) and listed and isinstance(listed[0], list) else listed
        found += [Entry(stream.decode(), i.decode(), f) for i, f in rows if f]
    return found


async def create_groups(redis: AnyRedis, group: str, streams: Sequence[str]) -> None:
    """Make sure the group exists on every stream; streams that do not exist yet are created empty."""
    for stream in streams:
        try:
            await redis.xgroup_create(stream, group, id=GROUP_START, mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


async def last_id(redis: AnyRedis, stream: str) -> str:
    """The id of the newest entry that a stream has ever had, `0-0` when it had none.

    Not of the newest that is there: a stream whose readers have read all is trimmed to nothing, and a
    snapshot that says 0-0 would count as older than all that it replaces.
    """
    try:
        about: Any = await redis.xinfo_stream(stream)
    except ResponseError:
        return "0-0"  # no such stream
    return str(about["last-generated-id"].decode())


async def unread(redis: AnyRedis, group: str, stream: str) -> int:
    """Entries that a group has not acknowledged. Redis tells no lag of a group that was set back: then what
    follows the last one delivered is counted, up to a thousand."""
    groups: list[Any] = await redis.xinfo_groups(stream)
    mine = next((each for each in groups if each["name"].decode() == group), None)
    if mine is None:
        return int(await redis.xlen(stream))
    lag = mine.get("lag")
    if lag is None:
        after = f"({mine['last-delivered-id'].decode()}"
        lag = len(await redis.xrange(stream, min=after, count=1000) or ())
    return int(lag) + int(mine["pending"])


class GroupReader:
    """Reads new entries of many streams of one server for one member of a group."""

    def __init__(
        self,
        redis: Redis,
        group: str,
        member: str,
        streams: Sequence[str],
        count: int,
        *,
        slots: bool = False,
    ) -> None:
        """`slots`: the server is a node of a Cluster."""
        self._redis = redis
        self._group = group
        self._member = member
        self._streams = list(streams)
        self._count = count
        self._slots = slots
        self._idle_s = 0.005

    async def read(self, block_ms: int) -> list[Entry]:
        """New entries, at most `count` a stream; empty when none came within about `block_ms`."""
        if self._slots:
            return await self._read_each(block_ms)
        ids: dict[Any, Any] = dict.fromkeys(self._streams, ">")
        reply = await self._redis.xreadgroup(
            self._group, self._member, ids, count=self._count, block=block_ms
        )
        return entries_of(reply)

    async def _read_each(self, block_ms: int) -> list[Entry]:
        """One pipeline; then a wait that doubles from 5 ms while nothing comes."""
        pipe = self._redis.pipeline(transaction=False)
        for stream in self._streams:
            pipe.xreadgroup(self._group, self._member, {stream: ">"}, count=self._count)
        found = [entry for reply in await pipe.execute() for entry in entries_of(reply)]
        if found:
            self._idle_s = 0.005
        else:
            await asyncio.sleep(min(self._idle_s, block_ms / 1000))
            self._idle_s = min(self._idle_s * 2, 0.25)
        return found
