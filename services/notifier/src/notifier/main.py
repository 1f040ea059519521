"""Composition root of notifier: its HTTP app, its background work, its command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI
from landline.chassis.background import keep_on
from landline.chassis.commands import service_commands
from landline.chassis.http_app import build_app
from landline.chassis.idempotency import purge
from landline.chassis.outbox import run_outbox
from landline.chassis.postgres import Database
from landline.chassis.resources import Registry, resource_router
from landline.chassis.resources.audit import AUDIT_RESOURCE
from landline.chassis.running import serving, stores
from landline.chassis.secrets import Keyring
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_commands import add_dead_letters
from landline.chassis.stream_consumer import StreamConsumer
from landline.chassis.stream_trimmer import run_trimmer
from landline.contracts import streams

from notifier.adapters.builtin import builtin_contents
from notifier.adapters.fact_rows import PostgresFactRows
from notifier.adapters.mail import SmtpTransport
from notifier.adapters.mail_rows import PostgresMailRows
from notifier.adapters.people_rows import PostgresPeopleRows
from notifier.adapters.reset_rows import PostgresResetRows
from notifier.api.notifications import router as notifications
from notifier.api.templates import router as templates
from notifier.app.bell import Bell
from notifier.app.desk import Desk, recover_until
from notifier.app.preview import preview as render_preview
from notifier.app.send_mails import Sender
from notifier.app.tell_facts import Teller
from notifier.app.tell_resets import ResetTeller
from notifier.consumers.calls import CallsHandler
from notifier.consumers.config import ConfigHandler
from notifier.domain.kinds import PASSWORD_RESET

GROUP = "notifier"
audit_log = resource_router(Registry("notifier", (AUDIT_RESOURCE,)), AUDIT_RESOURCE)
SENDERS = 2
NO_SMTP = "LANDLINE_SMTP_URL is not set: mails wait"


def app(settings: Settings) -> FastAPI:
    """The HTTP side: notification log, templates."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        def missing() -> dict[str, str | None]:
            return {"smtp": None if settings.smtp_url else NO_SMTP}

        async with serving(app, settings, "notifier", missing):
            yield

    return build_app(
        "notifier",
        settings,
        [notifications, templates, audit_log],
        lifespan,
        description="Tells people what happened.",
    )


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Consumers, teller, senders and the outbox's publisher, until told to stop."""
    clock, facts, mails = settings.clock, Bell(), Bell()
    async with stores(settings, "notifier") as (db, redis):
        fact_rows, mail_rows = PostgresFactRows(db, settings.mail_from), PostgresMailRows(db)
        desk = Desk(Teller(fact_rows, clock, builtin_contents), facts, mails)
        calls = CallsHandler(fact_rows, clock, facts)
        config = ConfigHandler(PostgresPeopleRows(db), facts, _resets(settings, db), mails)
        await db.open()
        async with asyncio.TaskGroup() as group:
            for names, handler in ((streams.ALL_CALLS, calls), ((streams.CONFIG,), config)):
                consumer = StreamConsumer(redis, GROUP, names, handler, claim_s=settings.claim_s)
                group.create_task(consumer.run(stop))
            group.create_task(keep_on("telling of facts", desk.run, stop))
            group.create_task(recover_until(mail_rows, clock, stop))
            group.create_task(run_outbox(db, redis, stop))
            group.create_task(run_trimmer(redis, (streams.MESSAGES,), stop))
            group.create_task(purge(db, stop))
            for _ in range(SENDERS if settings.smtp_url else 0):
                transport = SmtpTransport(settings.smtp_url, settings.mail_from)
                sender = Sender(mail_rows, transport, clock, mails)
                group.create_task(keep_on("sending of mails", sender.run, stop))


def _resets(settings: Settings, db: Database) -> ResetTeller:
    def unseal(sealed: str, place: str) -> str:
        return Keyring.of(settings).unseal(sealed, place)

    rows, words = PostgresResetRows(db, settings.mail_from), builtin_contents(PASSWORD_RESET.name)
    return ResetTeller(rows, settings.clock, words, unseal, settings.public_url)


service = Service("notifier", "notifier", app, work)
cli = service_commands(service, "tells people what happened.")
add_dead_letters(cli, GROUP, (streams.CONFIG, *streams.ALL_CALLS))


@cli.command()
def preview(
    kind: str,
    language: Annotated[str, typer.Option(help="BCP 47, such as es or en-GB")] = "en",
    file: Annotated[
        Path | None, typer.Option(help='JSON: {"es": {"subject": ..., "text": ..., "html": ...}}')
    ] = None,
) -> None:
    """Show a mail of a kind with sample data: the built-in one, or one with templates from a file."""
    contents = json.loads(file.read_text("utf-8")) if file else {}
    shown = render_preview(kind, language, [("file", contents)], builtin_contents(kind))
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    cli()
