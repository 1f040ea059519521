"""notifier's parts put together for a test, over real stores, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings
from landline.chassis.streams import Entry
from landline.contracts.call_control.events import DailyUsageCrossed
from landline.contracts.envelope import FIELD, seal
from landline.contracts.provisioning.events import EntityChanged
from landline.contracts.streams import CONFIG, calls
from landline.kernel.clock import SetClock
from landline.kernel.ids import new_id
from notifier.adapters.builtin import builtin_contents
from notifier.adapters.fact_rows import PostgresFactRows
from notifier.adapters.mail import SmtpTransport
from notifier.adapters.mail_rows import PostgresMailRows
from notifier.adapters.people_rows import PostgresPeopleRows
from notifier.app.bell import Bell
from notifier.app.send_mails import Sender, Timing, recover
from notifier.app.tell_facts import Teller
from notifier.consumers.calls import CallsHandler
from notifier.consumers.config import ConfigHandler

from tests.integration.notifier.smtp_server import SmtpServer

NOW_MS = 1_795_000_000_000
QUICK = Timing(prepare_s=5, deliver_s=5, margin_s=5, poll_s=0.05)


@dataclass(frozen=True)
class Casa:
    """A client of a brand, as `config` events tell of it."""

    emails: tuple[str, ...] = ("ana@example.net",)
    language: str = "es"
    name: str = "Casa García"
    id: str = field(default_factory=new_id)
    brand_id: str = field(default_factory=new_id)

    def brand_event(self, version: int = 1, **more: Any) -> bytes:
        """The brand, sealed."""
        data = {"name": "Marca Uno", "language": "es", "default_country": "ES", **more}
        change = EntityChanged(entity="brand", entity_id=self.brand_id, entity_version=version, data=data)
        return seal(change, producer="provisioning", now_ms=NOW_MS, brand_id=self.brand_id)

    def client_event(self, version: int = 1, deleted: bool = False, **more: Any) -> bytes:
        """The client, sealed."""
        data = {
            "name": self.name,
            "brand_id": self.brand_id,
            "language": self.language,
            "country": "ES",
            "timezone": "Europe/Madrid",
            "currency": "EUR",
            "daily_usage_emails": list(self.emails),
            **more,
        }
        change = EntityChanged(
            entity="client", entity_id=self.id, entity_version=version, deleted=deleted,
            data={} if deleted else data,
        )  # fmt: skip
        return seal(change, producer="provisioning", now_ms=NOW_MS, brand_id=self.brand_id, client_id=self.id)

    def crossed(self, threshold: int = 80, day: str = "2026-11-22", **more: Any) -> bytes:
        """The client's spend reached a threshold, sealed. Every call is another event of the same fact."""
        event = DailyUsageCrossed(
            day=day, threshold=threshold, limit_micros=10_000_000, spend_micros=8_015_000,
            currency="EUR", **more,
        )  # fmt: skip
        return seal(event, producer="call-control", now_ms=NOW_MS, brand_id=self.brand_id, client_id=self.id)


def entry(stream: str, raw: bytes) -> Entry:
    """A stream entry that carries a sealed event."""
    return Entry(stream, "1-1", {FIELD: raw})


class Office:
    """The parts of notifier, each to be run by hand."""

    def __init__(self, settings: Settings, db: Database, server: SmtpServer) -> None:
        self.settings, self.db, self.server = settings, db, server
        self.clock, self.bell = SetClock(NOW_MS), Bell()
        self.facts = PostgresFactRows(db, settings.mail_from)
        self.mails = PostgresMailRows(db)
        self.teller = Teller(self.facts, self.clock, builtin_contents)
        self.calls = CallsHandler(self.facts, self.clock, self.bell)
        self.config = ConfigHandler(PostgresPeopleRows(db), self.bell)

    async def learn(self, *events: bytes) -> None:
        """Handle `config` events in one batch."""
        await self.config([entry(CONFIG, raw) for raw in events])

    async def hear(self, *events: bytes) -> None:
        """Handle `calls` events in one batch."""
        await self.calls([entry(calls(17), raw) for raw in events])

    def sender(self, timing: Timing = QUICK) -> Sender:
        """A sender with a connection of its own."""
        transport = SmtpTransport(self.server.url, self.settings.mail_from, timing.deliver_s)
        return Sender(self.mails, transport, self.clock, self.bell, timing)

    async def send_all(self, sender: Sender | None = None) -> None:
        """Send until nothing is due at this moment."""
        sender = sender or self.sender()
        while await sender.send_next() is not None:
            pass
        await sender._transport.close()

    async def recover(self) -> int:
        """Take back abandoned mails."""
        return await recover(self.mails, self.clock)

    async def rows(self, casa: Casa, columns: str = "state") -> list[Any]:
        """A client's mails: one column as a list, several as tuples; in the order of addresses."""
        rows = await self.fetch(
            f"select {columns} from notifications where client_id = $1 order by address, created_at", casa.id
        )
        return [row[0] if len(row) == 1 else tuple(row) for row in rows]

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        """Any statement, as the system."""
        async with self.db.asyncpg(Scope.system()) as conn:
            return list(await conn.fetch(statement, *values))


async def until(condition: Callable[[], Awaitable[Any]], within_s: float = 15.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.02)
