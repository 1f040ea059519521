"""Wrong passwords by source address, and the bans they lead to. Counters end by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from landline.chassis.redis import AutoBatch

from call_control.adapters import keys
from call_control.adapters.call_reads import as_map
from call_control.domain.guessing import WINDOW_MS, ban_ms

MOST_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Ban:
    """A banned address: until when (Unix ms), and how often it failed as which `user@domain`."""

    address: str
    until_ms: int
    failures: Mapping[str, int]


class AuthFailures:
    """Counts failures of an address."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def failed(self, source_ip: str, user: str, domain: str, now_ms: int) -> int | None:
        """Count one; the moment (Unix ms) until which the address is banned, or None."""
        key = keys.auth_failures(source_ip)
        _, _, found = await self._batch.execute_all(
            ("HINCRBY", key, f"{user[:64]}@{domain[:190]}", 1),
            ("PEXPIRE", key, WINDOW_MS, "NX"),
            ("HGETALL", key),
        )
        length = ban_ms([int(value) for value in as_map(found).values()])
        if length:
            until = now_ms + length
            await self._ban(source_ip, until, length)
            return until
        return await self.banned_until(source_ip)

    async def banned_until(self, source_ip: str) -> int | None:
        """The moment until which an address is banned, or None."""
        raw = await self._batch.execute("GET", keys.banned(source_ip))
        return None if raw is None else int(raw)

    async def _ban(self, source_ip: str, until_ms: int, length_ms: int) -> None:
        """The counts live as long as the ban, so that people see what it is for."""
        failures, bans = keys.auth_failures(source_ip), keys.BANS
        await self._batch.execute("SET", keys.banned(source_ip), until_ms, "PX", length_ms)
        await self._batch.execute("PEXPIRE", failures, length_ms)
        await self._batch.execute("ZADD", bans, until_ms, source_ip)
        await self._batch.execute("ZREMRANGEBYSCORE", bans, "-inf", until_ms - length_ms)

    async def bans(self, now_ms: int) -> list[Ban]:
        """All bans in force, the longest first; at most MOST_LISTED."""
        listed = await self._batch.execute(
            "ZREVRANGEBYSCORE", keys.BANS, "+inf", now_ms, "LIMIT", 0, MOST_LISTED
        )
        found = await asyncio.gather(*(self._ban_of(raw.decode()) for raw in listed))
        return [ban for ban in found if ban is not None]

    async def _ban_of(self, address: str) -> Ban | None:
        until = await self.banned_until(address)
        if until is None:
            return None
        raw = as_map(await self._batch.execute("HGETALL", keys.auth_failures(address)))
        return Ban(address, until, {name.decode(): int(count) for name, count in raw.items()})

    async def lift(self, address: str) -> bool:
        """End a ban, and forget the failures: the next one would ban it again. False: there was none."""
        lifted, _, _ = await self._batch.execute_all(
            ("DEL", keys.banned(address)),
            ("DEL", keys.auth_failures(address)),
            ("ZREM", keys.BANS, address),
        )
        return bool(lifted)
