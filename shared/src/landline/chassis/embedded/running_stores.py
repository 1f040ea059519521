"""Which stores a run uses: a configured URL, else what the folder recorded, else the wheels."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable

from landline.chassis.embedded.binaries import KINDS, Kind, is_kind
from landline.chassis.embedded.console import say
from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.folder import Config, DataFolder
from landline.chassis.embedded.patience import Patience, how
from landline.chassis.embedded.postgres import Postgres
from landline.chassis.embedded.valkey import Valkey

_SCHEMES = re.compile(r"^(postgresql|postgres|redis|rediss)://")


def first_config(system_stores: bool) -> Config:
    """What a first start records. A given admin password is recorded too: later starts need not repeat it."""
    kind = "system" if system_stores else "wheels"
    return Config(
        postgres=os.environ.get("LANDLINE_PG_DSN") or kind,
        redis=os.environ.get("LANDLINE_REDIS_URL") or kind,
        admin_password=os.environ.get("LANDLINE_ADMIN_PASSWORD") or secrets.token_urlsafe(15),
    )


class RunningStores:
    """The stores of a run; those that are configured by URL are somebody else's to start and stop."""

    def __init__(self, config: Config, folder: DataFolder) -> None:
        self._log_folder = folder.path / "logs"
        self.servers: list[Postgres | Valkey] = []
        self._patience: dict[str, Patience] = {}
        self._postgres = self._postgres_of(config, folder)
        self._valkey = self._valkey_of(config, folder)

    @property
    def postgres_url(self) -> str:
        """A superuser's DSN. Final once started: until then the port may change."""
        return self._postgres if isinstance(self._postgres, str) else self._postgres.url()

    @property
    def redis_url(self) -> str:
        """Final once started."""
        return self._valkey if isinstance(self._valkey, str) else self._valkey.url()

    def _postgres_of(self, config: Config, folder: DataFolder) -> Postgres | str:
        chosen = os.environ.get("LANDLINE_PG_DSN") or config.postgres
        if _SCHEMES.match(chosen):
            return chosen
        server = Postgres(
            folder.path / "postgres",
            config.superuser_password,
            self._log_folder / "postgres.log",
            kind=_kind(chosen, folder),
            keep_fds=[folder.lock_fd],
        )
        self._add(server)
        return server

    def _valkey_of(self, config: Config, folder: DataFolder) -> Valkey | str:
        chosen = os.environ.get("LANDLINE_REDIS_URL") or config.redis
        if _SCHEMES.match(chosen):
            return chosen
        server = Valkey(
            folder.path / "valkey",
            config.redis_password,
            self._log_folder / "valkey.log",
            kind=_kind(chosen, folder),
            keep_fds=[folder.lock_fd],
        )
        self._add(server)
        return server

    def _add(self, server: Postgres | Valkey) -> None:
        self.servers.append(server)
        self._patience[server.name] = Patience(server.name, server.log)

    @property
    def own_postgres(self) -> bool:
        """Whether PostgreSQL is ours: nobody else changes it while we are away."""
        return isinstance(self._postgres, Postgres)

    def start(self, tick: Callable[[], None]) -> None:
        """Start those that are ours. `tick` is called while waiting and may raise."""
        for server in self.servers:
            server.start(tick)

    def look(self, tick: Callable[[], None]) -> None:
        """Start what has died again; CannotStart when it keeps dying. Services reconnect by themselves."""
        for server in self.servers:
            if not server.running and server.process is not None:
                code = server.process.returncode
                self._patience[server.name].note_death(code)
                say(f"[{server.name}] {how(code)}; starting again")
                server.start(tick)
            server.look()

    def stop(self) -> None:
        """Stop those that are ours."""
        for server in self.servers:
            server.stop()


def _kind(chosen: str, folder: DataFolder) -> Kind:
    if not is_kind(chosen):
        raise CannotStart(
            f"{folder.config_path}: {chosen!r} is no kind of store ({', '.join(KINDS)}, or a URL)"
        )
    return chosen
