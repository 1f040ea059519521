"""Reading live calls, counters and balances. Plain commands, all through the batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from landline.chassis.redis import AutoBatch
from landline.kernel.clock import utc
from landline.kernel.ids import PARTITIONS, CallId

from call_control.adapters import read_model_keys, scripts
from call_control.adapters.keys import edge_state, keys_of
from call_control.adapters.row_kinds import row_of
from call_control.app.list_calls import Place
from call_control.domain.live_call import LiveCall, parse_call
from call_control.domain.local_day import local_day
from call_control.domain.replies import ClientUsage

READ_AT_ONCE = 1_000
SCANNED_AT_ONCE = 500
OF_EDGE_AT_ONCE = 500


class CallReads:
    """The reading half of CallStore."""

    def __init__(self, batch: AutoBatch) -> None:
        self.batch = batch

    async def read_call(self, call_id: str) -> LiveCall | None:
        """The call, live or ended less than 24 h ago; None when unknown. Raises NotACallId."""
        key = keys_of(CallId.parse(call_id).partition).call(call_id)
        found = await self.batch.execute("HGETALL", key)
        return parse_call(call_id, as_map(found)) if found else None

    async def carrier_of(self, call: LiveCall, server_id: str) -> str | None:
        """The carrier of a server of the call's brand; None when the brand has no such server."""
        key = read_model_keys.brand(call.partition, call.facts.brand_id)
        server = row_of(await self.batch.execute("HGET", key, f"server:{server_id}"))
        return None if server is None else str(server["carrier_id"])

    async def read_calls(self, call_ids: Iterable[str]) -> list[LiveCall]:
        """Those of the calls that exist; up to a thousand in one round trip."""
        wanted, found = list(call_ids), []
        for start in range(0, len(wanted), READ_AT_ONCE):
            part = wanted[start : start + READ_AT_ONCE]
            found += await asyncio.gather(*(self.read_call(call_id) for call_id in part))
        return [call for call in found if call is not None]

    async def live_calls(
        self, partitions: Sequence[int] = range(PARTITIONS), limit: int = 1000
    ) -> list[LiveCall]:
        """Calls that are not over, oldest first within a partition, at most `limit` per partition."""
        named = await asyncio.gather(
            *(self.batch.execute("ZRANGE", keys_of(k).live, 0, limit - 1) for k in partitions)
        )
        return await self.read_calls(_texts(named))

    async def live_parts(self, partition: int) -> AsyncIterator[list[LiveCall]]:
        """All calls of a partition that are not over, some at a time, in no order; one that is admitted or
        ends meanwhile may be there or not. 100,000 at once would hold up Redis, and fill our memory."""
        cursor, seen = b"0", set[bytes]()
        while True:
            cursor, page = await self.batch.execute(
                "ZSCAN", keys_of(partition).live, cursor, "COUNT", SCANNED_AT_ONCE
            )
            new = dict.fromkeys(member for member, _ in scored(page) if member not in seen)
            seen.update(new)
            yield await self.read_calls(member.decode() for member in new)
            if int(cursor) == 0:
                return

    async def newest_live(self, partition: int, after: Place | None, count: int) -> list[Place]:
        """The places of a partition's newest calls behind a place, newest first."""
        ms, call_id = ("", "") if after is None else after
        found = await scripts.LIST_LIVE.run(self.batch, [keys_of(partition).live], [ms, call_id, count])
        pairs = zip(found[1::2], found[2::2], strict=True)
        return [Place(int(float(score)), call_id.decode()) for call_id, score in pairs]

    async def count_live(self, partitions: Sequence[int]) -> int:
        """How many calls the partitions have."""
        found = await asyncio.gather(*(self.batch.execute("ZCARD", keys_of(k).live) for k in partitions))
        return sum(found)

    async def due_calls(self, until_ms: int, limit: int = 500) -> list[tuple[int, str]]:
        """(due_ms, call id) of the calls that the keeper must look at by then, at most `limit` a
        partition."""
        named = await asyncio.gather(
            *(
                self.batch.execute(
                    "ZRANGEBYSCORE", keys_of(k).due, "-inf", until_ms, "WITHSCORES", "LIMIT", 0, limit
                )
                for k in range(PARTITIONS)
            )
        )
        return [
            (int(float(score)), call_id.decode())
            for part in named
            for call_id, score in zip(part[::2], part[1::2], strict=True)
        ]

    async def calls_of_edge(
        self, edge_id: str, untouched_since_ms: int | None = None, most: int = OF_EDGE_AT_ONCE
    ) -> list[str]:
        """Ids of an edge's live calls, or only of those last touched at or before a moment; at most so many
        of a partition, those touched longest ago."""
        highest: int | str = "+inf" if untouched_since_ms is None else untouched_since_ms
        named = await asyncio.gather(
            *(
                self.batch.execute(
                    "ZRANGEBYSCORE", keys_of(k).edge(edge_id), "-inf", highest, "LIMIT", 0, most
                )
                for k in range(PARTITIONS)
            )
        )
        return _texts(named)

    async def edge_seen_ms(self, edge_ids: Iterable[str]) -> dict[str, int]:
        """When each edge was last heard, 0 for never."""
        wanted = sorted(set(edge_ids))
        found = await asyncio.gather(
            *(self.batch.execute("HGET", edge_state(edge_id), "seen_ms") for edge_id in wanted)
        )
        return {edge_id: int(seen or 0) for edge_id, seen in zip(wanted, found, strict=True)}

    async def client_usage(self, partition: int, client_id: str, timezone: str, now_ms: int) -> ClientUsage:
        """Counters of a client and of its local day."""
        keys, day = keys_of(partition), local_day(now_ms, timezone)
        counters, spent, rejected = await asyncio.gather(
            self.batch.execute("HGETALL", keys.client(client_id)),
            self.batch.execute("HGETALL", keys.day(client_id, day.name)),
            self.batch.execute("GET", keys.rejected(client_id, utc(now_ms).date().isoformat())),
        )
        client, today = as_map(counters), as_map(spent)
        return ClientUsage(
            active_calls=int(client.get(b"active", 0)),
            settled_micros=int(client.get(b"settled_micros", 0)),
            unposted_micros=int(client.get(b"unposted_micros", 0)),
            held_micros=int(client.get(b"held_micros", 0)),
            applied_seq=int(client.get(b"applied_seq", 0)),
            day=day.name,
            day_spend_micros=int(today.get(b"spend_micros", 0)),
            day_held_micros=int(today.get(b"held_micros", 0)),
            day_begun_micros=int(today.get(b"begun_micros", 0)),
            rejected=int(rejected or 0),
            recent=client.get(b"recent", b"").decode(),
            hour_micros=_of_hour(client, now_ms),
            device_lines=_lines(client),
        )


def _lines(client: dict[bytes, bytes]) -> dict[str, int]:
    taken = ((name.decode(), int(count)) for name, count in client.items() if name.startswith(b"device:"))
    return {name.removeprefix("device:"): count for name, count in taken}


def _of_hour(client: dict[bytes, bytes], now_ms: int) -> int:
    same = client.get(b"hour") == b"%d" % (now_ms // 3_600_000)
    return int(client.get(b"hour_micros", 0)) if same else 0


def as_map(found: dict[bytes, bytes] | list[bytes]) -> dict[bytes, bytes]:
    """HGETALL's reply, whichever shape the client gave it."""
    if isinstance(found, dict):
        return found
    return dict(zip(found[::2], found[1::2], strict=True))


def scored(found: Any) -> list[tuple[bytes, float]]:
    """ZSCAN's page, whichever shape the client gave it."""
    if not found or isinstance(found[0], tuple | list):
        return list(found)
    return [(member, float(score)) for member, score in zip(found[::2], found[1::2], strict=True)]


def _texts(named: list[list[bytes]]) -> list[str]:
    return [call_id.decode() for part in named for call_id in part]
