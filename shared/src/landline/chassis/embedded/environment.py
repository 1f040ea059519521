"""The environment of the children of an embedded run: how `Settings` learns everything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from landline.chassis.embedded.folder import Config

DATABASE = "landline"


@dataclass(frozen=True)
class Addresses:
    """Where things are in this run. `postgres` is a superuser's DSN; `smtp` the catcher's port or None."""

    postgres: str
    redis: str
    host: str
    port: int
    smtp_port: int | None

    @property
    def public_url(self) -> str:
        """The one origin people and edges use."""
        return os.environ.get("LANDLINE_PUBLIC_URL") or f"http://127.0.0.1:{self.port}"


def pg_url_of(admin_dsn: str) -> str:
    """Host, port and database, without a user: each service logs in with its own role."""
    parts = urlsplit(admin_dsn)
    name = parts.path.strip("/")
    database = DATABASE if name in ("", "postgres") else name
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], path=f"/{database}"))


def _own(config: Config, addresses: Addresses, data: Path) -> dict[str, str]:
    values = {
        "PG_URL": pg_url_of(addresses.postgres),
        "PG_OWNER_PASSWORD": config.passwords["landline_owner"],
        "REDIS_URL": addresses.redis,
        "PUBLIC_URL": addresses.public_url,
        "DATA": str(data),
        "INTERNAL_KEY": config.internal_key,
        "TICKET_KEY": config.ticket_key,
        "SECRETS_KEY": config.secrets_key,
        "ADMIN_PASSWORD": config.admin_password,
        "EMBEDDED": "1",
        "HOST": addresses.host,
        "PORT": str(addresses.port),
    }
    for role, password in config.passwords.items():
        values[f"PG_PASSWORD_{role.upper()}"] = password
    if addresses.smtp_port is not None:
        values["SMTP_URL"] = f"smtp://127.0.0.1:{addresses.smtp_port}"
    return {f"LANDLINE_{name}": value for name, value in values.items()}


def child_environment(
    config: Config, addresses: Addresses, data: Path, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`base` (this process's environment) with the run's own LANDLINE_ variables on top."""
    inherited = dict(os.environ if base is None else base)
    # The superuser's DSN is for the preparing step alone; no service ever sees it.
    inherited.pop("LANDLINE_PG_DSN", None)
    return {**inherited, **_own(config, addresses, data)}
