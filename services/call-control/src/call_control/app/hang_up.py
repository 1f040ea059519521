"""An operator ends a call: the same cut that the end of the money makes, at this moment."""

from __future__ import annotations

from typing import Final

from call_control.app.call_port import Calls
from call_control.app.recorded import TRIES, CallBusy
from call_control.domain.lease import Extend, Lease
from call_control.domain.live_call import LiveCall, State
from call_control.domain.replies import Status

CAUSE_OPERATOR: Final = "operator"


class HangUpRefused(Exception):
    """This call can't be hung up: `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def hang_up(calls: Calls, call: LiveCall, now_ms: int) -> None:
    """Set the call's cut to now: keeper and heartbeat tell its edge, and it is billed to this second.

    Raises HangUpRefused for a call that does not talk, or an emergency call; CallBusy.
    """
    current: LiveCall | None = call
    for _ in range(TRIES):
        if current is None or current.state is State.ENDED:
            raise HangUpRefused("call_over", "the call has ended")
        if not current.cuttable:
            raise HangUpRefused("emergency_call", "emergency calls are never hung up")
        if current.answered_ms is None:
            raise HangUpRefused("not_answered", "the call is not answered yet: its caller can cancel it")
        if current.cut_at_ms is not None and current.cut_at_ms <= now_ms:
            return
        lease = Lease(current.covered_s, current.held_micros, CAUSE_OPERATOR)
        reply = await calls.extend(current, Extend(lease, 0, now_ms, now_ms), now_ms)
        if reply.status is Status.EXTENDED:
            return
        current = await calls.read_call(call.call_id)
    raise CallBusy(call.call_id)
