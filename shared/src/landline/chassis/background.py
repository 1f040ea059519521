"""Work beside the requests: it goes on until its process stops, whatever fails meanwhile (decision 0041).

A store that is away is waited out and told once. Anything else is a fault of ours: logged with its traceback,
counted (alert WorkFails), and tried again, because all background work of a service shares one process: a
fault in the removal of old keys must not stop the publishing of events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic

from landline.chassis.logging import get_logger
from landline.chassis.metrics import BACKGROUND_FAILURES
from landline.chassis.postgres import Database, RawConnection, Scope
from landline.chassis.surroundings import LAST_S, Backoff, is_surroundings

LONGEST_WAIT_S = 60.0
JOBS_POLL_S = 2.0

log = get_logger(__name__)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def rounds(
    work: str, one_round: Callable[[], Awaitable[object]], stop: asyncio.Event, *, every_s: float
) -> None:
    """A round at once and every `every_s` seconds; one that failed is repeated sooner. `work` names it."""
    trouble = _Trouble(work, min(every_s, LONGEST_WAIT_S))
    while not stop.is_set():
        wait_s = every_s
        try:
            await one_round()
            trouble.is_over()
        except Exception as error:
            wait_s = trouble.told(error)
        await pause(stop, wait_s)


async def keep_on(work: str, loop: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run a loop that ends by itself when told to stop; begin it anew whenever it raises."""
    trouble = _Trouble(work, LAST_S)
    while not stop.is_set():
        began = monotonic()
        try:
            await loop(stop)
        except Exception as error:
            if monotonic() - began > LAST_S:
                trouble.is_over()  # it had worked for a while: this is another trouble
            await pause(stop, trouble.told(error))


async def take_jobs(
    work: str,
    db: Database,
    channel: str,
    look: Callable[[RawConnection], Awaitable[None]],
    stop: asyncio.Event,
    *,
    poll_s: float = JOBS_POLL_S,
) -> None:
    """Let `look` do what waits in the database: at each NOTIFY on `channel`, and every `poll_s` seconds.

    Its connection is one of its own, in system scope: session-level locks that it takes end with it.
    """

    async def listen(stop: asyncio.Event) -> None:
        async with db.session(Scope.system()) as conn:
            wake = asyncio.Event()
            await conn.add_listener(channel, lambda *_: wake.set())
            while not stop.is_set():
                wake.clear()
                await look(conn)
                await _either(stop, wake, poll_s)

    await keep_on(work, listen, stop)


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.create_task(event.wait()) for event in (one, other)]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()


class _Trouble:
    """What goes wrong in a row: how long to wait, and what is said of it."""

    def __init__(self, work: str, longest_s: float) -> None:
        self._work = work
        self._backoff = Backoff(last_s=longest_s)
        self._is_known = False

    def told(self, error: Exception) -> float:
        """Log and count; the seconds to wait before the next try."""
        if not is_surroundings(error):
            BACKGROUND_FAILURES.labels(self._work).inc()
            log.error("background work failed", work=self._work, exc_info=error)
        elif not self._is_known:
            log.warning("background work waits", work=self._work, error=repr(error)[:300])
        self._is_known = True
        return self._backoff.next_s()

    def is_over(self) -> None:
        """It works again."""
        self._backoff.reset()
        self._is_known = False
