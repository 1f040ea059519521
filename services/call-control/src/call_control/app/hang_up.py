"""An operator ends a call: the same cut that the end of the money makes, at this moment."""

from __future__ import annotations

import contextlib
from typing import Final

from call_control.app.call_port import Calls
from call_control.app.close_legs import dialog_of
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
    """Cut the call now, and those of its dialog, which end with it: none of them is billed on.

    Raises HangUpRefused for a call that does not talk, or that an emergency call hangs on; CallBusy.
    """
    dialog = await dialog_of(calls, call)
    if not all(each.cuttable for each in dialog):
        raise HangUpRefused("emergency_call", "emergency calls are never hung up")
    await _cut(calls, call, now_ms)
    for other in dialog[1:]:
        with contextlib.suppress(HangUpRefused):  # it rings yet, or is over
            await _cut(calls, other, now_ms)


async def _cut(calls: Calls, call: LiveCall, now_ms: int) -> None:
    """Set the call's cut to now: keeper and heartbeat tell its edge, and it is billed to this second."""
    current: LiveCall | None = call
    for _ in range(TRIES):
        if current is None or current.state is State.ENDED:
            raise HangUpRefused("call_over", "the call has ended")
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
