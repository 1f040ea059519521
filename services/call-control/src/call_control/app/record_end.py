"""`POST /calls/{id}/ended`: settle once. Also calls that nobody reports, that we forgot, or gave up too
early."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from landline.contracts.call_control.events import CallEnded

from call_control.app.call_port import Calls
from call_control.app.close_legs import NOT_REACHED, legs_below, way_talked, way_to
from call_control.app.late_prices import LatePrices
from call_control.app.recorded import TRIES, CallBusy, Recorded, foreign, within
from call_control.domain.lease import Payable
from call_control.domain.live_call import LiveCall, State
from call_control.domain.local_day import local_day
from call_control.domain.replies import Reply, Status
from call_control.domain.settlement import Settlement, redistribute, settle
from call_control.domain.ticket import TicketRefused, open_ticket

# A call that was settled is remembered for 24 h. A ticket older than that proves nothing: the call may have
# been settled, and settling it again would hold money that no posting ever frees.
TICKET_GOOD_MS: Final = 23 * 3_600_000


@dataclass(frozen=True, slots=True)
class EndReport:
    """What an edge says about a call's end. `answered_ms` counts as the answer if that was never reported."""

    ended_ms: int
    answered_ms: int | None = None
    cause: str = "normal"
    ended_by: str = "edge"
    sip_code: int | None = None
    server_id: str | None = None
    attempts: tuple[dict[str, Any], ...] = ()
    ticket: str | None = None
    leg_call_id: str | None = None
    way: tuple[str, ...] | None = None


async def record_end(
    calls: Calls,
    call_id: str,
    report: EndReport,
    now_ms: int,
    ticket_key: bytes,
    late: LatePrices | None = None,
    edge_id: str | None = None,
) -> Recorded:
    """The call is over, and its legs with it. UNKNOWN: neither remembered nor proved by a ticket of its own,
    or another edge's than `edge_id`. Raises CallBusy."""
    for _ in range(TRIES):
        call, forgotten = await calls.read_call(call_id), False
        if call is None:
            call, forgotten = remembered_by(report.ticket, call_id, now_ms, ticket_key), True
        if call is None or foreign(call, edge_id):
            return Recorded.UNKNOWN
        if call.state is State.ENDED and not call.lost:
            await calls.confirm(call_id)  # the first report may have been answered 503 for want of a replica
            await _end_legs(calls, call, report, now_ms)
            return Recorded.DONE
        if late is not None:
            call = await late(call)
        if call.state is State.ENDED:
            reply = await _correct(calls, call, report, now_ms)
        else:
            reply = await settle_call(calls, call, report, now_ms, forgotten=forgotten)
        if reply.status not in (Status.CONFLICT, Status.SHORT, Status.UNKNOWN):
            await _end_legs(calls, call, report, now_ms)
            return Recorded.DONE
    raise CallBusy(call_id)


async def _end_legs(calls: Calls, call: LiveCall, report: EndReport, now_ms: int) -> None:
    """Those that were reached end like the call; the others were never answered."""
    if not call.legs and report.leg_call_id is None:
        return
    way = report.way
    if way is None:
        named = report.leg_call_id
        way = await (way_to(calls, call.call_id, named) if named else way_talked(calls, call))
    answered_ms = call.answered_ms if report.answered_ms is None else report.answered_ms
    for leg_id, reached in legs_below(call, way):
        below = way[1:] if way[:1] == (leg_id,) else ()
        mine = replace(report, ticket=None, leg_call_id=None, way=below, answered_ms=answered_ms)
        if not reached:
            mine = replace(mine, answered_ms=None, cause=NOT_REACHED, ended_by="system", server_id=None)
        await record_end(calls, leg_id, mine, now_ms, b"")


def remembered_by(ticket: str | None, call_id: str, now_ms: int, key: bytes) -> LiveCall | None:
    """The call as its ticket tells it, nothing held; None for no, a foreign, a damaged or an old ticket."""
    if not ticket or not key:
        return None
    try:
        facts, terms = open_ticket(ticket, call_id, key)
    except TicketRefused:
        return None
    if now_ms - facts.admitted_at_ms > TICKET_GOOD_MS:
        return None
    return LiveCall(call_id, State.ADMITTED, 0, facts, terms, attempt_id=f"ticket-{call_id}")


async def settle_call(
    calls: Calls,
    call: LiveCall,
    report: EndReport,
    now_ms: int,
    *,
    lost: bool = False,
    forgotten: bool = False,
) -> Reply:
    """Price the call and end it; charge less when what lies above its hold can't be paid (overrun)."""
    today = local_day(now_ms, call.facts.timezone).name
    answered_ms, ended_ms = _moments(call, report, now_ms)
    by = await _taken_by(calls, call, report)
    payable: Payable | None = None
    for number in range(3):
        bill = settle(call, answered_ms, ended_ms, today, payable)
        outcome = _outcome(call, report, by, answered_ms, ended_ms, bill)
        reply = await calls.end(call, outcome, now_ms, lost=lost, by_day=bill.by_day, forgotten=forgotten)
        if reply.status is not Status.SHORT:
            break
        payable = _payable(call.held_micros, reply, last=number == 1)
    return reply


async def _correct(calls: Calls, call: LiveCall, report: EndReport, now_ms: int) -> Reply:
    today = local_day(now_ms, call.facts.timezone).name
    answered_ms, ended_ms = _moments(call, report, now_ms)
    old = call.outcome
    before = old.charge_micros if old else 0
    by = await _taken_by(calls, call, report)
    payable: Payable | None = None
    for number in range(3):
        bill = settle(call, answered_ms, ended_ms, today, payable)
        days = redistribute(old.spend_by_day if old else {}, bill.charge_micros - before, today)
        outcome = _outcome(call, report, by, answered_ms, ended_ms, bill, days)
        reply = await calls.correct(call, outcome, now_ms, by_day=bill.by_day)
        if reply.status is not Status.SHORT:
            break
        payable = _payable(before, reply, last=number == 1)
    return reply


class TakenBy(NamedTuple):
    """The carrier's server that took a call, and its carrier; None each where none did."""

    server_id: str | None
    carrier_id: str | None


async def _taken_by(calls: Calls, call: LiveCall, report: EndReport) -> TakenBy:
    """As the end tells it, else the answer: also a call that nobody reports has a carrier to be paid.

    A call that stayed on the platform has none: in a dialog of several, the server is the last leg's.
    """
    server_id = report.server_id or call.server_id
    if server_id is None or call.facts.direction == "inbound" or call.facts.on_net:
        return TakenBy(None, None)
    return TakenBy(server_id, await calls.carrier_of(call, server_id))


def _payable(held_micros: int, reply: Reply, *, last: bool) -> Payable:
    """What can be paid by now; the last time only what is ours already, which nobody can take."""
    payable = Payable.of(held_micros, reply.available_micros, reply.room_micros)
    return Payable(held_micros, payable.by_day) if last else payable


def _moments(call: LiveCall, report: EndReport, now_ms: int) -> tuple[int | None, int]:
    """When it was answered and ended, by our clock: between the two lies what the edge's own clock measured.

    So a clock that is wrong by an hour, in either direction, bills what was talked.
    """
    answered_ms = call.answered_ms
    if answered_ms is None and report.answered_ms is not None:
        talked_ms = max(0, report.ended_ms - report.answered_ms)
        answered_ms = within(min(report.answered_ms, now_ms - talked_ms), call, now_ms)
    if answered_ms is None:
        return None, within(report.ended_ms, call, now_ms)
    off_ms = 0 if report.answered_ms is None else answered_ms - report.answered_ms
    return answered_ms, max(answered_ms, within(report.ended_ms + off_ms, call, now_ms))


def _outcome(
    call: LiveCall,
    report: EndReport,
    by: TakenBy,
    answered_ms: int | None,
    ended_ms: int,
    bill: Settlement,
    days: dict[str, int] | None = None,
) -> CallEnded:
    cut = call.cut_at_ms is not None and ended_ms >= call.cut_at_ms and report.cause != "lost"
    return CallEnded(
        call=call.facts,
        ended_at_ms=ended_ms,
        answered_at_ms=answered_ms,
        duration_s=bill.duration_s,
        charge_micros=bill.charge_micros,
        unbilled_s=bill.unbilled_s,
        unbilled_micros=bill.unbilled_micros,
        spend_by_day=dict(bill.spend_by_day) if days is None else days,
        cause=call.cut_cause if cut else report.cause,
        ended_by="system" if cut else report.ended_by,
        sip_code=report.sip_code,
        server_id=by.server_id,
        carrier_id=by.carrier_id,
        attempts=list(report.attempts),
    )
