"""Composition root of billing: its HTTP app, its background work, its command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated

import typer
from fastapi import FastAPI
from landline.chassis.commands import service_commands
from landline.chassis.http_app import build_app
from landline.chassis.idempotency import purge
from landline.chassis.outbox import run_outbox
from landline.chassis.postgres import Database, Scope
from landline.chassis.running import serving, stores
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_commands import add_dead_letters, add_replay
from landline.chassis.stream_consumer import StreamConsumer
from landline.chassis.stream_trimmer import run_trimmer
from landline.contracts import streams

from billing.adapters.deck_builder import build
from billing.adapters.deck_cache import DeckCache
from billing.api import routers
from billing.api.imports import BODY_LIMIT_BYTES
from billing.app.audit import Finding, audit
from billing.app.import_rates import ImportWorker
from billing.app.keep_months import months_until
from billing.consumers.calls import CallsHandler
from billing.consumers.config import ConfigHandler

GROUP = "billing"


def app(settings: Settings) -> FastAPI:
    """The HTTP side: rates, balances, postings, call records, quotes."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving(app, settings, "billing") as (db, _):
            app.state.decks = DeckCache(db, settings.data / "billing" / "decks")
            yield

    return build_app(
        "billing",
        settings,
        routers(),
        lifespan,
        description="Rate decks, call records and the ledger.",
        body_limits={"/import": BODY_LIMIT_BYTES},
    )


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Consumers, import jobs, partitions and the outbox's publisher, until told to stop."""
    clock, claim_s = settings.clock, settings.claim_s
    async with stores(settings, "billing") as (db, redis):
        await db.open()
        calls = StreamConsumer(redis, GROUP, streams.ALL_CALLS, CallsHandler(db, clock), claim_s=claim_s)
        config = StreamConsumer(redis, GROUP, (streams.CONFIG,), ConfigHandler(db), claim_s=claim_s)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(calls.run(stop))
            tasks.create_task(config.run(stop))
            tasks.create_task(run_outbox(db, redis, stop))
            tasks.create_task(run_trimmer(redis, (streams.RATES, streams.LEDGER, streams.BILLING), stop))
            tasks.create_task(ImportWorker(db, clock, build).run(stop))
            tasks.create_task(months_until(db, clock, stop))
            tasks.create_task(purge(db, stop))


service = Service("billing", "billing", app, work)
cli = service_commands(service, "rate decks, call records and the ledger.")
add_dead_letters(cli, GROUP, (streams.CONFIG, *streams.ALL_CALLS))
add_replay(cli, GROUP, streams.ALL_CALLS)


@cli.command("audit")
def audit_command(as_json: Annotated[bool, typer.Option("--json", help="findings as JSON")] = False) -> None:
    """Prove the ledger: sums, gaps, one charge per call, records against postings. Exit 1 on any finding."""
    findings = asyncio.run(audited(Settings()))
    if as_json:
        typer.echo(json.dumps({"ok": not findings, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.check}: {finding.subject}: {finding.detail}")
        typer.echo("the ledger holds" if not findings else f"{len(findings)} findings")
    raise typer.Exit(1 if findings else 0)


async def audited(settings: Settings) -> list[Finding]:
    """The findings of one audit, in one snapshot of the database."""
    db = Database(settings, "billing")
    try:
        async with (
            db.session(Scope.system()) as conn,
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await audit(conn)
    finally:
        await db.close()


if __name__ == "__main__":
    cli()
