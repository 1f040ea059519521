"""`POST /calls/{id}/answered`: the first lease begins at the moment of the answer."""

from __future__ import annotations

from call_control.app.call_port import Calls
from call_control.app.close_legs import NOT_REACHED, legs_below, way_to
from call_control.app.record_end import EndReport, record_end
from call_control.app.recorded import TRIES, CallBusy, Recorded, foreign, within
from call_control.domain.lease import Payable, begin
from call_control.domain.live_call import LiveCall, State
from call_control.domain.replies import Reply, Status


async def record_answer(
    calls: Calls,
    call_id: str,
    answered_ms: int,
    server_id: str | None,
    now_ms: int,
    silent_ms: int,
    leg_call_id: str | None = None,
    edge_id: str | None = None,
) -> Recorded:
    """Conversation began at `answered_ms`. `silent_ms`: after which silence of its edge a call is lost.

    `leg_call_id`: the call of the same dialog that was reached, with all on the way to it. `edge_id`: who
    reports; another edge's call is UNKNOWN to it. Raises CallBusy.
    """
    way = await way_to(calls, call_id, leg_call_id)
    return await _answer(calls, call_id, answered_ms, server_id, now_ms, silent_ms, way, edge_id)


async def _answer(
    calls: Calls,
    call_id: str,
    answered_ms: int,
    server_id: str | None,
    now_ms: int,
    silent_ms: int,
    way: tuple[str, ...],
    edge_id: str | None = None,
) -> Recorded:
    for _ in range(TRIES):
        call = await calls.read_call(call_id)
        if call is None or foreign(call, edge_id):
            return Recorded.UNKNOWN
        done = call.state in (State.ANSWERED, State.ENDED)
        if not done:
            server = None if way else server_id  # the server is the last leg's
            at_ms = within(answered_ms, call, now_ms)
            reply = await _begin(calls, call, at_ms, server, now_ms, silent_ms)
            done = reply.status in (Status.ANSWERED, Status.ALREADY)
        if done:
            await _answer_legs(calls, call, answered_ms, server_id, now_ms, silent_ms, way)
            return Recorded.DONE
    raise CallBusy(call_id)


async def _answer_legs(
    calls: Calls,
    call: LiveCall,
    answered_ms: int,
    server_id: str | None,
    now_ms: int,
    silent_ms: int,
    way: tuple[str, ...],
) -> None:
    """Those that were reached talk like the call; the others are over."""
    for leg_id, reached in legs_below(call, way):
        if reached:
            below = way[1:] if way[:1] == (leg_id,) else ()
            await _answer(calls, leg_id, answered_ms, server_id, now_ms, silent_ms, below)
        else:
            report = EndReport(ended_ms=answered_ms, cause=NOT_REACHED, ended_by="system")
            await record_end(calls, leg_id, report, now_ms, b"")


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
