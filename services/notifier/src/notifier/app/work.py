"""notifier's loops beside its consumers: telling facts, sending mails, taking back abandoned ones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from landline.chassis.surroundings import Backoff, is_surroundings
from landline.kernel.clock import Clock

from notifier.app.bell import Bell
from notifier.app.ports import MailRows
from notifier.app.send_mails import recover
from notifier.app.tell_facts import Teller

TELL_S = 1.0
RECOVER_S = 5.0
log = structlog.get_logger(__name__)


async def keep_on(name: str, run: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run a loop until told to stop; whatever it raises is waited out: mails must go on tomorrow too."""
    backoff = Backoff()
    while not stop.is_set():
        try:
            await run(stop)
        except Exception as error:
            log.warning("loop waits", loop=name, error=repr(error)[:300], exc_info=not is_surroundings(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), backoff.next_s())


class Desk:
    """Tells waiting facts as soon as they come and rings for the senders."""

    def __init__(self, teller: Teller, facts: Bell, mails: Bell) -> None:
        self._teller, self._facts, self._mails = teller, facts, mails

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. Facts whose client came late are found within a second."""
        while not stop.is_set():
            if await self._teller.tell_all():
                self._mails.ring()
            await self._facts.wait(TELL_S)


async def recover_until(rows: MailRows, clock: Clock, stop: asyncio.Event) -> None:
    """Take back abandoned mails every few seconds."""
    while not stop.is_set():
        await recover(rows, clock)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RECOVER_S)
