"""Composition root of call-control: its HTTP app, its background work, its command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

import httpx
import structlog
import typer
import uvicorn
from fastapi import FastAPI
from landline.chassis import health
from landline.chassis.auth import TokenVerifier
from landline.chassis.consume import consume as run_work
from landline.chassis.dead_letters import dead_waiting
from landline.chassis.http_app import build_app
from landline.chassis.idempotency import purge
from landline.chassis.logging import configure
from landline.chassis.memory import keep_settled
from landline.chassis.migrations import migrate as migrate_schema
from landline.chassis.openapi_served import with_document_apart
from landline.chassis.redis import durability_gaps
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_commands import add_dead_letters
from landline.chassis.stream_consumer import Handler, StreamConsumer
from landline.chassis.stream_shedder import Shedder
from landline.chassis.stream_trimmer import run_trimmer
from landline.chassis.surroundings import Backoff
from landline.contracts import streams
from landline.kernel.clock import SystemClock, utc

from call_control.adapters import read_model_keys
from call_control.adapters.call_streams import CallStreams
from call_control.adapters.counters import Counters
from call_control.adapters.edge_commands import EdgeCommands
from call_control.adapters.rejection_rows import PostgresRejectionRows, run_days
from call_control.adapters.reservations import Reservations
from call_control.api import (
    bans,
    events,
    hanging_up,
    live,
    provider_registrations,
    registrations,
    rejections,
    reservations,
    simulation,
)
from call_control.api.services import Services
from call_control.app.keep_leases import run_keeper
from call_control.app.live_feed import LiveFeed
from call_control.app.reconcile import BalanceDrift, find_drifts, find_ledger_drifts, repair
from call_control.app.settle_spooled import run_spool
from call_control.app.watch_drift import EVERY_S, report, run_drift_watch
from call_control.consumers.config import ConfigHandler, RatesHandler
from call_control.consumers.copying import SERVERS_WAIT, run_copies
from call_control.consumers.ledger import LedgerHandler
from call_control.consumers.rejections import LINGER_S, RejectionsHandler
from call_control.domain.drift import Drift
from call_control.edge.routes import mount
from call_control.wiring import Parts, edge_routes, load_scripts, opened

GROUP = "call-control"
GRACE_S = 5  # event streams never end by themselves
ROUTERS = (
    bans.router,
    events.router,
    live.router,
    hanging_up.router,
    hanging_up.AUDIT,
    rejections.router,
    registrations.router,
    provider_registrations.router,
    reservations.router,
    simulation.router,
)
BUILD_CHECK_S = 2.0
SWEEP_EVERY_S = 3600.0
log = structlog.get_logger(__name__)


def app(settings: Settings) -> FastAPI:
    """The HTTP side: the edge API, live calls, usage, simulation."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened(settings) as parts:
            await load_scripts(parts)
            verifier, stop = TokenVerifier(settings, parts.redis), asyncio.Event()
            app.state.verifier = verifier
            # Stream ids are the server's time, whatever a test makes of the clock.
            feed = LiveFeed(CallStreams(parts.redis), SystemClock().now_ms)
            app.state.services = Services(
                parts.facts,
                parts.store,
                parts.gather,
                parts.arrivals,
                parts.registrations,
                parts.accounts,
                feed,
                settings.clock,
            )
            app.state.edge_routes = edge_routes(parts, verifier.uses.note)
            app.state.parts, app.state.db = parts, parts.db
            app.state.readiness = readiness_of(parts, verifier)
            running = (verifier.run, parts.facts.run, keep_settled, feed.run, parts.memory.run)
            tails = [asyncio.create_task(run(stop)) for run in running]
            key, clock = parts.ticket_key, settings.clock
            spooled = run_spool(parts.store, parts.spool, parts.late, clock, key, stop)
            tails.append(asyncio.create_task(spooled))
            every_s = settings.facts_copy_s * SERVERS_WAIT
            tails.append(asyncio.create_task(run_copies(parts.copy, SystemClock(), every_s, stop)))
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*tails, return_exceptions=True)

    about = "Decides, in real time, whether a call may happen, and settles it."
    made = build_app(
        "call-control",
        settings,
        ROUTERS,
        lifespan,
        description=about,
    )
    mount(made, simulation.SimulateRequest)
    return made


def readiness_of(parts: Parts, verifier: TokenVerifier) -> Callable[[], Awaitable[dict[str, str | None]]]:
    """What must be there before calls can be decided: durable Redis, the read model, fresh tails."""

    async def readiness() -> dict[str, str | None]:
        found = await health.check_all({"redis": parts.redis.ping})
        if found["redis"] is None:
            found["durability"] = (
                "; ".join(await durability_gaps(parts.redis, parts.settings.redis_replicas)) or None
            )
            built = await parts.redis.exists(read_model_keys.READY)
            found["read_model"] = None if built else "not built yet"
        else:
            found["facts_copy"] = await parts.copied.missing()
        key = "LANDLINE_TICKET_KEY is not set"
        return {
            **found,
            "changes": parts.facts.missing(),
            "sessions": verifier.missing(),
            "geoip": parts.geoip.missing(),
            "ticket_key": None if parts.ticket_key else key,
        }

    return readiness


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Read model, balances, lease keeper, trimming: until told to stop."""
    async with opened(settings) as parts, asyncio.TaskGroup() as group:
        await load_scripts(parts)
        commands = EdgeCommands(parts.batch)
        for name, handler in _handlers(parts, commands):
            consumer = StreamConsumer(parts.redis, GROUP, [name], handler, claim_s=settings.claim_s)
            group.create_task(consumer.run(stop))
        kept = RejectionsHandler(PostgresRejectionRows(parts.db))
        keeper = StreamConsumer(
            parts.redis, GROUP, streams.ALL_CALLS, kept, claim_s=settings.claim_s, linger_s=LINGER_S
        )
        group.create_task(keeper.run(stop))
        group.create_task(run_days(parts.db, settings.clock, stop))
        group.create_task(purge(parts.db, stop))
        group.create_task(_keep_built(parts, stop))
        group.create_task(run_keeper(parts.store, settings.clock, parts.silent_ms, stop, commands))
        keep_ms = settings.keep_calls_s * 1000
        group.create_task(run_trimmer(parts.redis, streams.ALL_CALLS, stop, keep_ms))
        group.create_task(parts.memory.run(stop))
        shedder = Shedder(parts.redis, parts.memory, streams.ALL_CALLS, streams.OWED_TO_NOBODY)
        group.create_task(shedder.run(stop))
        group.create_task(_keep_swept(parts, stop))
        group.create_task(run_copies(parts.copy, SystemClock(), settings.facts_copy_s, stop))
        group.create_task(_watch_drift(parts, stop))
        group.create_task(Reservations(parts.batch).run_sweep(settings.clock, stop))


async def _watch_drift(parts: Parts, stop: asyncio.Event) -> None:
    """Drift as a metric, measured by whichever process asks first in ten minutes."""

    async def find() -> tuple[list[Drift], list[BalanceDrift]]:
        counters = Counters(parts.batch)
        wrong = await find_drifts(parts.store, counters)
        balances, days = await find_ledger_drifts(counters, parts.peers, _kept_since(parts.settings))
        return [*wrong, *days], balances

    async def my_turn() -> bool:
        life_ms = round((EVERY_S - 30) * 1000)
        return bool(await parts.redis.set("landline:drift-watch", "1", nx=True, px=life_ms))

    await run_drift_watch(find, my_turn, stop)


def _handlers(parts: Parts, commands: EdgeCommands) -> list[tuple[str, Handler]]:
    clock = parts.settings.clock
    return [
        (streams.CONFIG, ConfigHandler(parts.model, clock, commands.tell_changes)),
        (streams.RATES, RatesHandler(parts.model, clock)),
        (streams.LEDGER, LedgerHandler(parts.postings, parts.model, parts.peers.postings)),
    ]


async def _keep_built(parts: Parts, stop: asyncio.Event) -> None:
    """Build the read model when it is missing: at the first start, or after Redis lost it."""
    rebuild, backoff = parts.rebuild(), Backoff()
    while not stop.is_set():
        wait_s = BUILD_CHECK_S
        try:
            if await rebuild.needed():
                await rebuild.run()
            backoff.reset()
        except Exception as error:  # the other services may not be up yet
            log.warning("read model not built", error=repr(error)[:200])
            wait_s = backoff.next_s()
        await _pause(stop, wait_s)


async def _keep_swept(parts: Parts, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await parts.model.sweep(parts.settings.clock.now_ms())
        except Exception as error:
            log.warning("tombstones not swept", error=repr(error)[:200])
        await _pause(stop, SWEEP_EVERY_S)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


service = Service("call-control", "call_control", app, work)
cli = typer.Typer(
    pretty_exceptions_enable=False,
    help="call-control: decides whether a call may happen.",
    no_args_is_help=True,
)


def _settings() -> Settings:
    settings = Settings()
    configure(settings.log_level, "call-control")
    return settings


add_dead_letters(cli, GROUP, (streams.CONFIG, streams.RATES, streams.LEDGER, *streams.ALL_CALLS))


@cli.command()
def serve(
    port: Annotated[int | None, typer.Option(help="default: LANDLINE_PORT")] = None,
    host: Annotated[str | None, typer.Option(help="default: LANDLINE_HOST")] = None,
) -> None:
    """Answer HTTP: the edge API and REST."""
    settings = _settings()
    uvicorn.run(
        with_document_apart(app(settings), service.name),
        host=host or settings.host,
        port=port or settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )


@cli.command()
def consume() -> None:
    """Follow the other services' streams, keep leases."""
    run_work(_settings(), service)


@cli.command()
def rebuild(
    after_restore: Annotated[
        bool,
        typer.Option("--after-restore", help="billing's ledger went back in time: take its balances anyway"),
    ] = False,
) -> None:
    """Build the read model anew from the other services' snapshots; calls go on meanwhile."""

    async def run() -> dict[str, str]:
        async with opened(_settings()) as parts:
            return await parts.rebuild().run(backwards=after_restore)

    typer.echo(f"read model built: {asyncio.run(run())}")


@cli.command()
def reconcile(
    repair_drift: Annotated[bool, typer.Option("--repair", help="put counters right")] = False,
) -> None:
    """Do the counters add up? Prints what does not; exit code 1 when something is wrong."""
    raise typer.Exit(asyncio.run(_reconcile(_settings(), repair_drift)))


async def _reconcile(settings: Settings, repair_drift: bool) -> int:
    async with opened(settings) as parts:
        counters = Counters(parts.batch)
        wrong = await find_drifts(parts.store, counters)
        try:
            balances, days = await find_ledger_drifts(counters, parts.peers, _kept_since(settings))
        except httpx.HTTPError as error:
            print(f"billing can't be asked ({error!r}): balances and days are not compared")
            return 1
        wrong += days
        for line in report(wrong, balances):
            print(line)
        if wrong and repair_drift:
            wrong = await repair(counters, wrong)
            print(f"{len(wrong)} left after the repair")
        print(f"drift: {len(wrong) + len(balances)}")
        dead = await dead_waiting(parts.redis, streams.MONEY)
        for (stream, group), count in dead.items():
            print(f"{count} dead letters of {group} on {stream}: calls or money not booked yet")
        waiting, refused = len(parts.spool), parts.spool.refused()
        if waiting or refused:
            print(f"ends of calls kept on this host: {waiting} wait to be settled, {refused} can't be")
        return 1 if wrong or balances or dead or refused else 0


def _kept_since(settings: Settings) -> str:
    """The oldest day whose counters are surely still kept: they live 72 h after their day."""
    return (utc(settings.clock.now_ms()).date() - timedelta(days=2)).isoformat()


@cli.command()
def migrate() -> None:
    """Bring the schema to its newest revision."""
    migrate_schema(Settings(), service)


if __name__ == "__main__":
    cli()
