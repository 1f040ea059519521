"""Who one is: the platform's address and the tokens of `landline login`, in a file only its owner reads.

The refresh token rotates, and one used twice ends the session (reuse detection): so the file is locked
while tokens are renewed, and whoever waited uses what the other one got.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from landline.cli.exits import Exit, Failed

DEFAULT_URL = "http://127.0.0.1:8080"
MODE = 0o600


@dataclass(frozen=True)
class Profile:
    """What the file holds. `expires_at`: Unix seconds of the access token."""

    url: str = DEFAULT_URL
    username: str | None = None
    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: float = 0.0


def path() -> Path:
    """LANDLINE_CLI_CONFIG, else below XDG_CONFIG_HOME, else ~/.config."""
    if given := os.environ.get("LANDLINE_CLI_CONFIG"):
        return Path(given)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "landline" / "cli.json"


def load() -> Profile:
    """The file, or an empty profile. Failed when others can read it, or it is no profile."""
    try:
        mode = stat.S_IMODE(path().stat().st_mode)
        found = json.loads(path().read_text("utf-8"))
    except FileNotFoundError:
        return Profile()
    except (OSError, ValueError) as error:
        raise Failed(Exit.USAGE, f"{path()} cannot be read: {error}") from None
    if mode & 0o077:
        raise Failed(Exit.USAGE, f"{path()} can be read by others: chmod 600 {path()}, then log in again")
    try:
        return Profile(**found)
    except TypeError:
        raise Failed(Exit.USAGE, f"{path()} is no profile of landline: remove it and log in") from None


def save(profile: Profile) -> None:
    """Write it, 0600 from its first byte on, and never half."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "w") as file:
        json.dump(asdict(profile), file)
    new.replace(target)


def forget() -> None:
    """Log out here."""
    path().unlink(missing_ok=True)


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time renews tokens."""
    path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = path().with_name(f"{path().name}.lock")
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, MODE), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
