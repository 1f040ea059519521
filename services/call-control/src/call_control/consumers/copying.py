"""Taking the copy of the facts at intervals: by one process of each host (architecture 3.2).

The consumer does it; a host that only serves does it itself, when it sees that nobody else does.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from landline.chassis.background import rounds
from landline.kernel.clock import Clock

from call_control.adapters.facts_copy import FactsCopy, NotBuilt, copies

LOOK_EVERY_S: Final = 30.0
SERVERS_WAIT: Final = 3
"""A serving process waits for so many intervals before it takes the copy itself."""
log = structlog.get_logger(__name__)


async def run_copies(copy: FactsCopy, clock: Clock, every_s: float, stop: asyncio.Event) -> None:
    """Take a copy whenever the host's newest is older than `every_s`, until told to stop; 0: never."""

    async def look() -> None:
        try:
            await copy_if_due(copy, clock, every_s)
        except NotBuilt:
            log.info("facts not copied: the read model is not built yet")

    if every_s > 0:
        await rounds("copy of the facts", look, stop, every_s=min(LOOK_EVERY_S, every_s))


async def copy_if_due(copy: FactsCopy, clock: Clock, every_s: float) -> bool:
    """Whether a copy was taken: not when there is a young one, nor while another process takes it."""
    if not _is_due(copy, clock, every_s):
        return False
    with _alone(copy.folder) as mine:
        if not mine or not _is_due(copy, clock, every_s):
            return False
        await copy.write(clock.now_ms())
        return True


def _is_due(copy: FactsCopy, clock: Clock, every_s: float) -> bool:
    newest = next(iter(copies(copy.folder)), None)
    return newest is None or abs(clock.now_ms() - newest.taken_ms) >= every_s * 1000


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether we hold the host's lock; it ends with its process."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
