"""What is kept of an edge between its heartbeats: `landline:edge:<edge_id>`, gone a week after the last
one."""

from __future__ import annotations

from typing import Final

from landline.chassis.redis import AutoBatch

from call_control.adapters.keys import edge_state

KEPT_MS: Final = 7 * 86_400_000


class EdgeStates:
    """Edge id -> a small hash of texts. Only heartbeats of that edge write it."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def read(self, edge_id: str) -> dict[str, str]:
        """Empty for an edge never heard."""
        found = await self._batch.execute("HGETALL", edge_state(edge_id))
        return {name.decode(): value.decode() for name, value in found.items()}

    async def write(self, edge_id: str, changes: dict[str, str]) -> None:
        """Set these fields and let the week begin anew."""
        key = edge_state(edge_id)
        pairs = [text for pair in changes.items() for text in pair]
        await self._batch.execute_all(("HSET", key, *pairs), ("PEXPIRE", key, KEPT_MS))
