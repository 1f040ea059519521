"""Settling what was spooled while Redis was away: as soon as it is back, by whichever process is first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, Protocol

import structlog
from landline.kernel.clock import Clock

from call_control.app.call_port import Calls
from call_control.app.late_prices import LatePrices
from call_control.app.record_end import EndReport, record_end
from call_control.app.recorded import CallBusy, Recorded

EVERY_S: Final = 1.0
log = structlog.get_logger(__name__)


class Spooled(Protocol):
    """`adapters.spool.Spool`, as far as needed here."""

    def kept(self) -> Iterable[tuple[str, EndReport]]: ...
    def done(self, call_id: str) -> None: ...
    def put_aside(self, call_id: str) -> None: ...


async def settle_spooled(
    calls: Calls, spool: Spooled, late: LatePrices, now_ms: int, ticket_key: bytes
) -> int:
    """Settle all that waits; returns how many. Raises what an absent Redis raises: the rest stays."""
    settled = 0
    for call_id, report in list(spool.kept()):
        try:
            recorded = await record_end(calls, call_id, report, now_ms, ticket_key, late)
        except CallBusy:
            continue
        if recorded is Recorded.DONE:
            spool.done(call_id)
            settled += 1
        else:
            log.error("spooled call can't be settled", call_id=call_id)
            spool.put_aside(call_id)
    return settled


async def run_spool(
    calls: Calls, spool: Spooled, late: LatePrices, clock: Clock, ticket_key: bytes, stop: asyncio.Event
) -> None:
    """Look once a second until told to stop; a Redis that is away is asked again."""
    while not stop.is_set():
        try:
            settled = await settle_spooled(calls, spool, late, clock.now_ms(), ticket_key)
            if settled:
                log.info("calls of an outage settled", calls=settled)
        except Exception as error:  # whatever it is, it must be tried again
            log.warning("spooled calls wait", error=repr(error)[:200])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_S)
