"""An embedded PostgreSQL: made once, started on 127.0.0.1 with passwords, never through a Unix socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from landline.chassis.embedded.binaries import Kind, postgres_bin, postgres_major
from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.identity import Identity, hand_over, postgres_identity
from landline.chassis.embedded.process import HOST, Command, Server, answers, guarded, nothing

SUPERUSER = "landline_admin"

# Small: the whole embedded run has 500 MB. Anything here may be overridden by `settings`.
_SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "posix",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def _startup_packet(user: str) -> bytes:
    body = struct.pack("!i", 196608) + b"".join(
        f"{w}\0".encode() for w in ("user", user, "database", "postgres", "")
    )
    return struct.pack("!i", len(body) + 4) + body


class Postgres(Server):
    """PostgreSQL over one folder. `url()` gives DSNs; `password` is the superuser's."""

    stop_signal = signal.SIGINT  # PostgreSQL's "fast" shutdown: disconnect everybody, write a checkpoint

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
        super().__init__("PostgreSQL", log, port, keep_fds)
        self.folder = folder.absolute()
        self.password = password
        self._kind = kind
        self._binaries = Path()
        self._settings = {**_SETTINGS, **(settings or {})}

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """`postgresql://user:password@127.0.0.1:port/database`."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{HOST}:{self.port}/{database}"

    def start(self, tick: Callable[[], None] = nothing) -> None:
        """Make the cluster if there is none; return when it accepts connections. CannotStart says why not."""
        origin = postgres_bin(self._kind)
        self._check_folder(postgres_major(origin))
        making = not self.folder.exists()
        folder = self.folder.with_name(self.folder.name + ".making") if making else self.folder
        if making:
            shutil.rmtree(folder, ignore_errors=True)  # an initdb that was cut short; nothing ever ran on it
            folder.mkdir(mode=0o700, parents=True)
        binaries, identity = postgres_identity(origin, folder)
        hand_over(folder, identity)
        if making:
            self._initdb(binaries, identity, folder)
            folder.rename(self.folder)
        self._binaries = binaries
        self._run(identity.label, tick)

    def _command(self) -> Command:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        return [self._binaries / "postgres", "-D", self.folder, "-h", HOST, "-p", str(self.port), *options]

    def _initdb(self, binaries: Path, identity: Identity, folder: Path) -> None:
        locale = ["--locale=C.UTF-8"]
        if postgres_major(binaries) >= 17:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        read_end, write_end = os.pipe()  # the password is never in a file nor on a command line
        if identity.owner:
            os.fchown(read_end, *identity.owner)
        os.write(write_end, self.password.encode())
        os.close(write_end)
        command: Command = [
            binaries / "initdb",
            "-D",
            folder,
            "-U",
            SUPERUSER,
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
        ]
        command += ["--pwfile", f"/dev/fd/{read_end}", "--data-checksums", *locale]
        try:
            done = subprocess.run(
                guarded(command, signal.SIGKILL, identity.label),
                pass_fds=[read_end],
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(read_end)
        if done.returncode:
            raise CannotStart(f"PostgreSQL could not make its folder {folder}:\n{done.stderr.strip()}", 1)

    def _check_folder(self, major: int) -> None:
        """Refuse a cluster that these servers cannot run, naming the file. Nothing is changed."""
        if not self.folder.exists():
            return
        version, control = self.folder / "PG_VERSION", self.folder / "global" / "pg_control"
        with contextlib.suppress(PermissionError):
            for needed in (version, control):
                if not needed.exists():
                    raise CannotStart(
                        f"{self.folder} is not a whole PostgreSQL cluster ({needed} is missing): put it back "
                        "from a backup, or move it away to begin with an empty one; nothing was changed"
                    )
            if (found := version.read_text().strip()) != str(major):
                raise CannotStart(
                    f"{version} says {found!r}, but the servers here are PostgreSQL {major}: start it with a "
                    f"PostgreSQL {found} and pg_dump it, or choose another data folder; nothing was changed"
                )

    def _ready(self) -> bool:
        # 'R' asks for the password: accepting. 'E' (57P03) is "the database system is starting up".
        return answers(self.port, _startup_packet(SUPERUSER))[:1] == b"R"
