"""A copy of the read model on this host's disk, for workers that start while Redis is away.

`<data>/facts/<taken_ms>-<sha256 of the file>.sqlite`: one table, (key, field) -> value as in Redis
(architecture 3.2). The name is its own checksum, so a file is whole or is refused. What is secret in the read
model is sealed there already (`chassis.secrets`) and stays so; the folder is this user's alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from landline.chassis.redis import AutoBatch
from prometheus_client import Gauge

from call_control.adapters import read_model_keys as keys
from call_control.adapters.model_scan import MODEL, fields, scanned

FORM: Final = 1
"""PRAGMA user_version of the files: another form is refused."""
KEPT: Final = 2
"""The newest, and the one before it, should the newest be damaged."""
CONTACTS: Final = "*landline:contacts:*"
PAGE_BYTES: Final = 4096
ROWS_AT_ONCE: Final = 2_000
INSERT: Final = "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)"
FOLDER: Final = "facts"
TAKEN = Gauge("landline_facts_copy_taken_seconds", "When the copy of the read model was taken (Unix time)")
BYTES = Gauge("landline_facts_copy_bytes", "Size of the copy of the read model")


class NotBuilt(Exception):
    """The read model is not there, or not whole: a copy of it would replace a better one."""


class CopyFile(NamedTuple):
    """A file as its name tells it."""

    path: Path
    taken_ms: int
    sha256: str


Row = tuple[str, bytes, bytes]


class _Written:
    """Rows on their way to the file: some thousand at a time, in a thread, since a disk may take its time."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._rows: list[Row] = []
        self._writing = asyncio.Lock()

    async def add(self, rows: list[Row]) -> None:
        """Kept until there are enough; whoever comes while they are written waits."""
        self._rows += rows
        if len(self._rows) >= ROWS_AT_ONCE:
            async with self._writing:
                await self._write()

    async def finish(self) -> None:
        """All are in the file when this returns."""
        await self._write()
        await asyncio.to_thread(self._database.commit)

    async def _write(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            await asyncio.to_thread(self._insert, rows)

    def _insert(self, rows: list[Row]) -> None:
        # Its cursor ends here, in this thread: ended elsewhere, it resets a statement that is in use again.
        self._database.executemany(INSERT, rows)


class FactsCopy:
    """Writes copies. One process of a host at a time: see `consumers.copying`."""

    def __init__(self, batch: AutoBatch, data: Path, most_bytes: int) -> None:
        self._batch = batch
        self._folder = data / FOLDER
        self._most_bytes = most_bytes

    @property
    def folder(self) -> Path:
        """Where the copies are."""
        return self._folder

    async def write(self, now_ms: int) -> CopyFile:
        """Take a copy; older ones are removed when it is there.

        Raises NotBuilt, redis errors, OSError, or sqlite3.Error, also for what is larger than allowed; the
        copies of before are then still there.
        """
        await self._check_built()
        draft = await asyncio.to_thread(self._begin)
        try:
            with closing(_connected(draft, self._most_bytes)) as database:
                written = _Written(database)
                for pattern in (MODEL, CONTACTS):
                    await self._take(written, pattern)
                await written.finish()
            await self._check_built()  # emptied meanwhile: half of it is worse than all of an hour ago
            made = await asyncio.to_thread(self._publish, draft, now_ms)
        finally:
            draft.unlink(missing_ok=True)
        TAKEN.set(made.taken_ms / 1000)
        BYTES.set(made.path.stat().st_size)
        return made

    async def _check_built(self) -> None:
        if not await self._batch.execute("EXISTS", keys.READY):
            raise NotBuilt(keys.READY)

    async def _take(self, written: _Written, pattern: str) -> None:
        async for found in scanned(self._batch, pattern):
            await asyncio.gather(*(self._take_key(written, key) for key in found))

    async def _take_key(self, written: _Written, key: str) -> None:
        """Page by page: a pool of a million numbers must not be in memory at once."""
        async for page in fields(self._batch, key):
            await written.add([(key, *pair) for pair in page.items()])

    def _begin(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.glob(".draft-*"):  # by a process that was killed; we hold the host's lock
            left.unlink(missing_ok=True)
        return self._folder / f".draft-{os.getpid()}"

    def _publish(self, draft: Path, now_ms: int) -> CopyFile:
        with draft.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        made = CopyFile(self._folder / f"{now_ms:013d}-{digest}.sqlite", now_ms, digest)
        os.chmod(draft, 0o600)
        os.replace(draft, made.path)
        others = [each for each in copies(self._folder) if each.path != made.path]
        before = [each for each in others if each.taken_ms <= now_ms]  # else by a clock that was set back
        for old in set(others) - set(before[: KEPT - 1]):
            old.path.unlink(missing_ok=True)
        return made


def copies(folder: Path) -> list[CopyFile]:
    """The copies that are there, newest first."""
    found = []
    for path in folder.glob("*.sqlite"):
        taken, _, digest = path.stem.partition("-")
        if taken.isdigit():
            found.append(CopyFile(path, int(taken), digest))
    return sorted(found, key=lambda each: each.taken_ms, reverse=True)


def _connected(draft: Path, most_bytes: int) -> sqlite3.Connection:
    """Without a journal: a draft that was not finished is thrown away."""
    database = sqlite3.connect(draft, check_same_thread=False)
    database.executescript(
        f"PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
        f"PRAGMA max_page_count = {max(1, most_bytes // PAGE_BYTES)}; PRAGMA user_version = {FORM};"
        "CREATE TABLE facts (key TEXT, field BLOB, value BLOB, PRIMARY KEY (key, field)) WITHOUT ROWID;"
    )
    return database
