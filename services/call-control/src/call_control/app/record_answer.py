"""`POST /calls/{id}/answered`: the first lease begins at the moment of the answer."""

from __future__ import annotations

from call_control.app.call_port import Calls
from call_control.app.recorded import TRIES, CallBusy, Recorded, within
from call_control.domain.lease import Payable, begin
from call_control.domain.live_call import LiveCall, State
from call_control.domain.replies import Reply, Status


async def record_answer(
    calls: Calls, call_id: str, answered_ms: int, server_id: str | None, now_ms: int, silent_ms: int
) -> Recorded:
    """Conversation began at `answered_ms`. `silent_ms`: after which silence of its edge a call is lost.

    Raises CallBusy.
    """
    for _ in range(TRIES):
        call = await calls.read_call(call_id)
        if call is None:
            return Recorded.UNKNOWN
        if call.state in (State.ANSWERED, State.ENDED):
            return Recorded.DONE
        reply = await _begin(calls, call, within(answered_ms, call, now_ms), server_id, now_ms, silent_ms)
        if reply.status in (Status.ANSWERED, Status.ALREADY):
            return Recorded.DONE
    raise CallBusy(call_id)


async def _begin(
    calls: Calls, call: LiveCall, answered_ms: int, server_id: str | None, now_ms: int, silent_ms: int
) -> Reply:
    """With a full lease; with what can be paid, when that is short; with what is held, when that moved
    too."""
    begun = begin(call, answered_ms, now_ms, silent_ms)
    reply = await calls.answer(call, answered_ms, begun, server_id, now_ms)
    for last in (False, True):
        if reply.status is not Status.SHORT:
            break
        payable = Payable.of(call.held_micros, reply.available_micros, reply.room_micros)
        if last:
            payable = Payable(call.held_micros, payable.by_day)
        begun = begin(call, answered_ms, now_ms, silent_ms, payable)
        reply = await calls.answer(call, answered_ms, begun, server_id, now_ms)
    return reply
