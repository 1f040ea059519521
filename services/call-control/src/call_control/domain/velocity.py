"""How many calls a client was admitted in the last minute: one text field of its counters (domain.md 4.7).

One row per admitted call, oldest first: 13 digits of Unix ms, then 12 characters that stand for its device.
`admit_call.lua` reads and writes it in the step that creates the call, so it is exact under parallelism and
costs no command of its own; a simulation reads it here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WINDOW_MS: Final = 60_000
STAMP: Final = 12
ROW: Final = 13 + STAMP


class TooFast(NamedTuple):
    """Whose limit is met (device | client), how many calls there were, when the next is free."""

    whose: str
    limit: int
    calls: int
    retry_ms: int


def stamp_of(device_id: str | None) -> str:
    """The end of a UUIDv7, which is random."""
    return (device_id or "")[-STAMP:].rjust(STAMP, "-")


def too_fast(recent: str, device: str, device_max: int, client_max: int, now_ms: int) -> TooFast | None:
    """What the script would say of a call of the device with this stamp; 0 is unlimited."""
    rows = [(int(recent[i : i + 13]), recent[i + 13 : i + ROW]) for i in range(0, len(recent), ROW)]
    times = [at_ms for at_ms, _ in rows if at_ms > now_ms - WINDOW_MS]
    if 0 < client_max <= len(times):
        return TooFast("client", client_max, len(times), times[-client_max] + WINDOW_MS - now_ms)
    mine = [at_ms for at_ms, whose in rows if whose == device and at_ms > now_ms - WINDOW_MS]
    if 0 < device_max <= len(mine):
        return TooFast("device", device_max, len(mine), mine[-device_max] + WINDOW_MS - now_ms)
    return None
