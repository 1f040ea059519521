"""The two stores of an embedded run or of a test session, started and stopped together.

with tempfile.TemporaryDirectory() as folder:
    stores = Stores.new(Path(folder))
    stores.start()
    stores.valkey.kill(); stores.valkey.start()      # same port, same data
    stores.stop()
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from landline.chassis.embedded.binaries import Kind
from landline.chassis.embedded.postgres import Postgres
from landline.chassis.embedded.process import nothing
from landline.chassis.embedded.valkey import Valkey


@dataclass
class Stores:
    """Postgres and Valkey over one folder. Each has start(), stop(), kill(), url(), port, running."""

    postgres: Postgres
    valkey: Valkey

    @classmethod
    def new(
        cls,
        folder: Path,
        *,
        kind: Kind = "wheels",
        passwords: tuple[str, str] | None = None,
        logs: Path | None = None,
        keep_fds: Sequence[int] = (),
        postgres_settings: Mapping[str, str] | None = None,
    ) -> Stores:
        """Not started yet. `passwords`: superuser's, Valkey's; generated when not given."""
        first, second = passwords or (secrets.token_urlsafe(24), secrets.token_urlsafe(24))
        logs = logs or folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(
            Postgres(
                folder / "postgres",
                first,
                logs / "postgres.log",
                kind=kind,
                keep_fds=keep_fds,
                settings=postgres_settings,
            ),
            Valkey(folder / "valkey", second, logs / "valkey.log", kind=kind, keep_fds=keep_fds),
        )

    def start(self, tick: Callable[[], None] = nothing) -> None:
        """Both, or neither: what was started is stopped again when the other cannot start."""
        try:
            self.postgres.start(tick)
            self.valkey.start(tick)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Both, Valkey last: it is the quicker to answer a last write."""
        self.postgres.stop()
        self.valkey.stop()
