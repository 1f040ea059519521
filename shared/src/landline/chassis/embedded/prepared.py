"""Whether the database was already prepared by exactly these migrations, so that a start may skip the step.

A process that imports SQLAlchemy and Alembic only to find nothing to do costs a second or two of every
start. Skipped only for our own PostgreSQL: a configured one may change behind our back.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("provisioning", "call_control", "billing", "notifier")
_HERE = Path(__file__).parent


def _ingredients() -> Iterator[Path]:
    yield from (
        _HERE / "roles.sql",
        _HERE / "migrate.py",
        _HERE.parent / "migrations.py",
        _HERE.parent / "postgres.py",
    )
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations if spec else None) or ():
            yield from sorted(Path(folder, "migrations").rglob("*.py"))


class Prepared:
    """The note in DATA/run/prepared: a hash of all migrations and the identity of the cluster's folder."""

    def __init__(self, data: Path) -> None:
        self._note = data / "run" / "prepared"
        self._cluster = data / "postgres" / "PG_VERSION"

    def _fingerprint(self) -> str:
        state = self._cluster.stat()  # another cluster put in its place has another inode or time
        digest = hashlib.sha256(f"{state.st_ino} {state.st_mtime_ns}".encode())
        for path in _ingredients():
            digest.update(path.read_bytes() if path.exists() else b"")
        return digest.hexdigest()

    def is_current(self) -> bool:
        """True when nothing has to be done."""
        try:
            return self._note.read_text() == self._fingerprint()
        except OSError:
            return False

    def remember(self) -> None:
        """After the step has succeeded."""
        self._note.write_text(self._fingerprint())
