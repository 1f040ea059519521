"""From `password_reset.requested.v1` to a mail in the outbox; one that came too late is not sent at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from landline.contracts.envelope import Envelope
from landline.contracts.provisioning.events import PasswordResetRequested
from landline.kernel.clock import Clock

from notifier.domain.contents import Contents
from notifier.domain.kinds import PASSWORD_RESET
from notifier.domain.password_reset import PLATFORM_NAME, link, words
from notifier.domain.render import Rendered, one_line

MAX_FROM_NAME = 70
Unseal = Callable[[str, str], str]
"""(sealed, place) -> plain: `chassis.secrets.Keyring.unseal`."""


@dataclass(frozen=True)
class ResetMail:
    """One mail to be written."""

    reset_id: str
    brand_id: str | None
    client_id: str | None
    address: str
    from_name: str
    words: Rendered


class ResetRows(Protocol):
    """`adapters.reset_rows.PostgresResetRows`."""

    async def place(self, brand_id: str | None, client_id: str | None) -> tuple[str | None, str | None]:
        """Name of the brand and language of the place, as far as they are known."""
        ...

    async def write(self, mails: Sequence[ResetMail], now_ms: int) -> int:
        """Into the outbox, once each; how many were new."""
        ...


class ResetTeller:
    """Writes the mails of a batch of events. Idempotent by the reset's id."""

    def __init__(
        self, rows: ResetRows, clock: Clock, builtin: Contents, unseal: Unseal, public_url: str
    ) -> None:
        self._rows, self._clock, self._builtin = rows, clock, builtin
        self._unseal, self._public_url = unseal, public_url

    async def tell(self, events: Sequence[Envelope]) -> int:
        """How many mails were written. CannotUnseal for a token sealed with a key we don't have."""
        now_ms = self._clock.now_ms()
        mails = [await self._mail(event, now_ms) for event in events]
        return await self._rows.write([mail for mail in mails if mail is not None], now_ms)

    async def _mail(self, event: Envelope, now_ms: int) -> ResetMail | None:
        asked = event.read(PasswordResetRequested)
        left_s = (asked.expires_at_ms - now_ms) // 1000
        if left_s <= 0:
            return None
        brand_name, language = await self._rows.place(event.brand_id, event.client_id)
        token = self._unseal(asked.token_sealed, f"password-reset:{asked.reset_id}")
        rendered = words(
            self._builtin,
            language,
            brand_name=brand_name,
            username=asked.username,
            name=asked.name,
            address_of_token=link(self._public_url, token),
            token=token,
            minutes=min(PASSWORD_RESET.give_up_s, left_s + 59) // 60,
            origin=asked.origin,
        )
        name = one_line(brand_name or PLATFORM_NAME, MAX_FROM_NAME)
        return ResetMail(asked.reset_id, event.brand_id, event.client_id, asked.address, name, rendered)
