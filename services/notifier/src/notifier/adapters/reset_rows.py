"""Mails with a token for a new password go straight into the outbox: nobody has to be known first."""

from __future__ import annotations

from collections.abc import Sequence

from landline.chassis.postgres import Database, Scope
from landline.kernel.clock import utc
from landline.kernel.ids import new_id

from notifier.app.tell_resets import ResetMail
from notifier.domain.facts import message_id
from notifier.domain.kinds import PASSWORD_RESET

PLACE = """
select b.name, coalesce(c.language, b.language) as language
from (select 1) one left join brands b on b.id = $1::uuid left join clients c on c.id = $2::uuid
"""
# The reset's id is its fact: however often the event comes, one mail.
WRITE = """
insert into notifications (id, brand_id, client_id, kind, fact_key, address, language, from_name, subject,
    text, html, message_id, state, next_attempt_at, log, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'pending', $13, '[]', $13, $13)
on conflict (fact_key, lower(address)) do nothing
"""


class PostgresResetRows:
    """What telling a reset needs of Postgres."""

    def __init__(self, db: Database, mail_from: str) -> None:
        self._db, self._mail_from = db, mail_from

    async def place(self, brand_id: str | None, client_id: str | None) -> tuple[str | None, str | None]:
        """Name of the brand and language of the place, as far as they are known."""
        async with self._db.asyncpg(Scope.system()) as conn:
            row = await conn.fetchrow(PLACE, brand_id, client_id)
        return (row["name"], row["language"]) if row else (None, None)

    async def write(self, mails: Sequence[ResetMail], now_ms: int) -> int:
        """Into the outbox, once each; how many were new."""
        new = 0
        async with self._db.asyncpg(Scope.system()) as conn:
            for mail in mails:
                mail_id, words = new_id(), mail.words
                new += await conn.execute(
                    WRITE, mail_id, mail.brand_id, mail.client_id, PASSWORD_RESET.name,
                    f"{PASSWORD_RESET.name}:{mail.reset_id}", mail.address, words.language, mail.from_name,
                    words.subject, words.text, words.html, message_id(mail_id, self._mail_from), utc(now_ms),
                ) == "INSERT 0 1"  # fmt: skip
        return new
