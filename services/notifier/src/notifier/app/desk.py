"""notifier's work beside its consumers and senders: telling facts, taking back abandoned mails."""

from __future__ import annotations

import asyncio

from landline.chassis.background import rounds
from landline.kernel.clock import Clock

from notifier.app.bell import Bell
from notifier.app.ports import MailRows
from notifier.app.send_mails import recover
from notifier.app.tell_facts import Teller

TELL_S = 1.0
RECOVER_S = 5.0


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
    """Background work: take back abandoned mails every few seconds."""
    await rounds("abandoned mails", lambda: recover(rows, clock), stop, every_s=RECOVER_S)
