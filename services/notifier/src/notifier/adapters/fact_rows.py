"""Facts that wait to be told, and the mails written for them, in Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from landline.chassis.outbox import add_many
from landline.chassis.postgres import Database, Scope
from landline.contracts import streams
from landline.contracts.envelope import seal
from landline.contracts.notifier.events import NotificationFailed
from landline.kernel.clock import utc
from landline.kernel.ids import new_id

from notifier.adapters.mail_rows import log_line
from notifier.app.ports import Fact, NewMail, WaitingFact
from notifier.domain.facts import message_id
from notifier.domain.levels import StoredTemplate
from notifier.domain.people import Brand, Client

# Redelivery, in any number and by any number of consumers, ends here: the key is there already.
NOTE = """
insert into facts (fact_key, kind, brand_id, client_id, payload, state, noted_at, look_at)
select $1, $2, $3::uuid, $4::uuid, $5::jsonb, 'waiting', $6, $6 on conflict (fact_key) do nothing
"""
# Facts of clients that are not known yet are not seen by the join: they wait without being in the way.
# A deleted client's facts are taken too; it has no addresses any more.
TAKE = """
select f.fact_key, f.kind, f.payload::text, f.tries, c.id as client_id, c.brand_id, c.name as client_name,
    c.language as client_language, c.country as client_country, c.daily_usage_emails,
    c.template_ids::text as client_templates, b.name as brand_name, b.language as brand_language,
    b.country as brand_country, b.template_ids::text as brand_templates
from facts f join clients c on c.id = f.client_id join brands b on b.id = c.brand_id
where f.state = 'waiting' and f.look_at <= $1
order by f.look_at limit 1 for update of f skip locked
"""
TEMPLATES = """
select id, client_id, is_default, contents::text from notification_templates
where brand_id = $1 and kind = $2 and (client_id is null or client_id = $3)
"""
WRITE = """
insert into notifications (id, brand_id, client_id, kind, fact_key, address, language, from_name, subject,
    text, html, message_id, state, next_attempt_at, error, log, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16::jsonb, $17, $17)
on conflict (fact_key, lower(address)) do nothing
"""
TOLD = "update facts set state = 'told', told_at = $2, trouble = null where fact_key = $1"
POSTPONE = "update facts set look_at = $2, tries = tries + 1, trouble = $3 where fact_key = $1"


class PostgresFactRows:
    """`FactRows` on Postgres. `mail_from` gives Message-IDs their domain."""

    def __init__(self, db: Database, mail_from: str) -> None:
        self._db, self._mail_from = db, mail_from

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresFactTransaction]:
        """See FactRows."""
        async with self._db.asyncpg(Scope.system()) as conn:
            yield PostgresFactTransaction(conn, self._mail_from)

    async def note(self, facts: Sequence[Fact], now_ms: int) -> int:
        """See FactRows. Facts are inserted in key order, so that two consumers cannot deadlock."""
        new = 0
        async with self._db.asyncpg(Scope.system()) as conn:
            for fact in sorted(facts, key=lambda f: f.key):
                done = await conn.execute(
                    NOTE,
                    fact.key,
                    fact.kind,
                    fact.brand_id,
                    fact.client_id,
                    json.dumps(fact.payload),
                    utc(now_ms),
                )
                new += done == "INSERT 0 1"
        return new


class PostgresFactTransaction:
    """`FactTransaction` on Postgres."""

    def __init__(self, conn: asyncpg.Connection[asyncpg.Record], mail_from: str) -> None:
        self._conn, self._mail_from = conn, mail_from

    async def take(self, now_ms: int) -> WaitingFact | None:
        """See FactTransaction."""
        row = await self._conn.fetchrow(TAKE, utc(now_ms))
        if row is None:
            return None
        client, brand = _client(row), _brand(row)
        fact = Fact(row["fact_key"], row["kind"], brand.id, client.id, json.loads(row["payload"]))
        return WaitingFact(fact, client, brand, row["tries"])

    async def templates(self, client: Client, kind: str) -> list[StoredTemplate]:
        """See FactTransaction."""
        return stored_templates(await self._conn.fetch(TEMPLATES, client.brand_id, kind, client.id))

    async def write(self, mails: Sequence[NewMail], now_ms: int) -> int:
        """See FactTransaction. A mail that can never be sent is written as failed, so that people see why."""
        new, events = 0, []
        for mail in mails:
            mail_id = new_id()
            if await self._conn.execute(WRITE, *self._values(mail_id, mail, now_ms)) != "INSERT 0 1":
                continue
            new += 1
            if mail.refused:
                events.append((streams.MESSAGES, _refused(mail_id, mail, now_ms)))
        await add_many(self._conn, events)
        return new

    async def told(self, fact: Fact, now_ms: int) -> None:
        """See FactTransaction."""
        await self._conn.execute(TOLD, fact.key, utc(now_ms))

    async def postpone(self, fact: Fact, look_ms: int, trouble: str) -> None:
        """See FactTransaction."""
        await self._conn.execute(POSTPONE, fact.key, utc(look_ms), trouble[:1000])

    def _values(self, mail_id: str, mail: NewMail, now_ms: int) -> tuple[object, ...]:
        fact, words, now = mail.fact, mail.words, utc(now_ms)
        lines = [json.loads(log_line(now_ms, text))[0] for text in mail.log]
        return (
            mail_id, fact.brand_id, fact.client_id, fact.kind, fact.key, mail.address, words.language,
            mail.from_name, words.subject, words.text, words.html, message_id(mail_id, self._mail_from),
            "failed" if mail.refused else "pending", None if mail.refused else now, mail.refused,
            json.dumps(lines), now,
        )  # fmt: skip


def stored_templates(rows: Sequence[Any]) -> list[StoredTemplate]:
    """Rows of notification_templates as the domain sees them."""
    return [
        StoredTemplate(
            str(row["id"]),
            str(row["client_id"]) if row["client_id"] else None,
            row["is_default"],
            json.loads(row["contents"]),
        )
        for row in rows
    ]


def _refused(mail_id: str, mail: NewMail, now_ms: int) -> bytes:
    event = NotificationFailed(
        notification_id=mail_id, kind=mail.fact.kind, address=mail.address, reason=mail.refused or ""
    )
    fact = mail.fact
    return seal(event, producer="notifier", now_ms=now_ms, brand_id=fact.brand_id, client_id=fact.client_id)


def _client(row: asyncpg.Record) -> Client:
    return Client(
        str(row["client_id"]), str(row["brand_id"]), row["client_name"], row["client_language"],
        row["client_country"], tuple(row["daily_usage_emails"]), json.loads(row["client_templates"]),
    )  # fmt: skip


def _brand(row: asyncpg.Record) -> Brand:
    return Brand(
        str(row["brand_id"]), row["brand_name"], row["brand_language"] or "en", row["brand_country"],
        json.loads(row["brand_templates"]),
    )  # fmt: skip
