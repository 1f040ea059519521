"""The log files of a run: rotated at each start, followed for what the terminal should show.

Children write to their file themselves and the supervisor reads along: a terminal that stands still
(Ctrl-S) never holds up a child, as a pipe through the supervisor would.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from landline.chassis.embedded.console import say

KEEP = 3
LIMIT_BYTES = 64 * 1024 * 1024
_SHOWN_LEVELS = {"warning", "error", "critical"}
_READ_BYTES = 256 * 1024
_LINE_CHARS = 2000


def rotate(path: Path) -> None:
    """`web.log` becomes `web.log.1`, `.1` becomes `.2`, and so on; the oldest of `KEEP` goes."""
    for number in range(KEEP, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)


def cut(path: Path) -> bool:
    """Copy a file over the limit to `.1` and empty it: its writer appends, and goes on at the start."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > LIMIT_BYTES:
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
            with path.open("r+b") as file:
                file.truncate(0)
            return True
    return False


def shown(line: str, verbose: bool) -> bool:
    """Whether a child's line goes to the terminal: warnings and worse, and what is no log line at all."""
    if verbose:
        return bool(line.strip())
    try:
        event = json.loads(line)
    except ValueError:
        return bool(line.strip())  # a traceback, say
    return not isinstance(event, dict) or str(event.get("level", "warning")).lower() in _SHOWN_LEVELS


class Follower:
    """Shows the lines that a child appended to its file since the last look."""

    def __init__(self, name: str, path: Path, verbose: bool) -> None:
        self.name = name
        self.path = path
        self._verbose = verbose
        self._read_to = 0
        self._rest = b""

    def look(self) -> None:
        """Show new lines. A missing file has none."""
        if cut(self.path):
            self._read_to = 0
        with contextlib.suppress(OSError), self.path.open("rb") as file:
            if self.path.stat().st_size == self._read_to:
                return
            file.seek(self._read_to)
            while chunk := file.read(_READ_BYTES):
                self._read_to += len(chunk)
                self._show(chunk)

    def _show(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace")
            if shown(line, self._verbose):
                say(f"[{self.name}] {line[:_LINE_CHARS]}")
        if len(self._rest) > _READ_BYTES:  # not a line of ours
            self._rest = b""
