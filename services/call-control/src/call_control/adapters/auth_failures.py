"""Wrong passwords by source address, and the bans they lead to. Counters end by themselves."""

from __future__ import annotations

from landline.chassis.redis import AutoBatch

from call_control.adapters import keys
from call_control.adapters.call_reads import as_map
from call_control.domain.guessing import WINDOW_MS, ban_ms


class AuthFailures:
    """Counts failures of an address."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def failed(self, source_ip: str, user: str, domain: str, now_ms: int) -> int | None:
        """Count one; the moment (Unix ms) until which the address is banned, or None."""
        key = keys.auth_failures(source_ip)
        counted = self._batch.execute("HINCRBY", key, f"{user[:64]}@{domain[:190]}", 1)
        life = self._batch.execute("PEXPIRE", key, WINDOW_MS, "NX")
        found = self._batch.execute("HGETALL", key)
        await counted
        await life
        length = ban_ms([int(value) for value in as_map(await found).values()])
        if length:
            until = now_ms + length
            await self._batch.execute("SET", keys.banned(source_ip), until, "PX", length)
            return until
        return await self.banned_until(source_ip)

    async def banned_until(self, source_ip: str) -> int | None:
        """The moment until which an address is banned, or None."""
        raw = await self._batch.execute("GET", keys.banned(source_ip))
        return None if raw is None else int(raw)
