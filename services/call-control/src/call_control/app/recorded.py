"""How a report about a call ended up, and the rules all reports share."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from call_control.domain.live_call import LiveCall

TRIES: Final = 5


class Recorded(StrEnum):
    """DONE answers 204, also when the report came late or twice; UNKNOWN answers 404."""

    DONE = "done"
    UNKNOWN = "unknown"


class CallBusy(RuntimeError):
    """The call changed under us five times in a row: the edge repeats its report (503)."""

    code = "call_busy"
    status = 503

    def __init__(self, call_id: str) -> None:
        super().__init__(f"call {call_id} kept changing")


def foreign(call: LiveCall, edge_id: str | None) -> bool:
    """Whether it is another edge's call: to this one it does not exist. None: we ask ourselves."""
    return edge_id is not None and call.facts.edge_id not in (None, edge_id)


def within(moment_ms: int, call: LiveCall, now_ms: int) -> int:
    """An edge's clock believed as far as it can be: not before the admission, not in our future."""
    return max(call.facts.admitted_at_ms, min(moment_ms, now_ms))
