"""The commands that every service has: `serve`, `consume`, `migrate`. Its own ones are added to them."""

from __future__ import annotations

from typing import Annotated

import typer
import uvicorn

from landline.chassis.consume import consume as work_until_signal
from landline.chassis.logging import configure
from landline.chassis.migrations import migrate as migrate_schema
from landline.chassis.openapi_served import with_document_apart
from landline.chassis.service import Service
from landline.chassis.settings import Settings


def logged_settings(service: Service) -> Settings:
    """The settings of this process, whose logs now name the service: how a command begins."""
    settings = Settings()
    configure(settings.log_level, service.name)
    return settings


def service_commands(service: Service, about: str) -> typer.Typer:
    """The command of a service; `about` is what it is for."""
    # Rich tracebacks would show local variables: passwords and keys (tests/tidy).
    cli = typer.Typer(
        pretty_exceptions_enable=False,
        add_completion=False,
        no_args_is_help=True,
        help=f"{service.name}: {about}",
    )

    @cli.command()
    def serve(
        port: Annotated[int | None, typer.Option(help="default: LANDLINE_PORT")] = None,
        host: Annotated[str | None, typer.Option(help="default: LANDLINE_HOST")] = None,
    ) -> None:
        """Serve the REST API."""
        settings = logged_settings(service)
        at, on = host or settings.host, port or settings.port
        uvicorn.run(
            with_document_apart(service.app(settings), service.name),
            host=at,
            port=on,
            log_config=None,
            access_log=False,
        )

    @cli.command()
    def consume() -> None:
        """Do the background work: streams, jobs, the outbox."""
        work_until_signal(logged_settings(service), service)

    @cli.command()
    def migrate() -> None:
        """Bring the schema to its newest revision, as landline_owner."""
        migrate_schema(logged_settings(service), service)

    return cli
