"""The data folder: one run at a time, and what its first start chose.

DATA/config.json (mode 0600) holds kinds of stores, generated passwords and keys. It is written before
anything that needs it, so a folder is either empty or explains itself. Nothing here deletes data.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from landline.chassis.embedded.errors import CannotStart

ROLES = ("landline_owner", "provisioning", "call_control", "billing", "notifier")
FORMAT = 1
_LOCK_WAIT_S = 3.0


def _word() -> str:
    return secrets.token_urlsafe(24)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True)
class Config:
    """What the first start chose. `postgres` and `redis` are a kind of binaries, or a configured URL."""

    postgres: str
    redis: str
    admin_password: str
    format: int = FORMAT
    superuser_password: str = field(default_factory=_word)
    redis_password: str = field(default_factory=_word)
    passwords: dict[str, str] = field(default_factory=lambda: {role: _word() for role in ROLES})
    internal_key: str = field(default_factory=_word)
    ticket_key: str = field(default_factory=_key)
    secrets_key: str = field(default_factory=_key)


class DataFolder:
    """An opened data folder; open() takes its lock, which every server of the run inherits."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self.lock_fd = lock_fd

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Make or enter the folder and lock it; CannotStart when that is not possible."""
        path = path.absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("logs", "mails", "run"):
                (path / name).mkdir(mode=0o700, exist_ok=True)
            lock_fd = os.open(path / "landline.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotStart(
                f"cannot use the data folder {path}: {error.strerror} ({error.filename})"
            ) from None
        _lock(lock_fd, path)
        return cls(path, lock_fd)

    @property
    def config_path(self) -> Path:
        """DATA/config.json."""
        return self.path / "config.json"

    def config(self, first: Callable[[], Config]) -> tuple[Config, bool]:
        """What is recorded, or `first()` recorded now; and whether this is the first start."""
        if self.config_path.exists():
            return self._read(), False
        if (self.path / "postgres").exists():
            raise CannotStart(
                f"{self.config_path} is missing, and it holds the passwords of {self.path / 'postgres'}: "
                "put it back from a backup, or choose another data folder; nothing was changed"
            )
        config = first()
        self._write(config)
        return config, True

    def _read(self) -> Config:
        try:
            values: dict[str, Any] = json.loads(self.config_path.read_text())
            config = Config(**values)
        except (OSError, ValueError, TypeError) as error:
            raise CannotStart(
                f"{self.config_path} cannot be read ({error}): put it back from a backup (it holds the "
                "passwords and keys of this folder), or choose another data folder; nothing was changed"
            ) from None
        self._check(config)
        return config

    def _check(self, config: Config) -> None:
        words = [config.postgres, config.redis, config.admin_password, *config.passwords.values()]
        if config.format != FORMAT:
            raise CannotStart(f"{self.config_path} was written by another version (format {config.format})")
        if not all(isinstance(word, str) and word for word in words) or set(config.passwords) != set(ROLES):
            raise CannotStart(
                f"{self.config_path} is not whole: put it back from a backup; nothing was changed"
            )

    def _write(self, config: Config) -> None:
        temporary = self.config_path.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(config), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.config_path)


def _lock(lock_fd: int, path: Path) -> None:
    """Exclusive, or CannotStart. A killed run's servers hold it for a moment: wait for those."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(lock_fd, 32, 0).decode("ascii", "replace").strip()
            if _alive(holder) or time.monotonic() > deadline:
                raise CannotStart(
                    f"another Landline (process {holder or '?'}) already runs on {path}: "
                    "stop it, or choose another data folder"
                ) from None
            time.sleep(0.1)
    os.ftruncate(lock_fd, 0)
    os.pwrite(lock_fd, f"{os.getpid()}\n".encode(), 0)


def _alive(pid: str) -> bool:
    return pid.isdigit() and Path("/proc", pid).exists()
