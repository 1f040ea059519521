"""What a replica has, a fail-over keeps: one WAIT per batch that writes calls or money (architecture 3.2).

A write whose WAIT comes short is done on the primary all the same; whoever sent it is told `NotReplicated`
and must treat it as not kept: an end is reported again, an admission is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import RedisError

WAIT_MS: Final = 100
WRITES: Final = frozenset({"EVALSHA", "EVAL", "SET"})
"""Calls and money change in scripts only; a SET confirms what an earlier connection wrote."""


class NotReplicated(RedisError):
    """Fewer replicas than demanded have confirmed this write in time."""

    def __init__(self, have: int = 0, need: int = 0) -> None:
        super().__init__(f"{have} of {need} replicas have confirmed")
        self.args = (have, need)

    def __str__(self) -> str:
        return "{} of {} replicas have confirmed".format(*self.args)


def writes(command: Sequence[Any]) -> bool:
    """Whether a command changes calls or money."""
    return command[0] in WRITES


def wait(replicas: int) -> tuple[str, int, int]:
    """The command that ends a batch of writes."""
    return ("WAIT", replicas, WAIT_MS)


def judged(value: Any, have: Any, need: int) -> Any:
    """A write's reply, or the error that stands for it when too few replicas have it."""
    if isinstance(value, Exception) or (isinstance(have, int) and have >= need):
        return value
    return have if isinstance(have, Exception) else NotReplicated(int(have), need)
