"""End a call that nobody reports: cause `lost`, one later correction stays possible (domain.md section 6)."""

from __future__ import annotations

from call_control.app.call_port import Calls
from call_control.app.record_end import EndReport, settle_call
from call_control.domain.live_call import LiveCall, State
from call_control.domain.replies import Status


async def reap(calls: Calls, call: LiveCall, at_ms: int, now_ms: int) -> bool:
    """Close it as of `at_ms`. False when someone else was faster: whoever that was acted on a later state."""
    if call.state is State.ENDED:
        return False
    report = EndReport(ended_ms=at_ms, cause="lost", ended_by="system")
    reply = await settle_call(calls, call, report, now_ms, lost=True)
    return reply.status is Status.ENDED
