"""Reading this host's copy of the read model: only when Redis can't be reached."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import structlog
from landline.kernel.clock import iso
from prometheus_client import Counter

from call_control.adapters.facts_copy import FOLDER, FORM, CopyFile, copies
from call_control.adapters.model_rows import RedisAway

LOOK_EVERY_S: Final = 5.0
CACHE_KB: Final = 4096
USED = Counter("landline_facts_copy_reads_total", "Facts read from the copy because Redis was away")
REFUSED = Counter("landline_facts_copy_refused_total", "Copies that were not used, by why", ["why"])
log = structlog.get_logger(__name__)


class CopyRefused(Exception):
    """A copy that must not be used: `old`, `damaged` or `form`."""

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why


class CopiedRows:
    """`model_rows.Rows` of the newest good copy. A newer one is looked for every five seconds of use."""

    current = False

    def __init__(self, data: Path, now_ms: Callable[[], int], most_age_s: int) -> None:
        self._folder = data / FOLDER
        self._now_ms = now_ms
        self._most_age_s = most_age_s
        self._database: sqlite3.Connection | None = None
        self._opened: CopyFile | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._trouble: str | None = None

    async def missing(self) -> str | None:
        """For readiness while Redis is away: None, or why there is nothing to decide by."""
        await self._look()
        return None if self._database is not None else self._trouble

    async def hash(self, key: str) -> dict[bytes, bytes]:
        """All fields of a hash as they were. Raises RedisAway when there is no good copy."""
        return dict(await self._read("SELECT field, value FROM facts WHERE key = ?", key))

    async def hashes(self, *keys: str) -> list[dict[bytes, bytes]]:
        """As `hash`, for each."""
        return [await self.hash(key) for key in keys]

    async def field(self, key: str, field: str) -> bytes | None:
        """One field as it was, or None. Raises RedisAway when there is no good copy."""
        found = await self._read("SELECT value FROM facts WHERE key = ? AND field = ?", key, field.encode())
        return found[0][0] if found else None

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
        self._database = self._opened = None

    async def _read(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        await self._look()
        if self._database is None:
            raise RedisAway(f"and no copy of the facts can be used: {self._trouble}")
        USED.inc()
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:  # it was whole when it was opened
            self.close()
            raise RedisAway(f"and the copy of the facts can't be read: {error}") from error

    async def _look(self) -> None:
        async with self._looking:
            if monotonic() - self._looked_at >= LOOK_EVERY_S:
                await self._open_newest()
                self._looked_at = monotonic()

    async def _open_newest(self) -> None:
        found = await asyncio.to_thread(copies, self._folder)
        self._trouble = None if found else "no copy was ever taken on this host"
        for copy in found:
            if self._opened is not None and copy.path == self._opened.path and not self._too_old(copy):
                return
            try:
                database = await asyncio.to_thread(self._checked, copy)
            except (CopyRefused, OSError, sqlite3.Error) as error:
                self._refuse(copy, error)
                continue
            self.close()
            self._database, self._opened = database, copy
            log.warning("Redis is away: facts are read from the copy", taken=iso(copy.taken_ms))
            return
        self.close()

    def _refuse(self, copy: CopyFile, error: Exception) -> None:
        why = error.why if isinstance(error, CopyRefused) else "damaged"
        REFUSED.labels(why).inc()
        self._trouble = self._trouble or f"{copy.path.name[:20]}: {error}"
        log.error("copy of the facts refused", file=copy.path.name, why=why, error=str(error))

    def _too_old(self, copy: CopyFile) -> bool:
        return self._now_ms() - copy.taken_ms > self._most_age_s * 1000

    def _checked(self, copy: CopyFile) -> sqlite3.Connection:
        """The copy, opened for reading with little memory. Raises CopyRefused."""
        if self._too_old(copy):
            raise CopyRefused("old", f"taken {iso(copy.taken_ms)}, more than {self._most_age_s} s ago")
        with copy.path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != copy.sha256:
                raise CopyRefused("damaged", "its content is not what its name says")
        where = f"{copy.path.absolute().as_uri()}?mode=ro&immutable=1"
        database = sqlite3.connect(where, uri=True, check_same_thread=False)
        database.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        [form] = database.execute("PRAGMA user_version").fetchone()
        if form != FORM:
            database.close()
            raise CopyRefused("form", f"of form {form}, this version reads {FORM}")
        return database
