"""From a waiting fact to mails in the outbox: one fact, one transaction.

A fact that cannot be told (a bug, a damaged template) is put aside for a while and the others go on. A
tenant's template that does not render is replaced by the built-in one: the mail matters more than its words.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import structlog
from landline.chassis.surroundings import is_surroundings
from landline.kernel.clock import Clock

from notifier.app.ports import Fact, FactRows, FactTransaction, NewMail, WaitingFact
from notifier.domain import daily_usage
from notifier.domain.address import split
from notifier.domain.contents import Contents, Level, choose
from notifier.domain.delivery import delay_s
from notifier.domain.kinds import Variables, kind
from notifier.domain.levels import levels
from notifier.domain.people import Brand, Client
from notifier.domain.render import DoesNotRender, Rendered, one_line, render

log = structlog.get_logger(__name__)
MAX_FROM_NAME = 70
Builtin = Callable[[str], Contents]


def variables_of(fact: Fact, client: Client, brand: Brand) -> Variables:
    """What the fact's kind tells; UnknownKind for a kind without words."""
    kind(fact.kind)
    return daily_usage.variables(**fact.payload, client=client, brand=brand)


class Teller:
    """Tells waiting facts until none is left."""

    def __init__(self, rows: FactRows, clock: Clock, builtin: Builtin) -> None:
        self._rows, self._clock, self._builtin = rows, clock, builtin

    async def tell_all(self) -> int:
        """How many mails were written. Failures of the surroundings are raised, others put aside."""
        written = 0
        while True:
            found = await self._tell_next()
            if found is None:
                return written
            written += found

    async def _tell_next(self) -> int | None:
        waiting: WaitingFact | None = None
        try:
            async with self._rows.transaction() as tx:
                now_ms = self._clock.now_ms()
                waiting = await tx.take(now_ms)
                if waiting is None:
                    return None
                written = await tx.write(await self._mails(tx, waiting), now_ms)
                await tx.told(waiting.fact, now_ms)
                return written
        except Exception as error:
            if waiting is None or is_surroundings(error):
                raise
            await self._put_aside(waiting, error)
            return 0

    async def _put_aside(self, waiting: WaitingFact, error: Exception) -> None:
        log.error("fact put aside", fact=waiting.fact.key, error=repr(error)[:500])
        wait_ms = round(delay_s(waiting.tries + 1, random.random()) * 1000)
        async with self._rows.transaction() as tx:
            await tx.postpone(waiting.fact, self._clock.now_ms() + wait_ms, repr(error)[:500])

    async def _mails(self, tx: FactTransaction, waiting: WaitingFact) -> list[NewMail]:
        fact, client, brand = waiting.fact, waiting.client, waiting.brand
        good, bad = split(client.daily_usage_emails)
        if not good and not bad:
            return []
        stored = await tx.templates(client, fact.kind)
        found = levels(stored, fact.kind, client, brand, self._builtin(fact.kind))
        words, notes = compose(found, client.language or brand.language, variables_of(fact, client, brand))
        name = one_line(brand.name, MAX_FROM_NAME)
        refused = [NewMail(fact, text[:254], name, words, notes, "not a mail address") for text in bad]
        return [NewMail(fact, address, name, words, notes) for address in good] + refused


def compose(found: list[Level], language: str, variables: Variables) -> tuple[Rendered, list[str]]:
    """The words, and what its log should say about them."""
    try:
        return render(choose(found, language), variables), []
    except DoesNotRender as error:
        log.warning("template does not render, using the built-in one", error=str(error))
        return render(choose(found[-1:], language), variables), [
            f"template replaced by the built-in one: {error}"
        ]
