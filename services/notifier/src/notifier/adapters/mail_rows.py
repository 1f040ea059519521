"""The outbox of mails in Postgres. Senders share it by `for update skip locked`; a claim fences each try."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
from landline.chassis.outbox import add_many
from landline.chassis.postgres import Database, Scope
from landline.contracts import streams
from landline.contracts.envelope import Event, seal
from landline.contracts.notifier.events import NotificationFailed, NotificationSent
from landline.kernel.clock import iso, to_ms, utc
from landline.kernel.ids import new_id

from notifier.app.ports import Mail
from notifier.domain.delivery import Outcome, Result, State, Verdict
from notifier.domain.kinds import SECRET_KINDS

Row = asyncpg.Record
_OVER = f"kind in ({', '.join(repr(kind) for kind in sorted(SECRET_KINDS))}) and $5::timestamptz is null"
COLUMNS = (
    "id, claim, kind, brand_id, client_id, address, from_name, subject, text, html, message_id,"
    " created_at, attempts, uncertain_count, first_attempt_at"
)
# The mail that is due longest, which no other sender is looking at.
CLAIM = f"""
update notifications set state = 'sending', claim = $1, claimed_until = $2, attempts = attempts + 1,
    first_attempt_at = coalesce(first_attempt_at, $3), next_attempt_at = null, handed_over_at = null,
    updated_at = $3, version = version + 1
where id = (select id from notifications where next_attempt_at <= $3 and state in ('pending', 'uncertain')
            order by next_attempt_at, id limit 1 for update skip locked)
returning {COLUMNS}
"""
# A sender past its deadline must not begin: its mail may be in other hands already.
HAND_OVER = """
update notifications set handed_over_at = $3, claimed_until = $4
where id = $1 and claim = $2 and state = 'sending' and claimed_until > $3
"""
# Only the claim's holder settles. A late "accepted" still counts while nobody has begun the next try:
# it saves the second copy.
# What opens an account is forgotten as soon as it is sent or given up.
SETTLE = f"""
update notifications set state = $3,
    text = case when {_OVER} then '' else text end, html = case when {_OVER} then '' else html end,
    uncertain_count = $4, next_attempt_at = $5, error = $6,
    log = case when jsonb_array_length(log) < 60 then log || $7::jsonb else log end,
    sent_at = case when $3 = 'sent' then $8 end, claimed_until = null, updated_at = $8, version = version + 1
where id = $1 and claim = $2
  and (state = 'sending' and (not $9 or claimed_until <= $8)
       or $3 = 'sent' and state in ('pending', 'uncertain'))
"""
ABANDONED = f"""
select {COLUMNS}, handed_over_at is not null as handed_over from notifications
where state = 'sending' and claimed_until <= $1 order by claimed_until limit 100
"""


class PostgresMailRows:
    """`MailRows` on Postgres."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(self, now_ms: int, until_ms: int) -> Mail | None:
        """See MailRows."""
        async with self._db.asyncpg(Scope.system()) as conn:
            row = await conn.fetchrow(CLAIM, new_id(), utc(until_ms), utc(now_ms))
        return _mail(row) if row else None

    async def hand_over(self, mail: Mail, now_ms: int, until_ms: int) -> bool:
        """See MailRows."""
        async with self._db.asyncpg(Scope.system()) as conn:
            done = await conn.execute(HAND_OVER, mail.id, mail.claim, utc(now_ms), utc(until_ms))
        return done == "UPDATE 1"

    async def settle(
        self, mail: Mail, outcome: Outcome, verdict: Verdict, now_ms: int, *, only_expired: bool = False
    ) -> bool:
        """See MailRows. The event about a final state leaves in the same transaction."""
        next_at = None if verdict.next_attempt_ms is None else utc(verdict.next_attempt_ms)
        error = None if verdict.state is State.SENT else outcome.detail[:1000]
        line = log_line(now_ms, f"try {mail.attempts}: {outcome.result}: {outcome.detail}")
        async with self._db.asyncpg(Scope.system()) as conn:
            done = await conn.execute(
                SETTLE, mail.id, mail.claim, verdict.state.value, verdict.uncertain_count, next_at, error,
                line, utc(now_ms), only_expired,
            )  # fmt: skip
            if done != "UPDATE 1":
                return False
            if verdict.final:
                await add_many(conn, [(streams.MESSAGES, _event(mail, outcome, now_ms))])
        return True

    async def abandoned(self, now_ms: int) -> list[tuple[Mail, bool]]:
        """See MailRows."""
        async with self._db.asyncpg(Scope.system()) as conn:
            rows = await conn.fetch(ABANDONED, utc(now_ms))
        return [(_mail(row), row["handed_over"]) for row in rows]


def log_line(now_ms: int, text: str) -> str:
    """One line of a mail's log, as a JSON array to be appended."""
    return json.dumps([{"at": iso(now_ms), "text": text[:1000]}])


def _event(mail: Mail, outcome: Outcome, now_ms: int) -> bytes:
    event: Event = NotificationSent(notification_id=mail.id, kind=mail.kind, address=mail.address)
    if outcome.result is not Result.ACCEPTED:
        event = NotificationFailed(
            notification_id=mail.id, kind=mail.kind, address=mail.address, reason=outcome.detail[:500]
        )
    return seal(event, producer="notifier", now_ms=now_ms, brand_id=mail.brand_id, client_id=mail.client_id)


def _mail(row: Any) -> Mail:
    texts = ("kind", "address", "from_name", "subject", "text", "html", "message_id")
    return Mail(
        **{name: str(row[name]) for name in (*texts, "id", "claim")},
        brand_id=str(row["brand_id"]) if row["brand_id"] else None,
        client_id=str(row["client_id"]) if row["client_id"] else None,
        created_ms=to_ms(row["created_at"]),
        attempts=row["attempts"],
        uncertain_count=row["uncertain_count"],
        first_attempt_ms=to_ms(row["first_attempt_at"]),
    )
