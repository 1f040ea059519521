"""Sending what is due: claim, hand over, settle (states in domain/delivery, why in docs/decisions/0010).

Every step is a transaction of its own, so that a crash anywhere leaves a row that tells how far it came.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import structlog
from landline.chassis.logging import bound
from landline.kernel.clock import Clock
from prometheus_client import Counter

from notifier.app.bell import Bell
from notifier.app.ports import Mail, MailRows, Transport
from notifier.domain.delivery import History, Outcome, Result, Verdict, verdict
from notifier.domain.kinds import ALL_KINDS

log = structlog.get_logger(__name__)
TRIES = Counter("landline_mail_tries_total", "Tries at mails, by the state they led to", ["kind", "state"])


@dataclass(frozen=True)
class Timing:
    """Limits in seconds. After the message is handed over RFC 5321 4.5.3.2.6 asks for 10 minutes of
    patience: a reply missed by impatience is a second mail."""

    prepare_s: float = 60.0
    deliver_s: float = 600.0
    margin_s: float = 60.0
    poll_s: float = 1.0
    idle_s: float = 20.0


class Sender:
    """One sender with one connection; any number may run, in any number of processes."""

    def __init__(
        self, rows: MailRows, transport: Transport, clock: Clock, bell: Bell, timing: Timing | None = None
    ) -> None:
        self._rows, self._transport, self._clock, self._bell = rows, transport, clock, bell
        self._timing = timing or Timing()

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is due until told to stop; a mail in hand is finished first."""
        idle_s = 0.0
        try:
            while not stop.is_set():
                outcome = await self.send_next()
                if outcome is None:
                    idle_s += self._timing.poll_s
                    if idle_s > self._timing.idle_s:
                        await self._transport.close()
                elif outcome.server_away:
                    await self._transport.close()
                else:
                    idle_s = 0.0
                    continue
                await self._bell.wait(self._timing.poll_s)
        finally:
            await self._transport.close()

    async def send_next(self) -> Outcome | None:
        """Try the mail that is due longest; None when nothing is due."""
        now_ms = self._clock.now_ms()
        mail = await self._rows.claim(now_ms, self._until(now_ms, self._timing.prepare_s))
        if mail is None:
            return None
        with bound(brand_id=mail.brand_id, notification_id=mail.id):
            outcome = await self._try(mail)
            if outcome is not None:
                await settle(self._rows, mail, outcome, self._clock.now_ms())
            return outcome or Outcome(Result.TEMPORARY, "taken over by another sender")

    async def _try(self, mail: Mail) -> Outcome | None:
        try:
            async with asyncio.timeout(self._timing.prepare_s):
                refused = await self._transport.prepare(mail)
        except TimeoutError:
            await self._transport.close()
            return Outcome(Result.TEMPORARY, "no answer from the mail server", server_away=True)
        if refused is not None:
            return refused
        now_ms = self._clock.now_ms()
        if not await self._rows.hand_over(mail, now_ms, self._until(now_ms, self._timing.deliver_s)):
            await self._transport.close()
            return None
        try:
            async with asyncio.timeout(self._timing.deliver_s):
                return await self._transport.deliver()
        except TimeoutError:
            await self._transport.close()
            return Outcome(Result.UNKNOWN, "no answer after the message was handed over")

    def _until(self, now_ms: int, patience_s: float) -> int:
        return now_ms + round((patience_s + self._timing.margin_s) * 1000)


async def settle(
    rows: MailRows, mail: Mail, outcome: Outcome, now_ms: int, *, only_expired: bool = False
) -> None:
    """Write down how a try ended and what follows."""
    decided = judge(mail, outcome, now_ms)
    kept = await rows.settle(mail, outcome, decided, now_ms, only_expired=only_expired)
    if kept:
        TRIES.labels(mail.kind, decided.state.value).inc()
    log.info(
        "mail tried",
        state=decided.state,
        attempt=mail.attempts,
        detail=outcome.detail,
        kept=kept,
        kind=mail.kind,
    )


def judge(mail: Mail, outcome: Outcome, now_ms: int) -> Verdict:
    """The verdict by the mail's kind."""
    history = History(mail.attempts, mail.uncertain_count, mail.first_attempt_ms)
    give_up_s = ALL_KINDS[mail.kind].give_up_s
    return verdict(outcome, history, now_ms=now_ms, give_up_s=give_up_s, jitter=random.random())


async def recover(rows: MailRows, clock: Clock) -> int:
    """Take back mails whose sender died or hangs past its deadline; how many there were."""
    now_ms = clock.now_ms()
    found = await rows.abandoned(now_ms)
    for mail, handed_over in found:
        outcome = (
            Outcome(Result.UNKNOWN, "the sender stopped after it handed the message over")
            if handed_over
            else Outcome(Result.TEMPORARY, "the sender stopped before it handed the message over")
        )
        await settle(rows, mail, outcome, now_ms, only_expired=True)
    return len(found)
