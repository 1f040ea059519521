"""Composition root of provisioning: its HTTP app, its background work, its command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from fastapi import APIRouter, FastAPI
from landline.chassis import idempotency
from landline.chassis.auth import SYSTEM
from landline.chassis.commands import logged_settings, service_commands
from landline.chassis.http_app import build_app
from landline.chassis.outbox import run_outbox
from landline.chassis.postgres import Database, Scope
from landline.chassis.resources import Actor, Registry, resource_router
from landline.chassis.running import serving, stores
from landline.chassis.secrets import Keyring
from landline.chassis.service import Service
from landline.chassis.settings import Settings
from landline.chassis.stream_trimmer import run_trimmer
from landline.contracts import streams

from provisioning.accounts.admins import ADMINS
from provisioning.accounts.api_keys import API_KEYS
from provisioning.accounts.grants import grants_router
from provisioning.accounts.routes import router as auth_router
from provisioning.accounts.seal_anew import Outcome, seal_anew
from provisioning.accounts.signing_keys import SigningKeys
from provisioning.accounts.wiring import accounts_work, open_accounts
from provisioning.api import (
    address_country,
    banned_addresses,
    brand_logo,
    ddi_imports,
    lists,
    notification_templates,
)
from provisioning.api.ddi_bulk import bulk_router
from provisioning.api.ddis import unlink_router
from provisioning.api.device_registrations import device_registrations_router
from provisioning.api.forward_codes import forward_codes_router
from provisioning.api.provider_registration_status import provider_registration_status_router
from provisioning.api.ready_made_sets import ready_made_router, ready_made_set
from provisioning.api.resources import REGISTRY as RESOURCES
from provisioning.api.transformation_tries import try_router
from provisioning.consumers.import_ddis import run_imports
from provisioning.documents.routes import BODY_LIMIT_BYTES, documents_router
from provisioning.domain.transformations import countries
from provisioning.setups.complete import run_setups
from provisioning.setups.resource import CLIENT_SETUPS
from provisioning.setups.routes import setups_router
from provisioning.snapshot import snapshot_router

REGISTRY = Registry(RESOURCES.producer, (*RESOURCES.resources, ADMINS, API_KEYS, CLIENT_SETUPS))
"""Everything provisioning keeps; the snapshot and the demo use it too."""


def routers() -> list[APIRouter]:
    """All of the API; addresses with a fixed word come before those with an id."""
    special = [
        auth_router,
        lists.router,
        address_country.router,
        banned_addresses.router,
        brand_logo.router,
        notification_templates.router,
        unlink_router(REGISTRY),
        bulk_router(REGISTRY),
        ddi_imports.router,
        ready_made_router(REGISTRY),
        try_router(),
        snapshot_router(REGISTRY),
        forward_codes_router(REGISTRY),
        device_registrations_router(),
        provider_registration_status_router(),
        grants_router(REGISTRY),
        documents_router(REGISTRY),
        setups_router(REGISTRY),
    ]
    return [*special, *(resource_router(REGISTRY, resource) for resource in REGISTRY.resources)]


def app(settings: Settings) -> FastAPI:
    """The HTTP side: resources, login, the snapshot for other services."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving(app, settings, "provisioning") as (db, redis):
            await db.open()
            app.state.accounts = await open_accounts(settings, db, redis)
            yield

    about = "Who exists on the platform and how they are configured."
    limits = {"/ddis/import": ddi_imports.BODY_LIMIT_BYTES, "/apply": BODY_LIMIT_BYTES}
    return build_app("provisioning", settings, routers(), lifespan, description=about, body_limits=limits)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """The outbox's publisher, signing keys, and the removal of what has expired, until told to stop."""
    async with stores(settings, "provisioning", pool_size=4) as (db, redis), asyncio.TaskGroup() as tasks:
        tasks.create_task(run_outbox(db, redis, stop))
        tasks.create_task(run_trimmer(redis, (streams.CONFIG,), stop))
        tasks.create_task(idempotency.purge(db, stop))
        tasks.create_task(accounts_work(settings, db, redis, stop))
        tasks.create_task(run_imports(db, REGISTRY, settings, stop))
        tasks.create_task(run_setups(db, settings, stop))


service = Service("provisioning", "provisioning", app, work)
cli = service_commands(service, "who exists and how they are configured.")


@cli.command("ready-made-sets")
def ready_made_sets(
    country: Annotated[list[str] | None, typer.Argument(help="ISO 3166 codes; none: all of them")] = None,
) -> None:
    """Make the ready-made transformation sets that are missing. Run it again at will."""
    settings = logged_settings(service)
    unknown = sorted(set(country or ()) - set(countries()))
    if unknown:
        raise typer.BadParameter(f"no such country: {', '.join(unknown)}")
    made = asyncio.run(_make_sets(settings, country or list(countries())))
    typer.echo(f"{made} sets made")


async def _make_sets(settings: Settings, wanted: list[str]) -> int:
    db, made = Database(settings, "provisioning", pool_size=2), 0
    try:
        for country in wanted:
            actor = Actor(SYSTEM, settings, settings.clock.now_ms())
            async with db.transaction(Scope.system()) as tx:
                made += (await ready_made_set(tx, REGISTRY, actor, country))[1]
    finally:
        await db.close()
    return made


@cli.command("rotate-signing-key")
def rotate_signing_key(
    withdraw: Annotated[
        bool, typer.Option(help="also stop trusting the old ones now: people's tokens must be refreshed")
    ] = False,
) -> None:
    """Sign access tokens with a new key from now on; with --withdraw because an old one has leaked."""
    settings = logged_settings(service)
    typer.echo(asyncio.run(rotated(settings, withdraw=withdraw)))


async def rotated(settings: Settings, *, withdraw: bool = False) -> str:
    """Rotate once; the new key's id."""
    async with stores(settings, "provisioning", pool_size=2) as (db, redis):
        return await SigningKeys(db, redis, Keyring.of(settings)).rotate(withdraw=withdraw)


@cli.command("seal-anew")
def seal_anew_command() -> None:
    """After LANDLINE_SECRETS_KEY became `new,old`: seal with the new key what the old one sealed."""
    settings = logged_settings(service)
    outcome = asyncio.run(_seal_anew(settings))
    for row in outcome.lost:
        typer.echo(f"sealed with a key that is not here: {row}")
    typer.echo(f"{outcome.sealed} values sealed anew")
    raise typer.Exit(1 if outcome.lost else 0)


async def _seal_anew(settings: Settings) -> Outcome:
    db = Database(settings, "provisioning", pool_size=2)
    try:
        return await seal_anew(db, Keyring.of(settings))
    finally:
        await db.close()


if __name__ == "__main__":
    cli()
