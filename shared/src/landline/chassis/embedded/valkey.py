"""An embedded Valkey (or Redis): every write on disk before it is acknowledged, never evicting."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from landline.chassis.embedded.binaries import Kind, valkey_server
from landline.chassis.embedded.process import HOST, Command, Server, answers, nothing

# Architecture 3.2: services are not ready on anything weaker.
_SETTINGS = {
    "bind": HOST,
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "save": '""',
    # A rewrite takes a core for seconds: seldom, and without compressing what the next one replaces. At 3,000
    # admissions/s on two threads each (one every 8 s) made calls wait up to 450 ms (decision 0032).
    "auto-aof-rewrite-min-size": "256mb",
    "rdbcompression": "no",
    "tcp-backlog": "511",
    "loglevel": "notice",
}

_LAST = 19
"""The nice value of who gets only what nobody else wants."""


class Valkey(Server):
    """Valkey over one folder, with a password."""

    def __init__(
        self,
        folder: Path,
        password: str,
        log: Path,
        *,
        kind: Kind = "wheels",
        port: int = 0,
        keep_fds: Sequence[int] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("Valkey", log, port, keep_fds)
        self.folder = folder.absolute()
        self.password = password
        self._kind = kind
        self._program = Path()
        self._settings = {**_SETTINGS, **(settings or {})}

    def url(self, database: int = 0) -> str:
        """`redis://:password@127.0.0.1:port/0`; the password is made of URL-safe characters."""
        return f"redis://:{self.password}@{HOST}:{self.port}/{database}"

    def setting(self, name: str) -> str:
        """One directive of this server's configuration."""
        return self._settings[name]

    def start(self, tick: Callable[[], None] = nothing) -> None:
        """Start, return when the append-only file is loaded and commands are answered."""
        self._program = valkey_server(self._kind)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run(tick=tick)

    def look(self) -> None:
        """A child rewrites the append-only file: it is in no hurry, calls are (decision 0032)."""
        if self.process is None:
            return
        pid = self.process.pid
        with contextlib.suppress(OSError):  # it has ended meanwhile, or this is no Linux
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.setpriority(os.PRIO_PROCESS, int(child), _LAST)

    def _command(self) -> Command:
        return [self._program, self._write_configuration()]

    def _write_configuration(self) -> Path:
        quoted = str(self.folder).replace("\\", "\\\\").replace('"', '\\"')
        own = {"port": str(self.port), "dir": f'"{quoted}"', "requirepass": self.password}
        path = self.folder / "valkey.conf"
        path.touch(0o600)
        path.write_text("".join(f"{name} {value}\n" for name, value in {**self._settings, **own}.items()))
        return path

    def _ready(self) -> bool:
        # While the append-only file loads, the answer to PING is -LOADING.
        return b"+PONG" in answers(self.port, f"AUTH {self.password}\r\nPING\r\n".encode())
