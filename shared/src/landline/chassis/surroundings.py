"""Which failures are the surroundings' (network, store, disk) and which are the entry's or the code's own.

A failure of the surroundings is waited out and never counts against a message (architecture 3.3).
"""

from __future__ import annotations

import asyncpg
import httpx
import redis.exceptions as redis_errors
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# SQLSTATE classes: 08 connection, 25P0x/40 rollback and serialization, 53 resources and disk,
# 55 object not in state (lock_not_available), 57 operator intervention, 58 system error.
_SQLSTATE_CLASSES = ("08", "40", "53", "55", "57", "58")

_PLAIN = (
    OSError,
    TimeoutError,
    httpx.TransportError,
    PoolTimeout,
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.BusyLoadingError,
    redis_errors.ReadOnlyError,
    redis_errors.TryAgainError,
    redis_errors.ClusterDownError,
    redis_errors.OutOfMemoryError,
    redis_errors.MaxConnectionsError,
)
_REDIS_PREFIXES = ("LOADING", "MASTERDOWN", "NOREPLICAS", "MISCONF", "UNBLOCKED", "CLUSTERDOWN")
LAST_S = 5.0


def is_surroundings(error: BaseException) -> bool:
    """True when waiting and repeating the same work can help, because the work itself was not at fault."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or (error.orig is not None and is_surroundings(error.orig))
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(_SQLSTATE_CLASSES)
    if isinstance(error, asyncpg.InterfaceError):
        return True  # "connection is closed", "pool is closing"
    if isinstance(error, redis_errors.ResponseError):
        return str(error).startswith(_REDIS_PREFIXES)
    cause = error.__cause__
    return isinstance(error, _PLAIN) or (cause is not None and is_surroundings(cause))


class Backoff:
    """Waiting times that double from `first_s` to `last_s`; `reset` after a success."""

    def __init__(self, first_s: float = 0.05, last_s: float = LAST_S) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait this time, in seconds."""
        wait_s = self._next_s
        self._next_s = min(self._next_s * 2, self._last_s)
        return wait_s

    def reset(self) -> None:
        """Begin again with the shortest wait."""
        self._next_s = self._first_s
