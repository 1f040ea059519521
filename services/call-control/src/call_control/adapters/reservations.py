"""Money reserved for operations on balances: a hold by the operation's id, for a minute (domain section 8).

It counts as held until its posting comes back on the ledger stream; an operation that never posts gives the
money back when its time is over, by whichever process looks first.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog
from landline.chassis.redis import AutoBatch
from landline.kernel.clock import Clock
from landline.kernel.ids import PARTITIONS

from call_control.adapters import scripts
from call_control.adapters.keys import keys_of
from call_control.domain.replies import Status

RESERVED_MS: Final = 60_000
SWEEP_EVERY_S: Final = 5.0
_AT_ONCE: Final = 100
log = structlog.get_logger(__name__)


class Reservations:
    """Reserve and release; both may be repeated."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch

    async def reserve(
        self, partition: int, client_id: str, operation_id: str, amount_micros: int, now_ms: int
    ) -> tuple[Status, int]:
        """RESERVED or SHORT, and what is available (then: afterwards)."""
        values = [client_id, operation_id, amount_micros, now_ms + RESERVED_MS]
        raw = await scripts.RESERVE.run(self._batch, _names(partition, client_id), values)
        return Status(raw[0].decode()), int(raw[1])

    async def release(self, partition: int, client_id: str, operation_id: str) -> Status:
        """Give it back: RELEASED, or UNKNOWN when there is nothing of that id."""
        values = [client_id, operation_id]
        raw = await scripts.RELEASE.run(self._batch, _names(partition, client_id), values)
        return Status(raw[0].decode())

    async def sweep(self, now_ms: int) -> int:
        """Release what nobody has posted in time; how many."""
        due = await asyncio.gather(*(self._due(k, now_ms) for k in range(PARTITIONS)))
        over = [(k, name.decode()) for k, names in enumerate(due) for name in names]
        done = await asyncio.gather(*(self._release_named(k, name) for k, name in over))
        return sum(done)

    async def _release_named(self, partition: int, name: str) -> bool:
        client_id, _, operation_id = name.partition(" ")
        return await self.release(partition, client_id, operation_id) is Status.RELEASED

    async def _due(self, partition: int, now_ms: int) -> list[bytes]:
        key = keys_of(partition).reserve_due
        found: list[bytes] = await self._batch.execute(
            "ZRANGEBYSCORE", key, "-inf", now_ms, "LIMIT", 0, _AT_ONCE
        )
        return found

    async def run_sweep(self, clock: Clock, stop: asyncio.Event) -> None:
        """Every five seconds until `stop`."""
        while not stop.is_set():
            try:
                await self.sweep(clock.now_ms())
            except Exception as error:
                log.warning("reservations not swept", error=repr(error)[:200])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SWEEP_EVERY_S)


def _names(partition: int, client_id: str) -> list[str]:
    keys = keys_of(partition)
    return [keys.client(client_id), keys.reserved(client_id), keys.reserve_due]
