"""`POST /calls/{id}/ringing`: once, whatever comes late, twice or out of order."""

from __future__ import annotations

from call_control.app.call_port import Calls
from call_control.app.close_legs import legs_below
from call_control.app.recorded import TRIES, CallBusy, Recorded, foreign, within
from call_control.domain.lease import UNSEEN_MS
from call_control.domain.live_call import State
from call_control.domain.replies import Status


async def record_ringing(
    calls: Calls, call_id: str, at_ms: int, now_ms: int, edge_id: str | None = None
) -> Recorded:
    """The called side rings. A call that talks or is over stays as it is; another edge's is UNKNOWN."""
    for _ in range(TRIES):
        call = await calls.read_call(call_id)
        if call is None or foreign(call, edge_id):
            return Recorded.UNKNOWN
        for leg_id, _ in legs_below(call, ()):
            await record_ringing(calls, leg_id, at_ms, now_ms)
        if call.state is not State.ADMITTED:
            return Recorded.DONE
        reply = await calls.ring(call, within(at_ms, call, now_ms), now_ms + UNSEEN_MS, now_ms)
        if reply.status is Status.UNKNOWN:
            return Recorded.UNKNOWN
        if reply.status is not Status.CONFLICT:
            return Recorded.DONE
    raise CallBusy(call_id)
