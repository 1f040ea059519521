"""Ends of calls that can't be settled because Redis is away, on this host's disk (architecture 3.2).

One file per call, written whole or not at all, so any number of processes may share the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from call_control.app.record_end import EndReport

REFUSED = "refused"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EndReport).decode
log = structlog.get_logger(__name__)


class Kept(NamedTuple):
    """A report that waits."""

    call_id: str
    report: EndReport


class Spool:
    """Reports by call id in one folder. Methods block for a disk write; errors are OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, call_id: str, report: EndReport) -> None:
        """On disk when this returns; a repeated report replaces the first."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{call_id}.{os.getpid()}"
        with draft.open("wb") as file:
            file.write(_encode(report))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / f"{call_id}.json")
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)  # the name, too
        finally:
            os.close(handle)

    def __len__(self) -> int:
        return sum(1 for _ in self._folder.glob("*.json"))

    def refused(self) -> int:
        """How many nobody could settle."""
        return sum(1 for _ in (self._folder / REFUSED).glob("*.json"))

    def kept(self) -> Iterator[Kept]:
        """All that wait, oldest first; a file that can't be read is put aside."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                yield Kept(path.stem, _decode(path.read_bytes()))
            except FileNotFoundError:
                continue  # another process was faster
            except msgspec.MsgspecError as error:
                log.error("spooled report can't be read", file=path.name, error=str(error))
                self.put_aside(path.stem)

    def done(self, call_id: str) -> None:
        """It is settled."""
        (self._folder / f"{call_id}.json").unlink(missing_ok=True)

    def put_aside(self, call_id: str) -> None:
        """Nobody can settle it: kept for people to look at."""
        (self._folder / REFUSED).mkdir(exist_ok=True)
        path = self._folder / f"{call_id}.json"
        if path.exists():
            path.rename(self._folder / REFUSED / path.name)
