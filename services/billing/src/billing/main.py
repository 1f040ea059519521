"""Composition root of billing: its HTTP app, its background work, its command."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI
from landline.chassis import health
from landline.chassis.auth import TokenVerifier
from landline.chassis.consume import consume as run_work
from landline.chassis.http_app import build_app
from landline.chassis.idempotency import purge
from landline.chassis.logging import configure
from landline.chassis.migrations import migrate as migrate_schema
from landline.chassis.outbox import run_outbox
from landline.chassis.postgres import Database, Scope
from landline.chassis.redis import connect
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_commands import add_dead_letters, add_replay
from landline.chassis.stream_consumer import StreamConsumer
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
        db, redis = Database(settings, "billing"), await connect(settings)
        verifier, stop = TokenVerifier(settings, redis), asyncio.Event()
        app.state.db, app.state.redis, app.state.verifier = db, redis, verifier
        app.state.decks = DeckCache(db, settings.data / "billing" / "decks")

        async def readiness() -> dict[str, str | None]:
            found = await health.check_all({"postgres": db.ping, "redis": redis.ping})
            return {**found, "sessions": verifier.missing()}

        app.state.readiness = readiness
        tail = asyncio.create_task(verifier.run(stop))
        try:
            yield
        finally:
            stop.set()
            await tail
            await redis.aclose()
            await db.close()

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
    db, redis, clock = Database(settings, "billing"), await connect(settings), settings.clock
    calls = StreamConsumer(redis, GROUP, streams.ALL_CALLS, CallsHandler(db, clock), claim_s=settings.claim_s)
    config = StreamConsumer(redis, GROUP, (streams.CONFIG,), ConfigHandler(db), claim_s=settings.claim_s)
    tasks: list[Awaitable[None]] = [
        calls.run(stop),
        config.run(stop),
        run_outbox(db, redis, stop),
        ImportWorker(db, clock, build).run(stop),
        months_until(db, clock, stop),
        purge(db, stop),
    ]
    try:
        await db.open()
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(_run(task))
    finally:
        await redis.aclose()
        await db.close()


async def _run(task: Awaitable[None]) -> None:
    await task


service = Service("billing", "billing", app, work)
cli = typer.Typer(
    pretty_exceptions_enable=False,
    help="billing: rate decks, call records and the ledger.",
    no_args_is_help=True,
)


add_dead_letters(cli, GROUP, (streams.CONFIG, *streams.ALL_CALLS))
add_replay(cli, GROUP, streams.ALL_CALLS)


@cli.command()
def serve() -> None:
    """Serve the REST API on LANDLINE_HOST and LANDLINE_PORT."""
    settings = Settings()
    configure(settings.log_level, "billing")
    uvicorn.run(app(settings), host=settings.host, port=settings.port, log_config=None, access_log=False)


@cli.command()
def consume() -> None:
    """Record calls, follow config, run imports, publish events."""
    settings = Settings()
    configure(settings.log_level, "billing")
    run_work(settings, service)


@cli.command()
def migrate() -> None:
    """Bring the schema to its newest revision."""
    migrate_schema(Settings(), service)


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
