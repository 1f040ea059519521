"""`POST /edges/heartbeat` and `/edges/resync`: which calls an edge has, and what it is told about them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from call_control.app.call_port import Calls, EdgeStates
from call_control.app.raise_bound import raised_bound_s
from call_control.app.reap import reap
from call_control.app.record_answer import record_answer
from call_control.app.record_end import remembered_by
from call_control.app.recorded import foreign
from call_control.domain.edge_list import EdgeState, Page, believed, hear
from call_control.domain.live_call import State
from call_control.domain.replies import NewCall, Status, TouchReply

MOST_CALLS: Final = 100


@dataclass(frozen=True, slots=True)
class Named:
    """A call as an edge lists it. `answered_ms` counts as the report of the answer."""

    call_id: str
    state: str
    answered_ms: int | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatAnswer:
    """What the edge must do. `extend`: call id -> new max_duration_s."""

    hang_up: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    extend: dict[str, int] = field(default_factory=dict)
    resync: bool = False
    lost: tuple[str, ...] = ()


async def heartbeat(
    calls: Calls,
    edges: EdgeStates,
    edge_id: str,
    page: Page,
    named: Sequence[Named],
    now_ms: int,
    silent_ms: int,
) -> HeartbeatAnswer:
    """Take one page in: touch its calls, record answers it tells of, end calls that are gone.

    Unknown calls are never hung up: they may be ours, forgotten; `resync` asks for their tickets.
    """
    taken_ms = believed(page.taken_ms, now_ms)
    state = EdgeState.of(await edges.read(edge_id))
    touched = await asyncio.gather(*(calls.touch(one.call_id, edge_id, taken_ms) for one in named))
    heard = hear(state, page, now_ms, 2 * silent_ms)
    await edges.write(edge_id, heard.state.as_texts())
    found = list(zip(named, touched, strict=True))
    await asyncio.gather(
        *(
            record_answer(calls, one.call_id, one.answered_ms, None, now_ms, silent_ms)
            for one, touch in found
            if one.answered_ms is not None and touch.state in (State.ADMITTED, State.RINGING)
        )
    )
    lost = await _end_gone(calls, edge_id, heard.gone_until_ms, now_ms)
    unknown = tuple(one.call_id for one, touch in found if touch.status is Status.UNKNOWN)
    return HeartbeatAnswer(
        hang_up=await _to_hang_up(calls, found, now_ms),
        unknown=unknown,
        extend=await _extended(calls, found, now_ms),
        resync=bool(unknown),
        lost=lost,
    )


async def _end_gone(calls: Calls, edge_id: str, until_ms: int | None, now_ms: int) -> tuple[str, ...]:
    """Calls that the edge no longer has ended at the list that had them last."""
    if until_ms is None:
        return ()
    lost: list[str] = []
    while True:  # some hundred at a time: an edge that has restarted may leave 100,000
        gone = await calls.read_calls(await calls.calls_of_edge(edge_id, until_ms))
        gone = [call for call in gone if call.touched_ms <= until_ms]
        ended = await asyncio.gather(*(reap(calls, call, call.touched_ms, now_ms) for call in gone))
        lost += [call.call_id for call, done in zip(gone, ended, strict=True) if done]
        if not any(ended):  # none is left, or none that can be ended now
            return tuple(lost)


async def _to_hang_up(
    calls: Calls, found: Sequence[tuple[Named, TouchReply]], now_ms: int
) -> tuple[str, ...]:
    """Past its cut, or over in our books: emergency calls never."""
    cut = [one.call_id for one, touch in found if touch.cut_at_ms is not None and now_ms >= touch.cut_at_ms]
    over = await calls.read_calls(one.call_id for one, touch in found if touch.status is Status.ENDED)
    return (*cut, *(call.call_id for call in over if call.cuttable))


async def _extended(calls: Calls, found: Sequence[tuple[Named, TouchReply]], now_ms: int) -> dict[str, int]:
    """A call may outlive what could be paid at its admission (a top-up came): raise the edge's own timer."""
    talking = [one.call_id for one, touch in found if touch.extendable]
    raised: dict[str, int] = {}
    for call in await calls.read_calls(talking):
        bound = await raised_bound_s(calls, call, now_ms)
        if bound is not None:
            raised[call.call_id] = bound
    return raised


async def resync(
    calls: Calls,
    tickets: Sequence[tuple[Named, str]],
    now_ms: int,
    silent_ms: int,
    ticket_key: bytes,
    edge_id: str | None = None,
) -> tuple[str, ...]:
    """Restore live calls that we forgot, from their tickets: slot, hold up to now, leases. No limit is
    checked, since they talk already; what can't be paid is cut. Returns the calls restored or known by
    now."""
    restored = await asyncio.gather(
        *(_restore(calls, one, ticket, now_ms, silent_ms, ticket_key, edge_id) for one, ticket in tickets)
    )
    return tuple(one.call_id for (one, _), done in zip(tickets, restored, strict=True) if done)


async def _restore(
    calls: Calls,
    one: Named,
    ticket: str,
    now_ms: int,
    silent_ms: int,
    ticket_key: bytes,
    edge_id: str | None,
) -> bool:
    known = await calls.read_call(one.call_id)
    if known is not None:
        return not foreign(known, edge_id)
    call = remembered_by(ticket, one.call_id, now_ms, ticket_key)
    if call is None or foreign(call, edge_id):
        return False
    new = NewCall(facts=call.facts, attempt_id=call.attempt_id, terms=call.terms, answer=b"", forced=True)
    reply = await calls.admit(new, now_ms)
    if reply.status is not Status.ADMITTED:
        return False
    if one.answered_ms is not None:
        await record_answer(calls, one.call_id, one.answered_ms, None, now_ms, silent_ms)
    return True
