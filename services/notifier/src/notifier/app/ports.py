"""What the use cases need from the outside; `adapters/` provides it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from notifier.domain.delivery import Outcome, Verdict
from notifier.domain.levels import StoredTemplate
from notifier.domain.people import Brand, Client
from notifier.domain.render import Rendered


@dataclass(frozen=True)
class Fact:
    """Something that happened and is to be told once. `payload` is what its kind's words need."""

    key: str
    kind: str
    brand_id: str
    client_id: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class WaitingFact:
    """A fact whose client and brand are known."""

    fact: Fact
    client: Client
    brand: Brand
    tries: int


@dataclass(frozen=True)
class NewMail:
    """A mail to be written into the outbox; `refused` says why it will never be sent."""

    fact: Fact
    address: str
    from_name: str
    words: Rendered
    log: Sequence[str] = ()
    refused: str | None = None


@dataclass(frozen=True)
class Mail:
    """A claimed mail. `claim` names this try: only its holder may go on with it. Moments in Unix ms."""

    id: str
    claim: str
    kind: str
    brand_id: str | None
    client_id: str | None
    address: str
    from_name: str
    subject: str
    text: str
    html: str
    message_id: str
    created_ms: int
    attempts: int
    uncertain_count: int
    first_attempt_ms: int


class FactTransaction(Protocol):
    """One fact at a time, locked from `take` to the end of the transaction."""

    async def take(self, now_ms: int) -> WaitingFact | None:
        """The next fact that can be told; None when there is none."""
        ...

    async def templates(self, client: Client, kind: str) -> list[StoredTemplate]:
        """The templates of that kind which the client may use: its own and its brand's."""
        ...

    async def write(self, mails: Sequence[NewMail], now_ms: int) -> int:
        """Into the outbox; mails that are there already are left alone. How many were new."""
        ...

    async def told(self, fact: Fact, now_ms: int) -> None:
        """This fact is done."""
        ...

    async def postpone(self, fact: Fact, look_ms: int, trouble: str) -> None:
        """Something is wrong with telling it: look again later."""
        ...


class FactRows(Protocol):
    """Where facts wait."""

    def transaction(self) -> AbstractAsyncContextManager[FactTransaction]:
        """A transaction of its own."""
        ...

    async def note(self, facts: Sequence[Fact], now_ms: int) -> int:
        """Keep facts that are new; how many were."""
        ...


class MailRows(Protocol):
    """The outbox of mails as a sender sees it. Each call is a transaction."""

    async def claim(self, now_ms: int, until_ms: int) -> Mail | None:
        """The mail that is due longest, now ours until `until_ms`; None when nothing is due."""
        ...

    async def hand_over(self, mail: Mail, now_ms: int, until_ms: int) -> bool:
        """The message goes to the server now: from here on a crash leaves it uncertain. False: not ours."""
        ...

    async def settle(
        self, mail: Mail, outcome: Outcome, verdict: Verdict, now_ms: int, *, only_expired: bool = False
    ) -> bool:
        """The try's end. False when somebody else has taken the mail over meanwhile, or, with
        `only_expired`, when its sender turned out to be alive."""
        ...

    async def abandoned(self, now_ms: int) -> list[tuple[Mail, bool]]:
        """Mails whose sender is past its deadline, and whether the message had been handed over."""
        ...


class Transport(Protocol):
    """A connection to the mail server, kept open between mails. Used by one sender."""

    async def prepare(self, mail: Mail) -> Outcome | None:
        """Connect, name sender and recipient. None: the server waits for the message."""
        ...

    async def deliver(self) -> Outcome:
        """Hand over the message that was prepared."""
        ...

    async def close(self) -> None:
        """End the connection if there is one; never raises."""
        ...
