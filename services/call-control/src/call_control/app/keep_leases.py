"""The lease keeper: extends what talks, cuts what can't pay, ends what nobody sees any more.

It holds nothing: what is due stands in Redis, every step is guarded by the call's revision, so any number of
keepers may run, and one that died is replaced by the next poll of another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from landline.kernel.clock import Clock

from call_control.app.call_port import Calls
from call_control.app.raise_bound import nears_bound, raised_bound_s
from call_control.app.reap import reap
from call_control.domain.lease import (
    Cut,
    Extend,
    Payable,
    Reap,
    Step,
    Wait,
    extension,
    first_bound_s,
    next_step,
)
from call_control.domain.live_call import LiveCall, State
from call_control.domain.replies import Reply, Status

POLL_MS: Final = 1_000
DUE_AT_ONCE: Final = 500
"""Calls of a partition that one look takes."""
log = structlog.get_logger(__name__)


class EdgeTimers(Protocol):
    """`adapters.edge_commands.EdgeCommands`: what an edge hears at once, beside its heartbeats."""

    async def hang_up(self, calls: Sequence[LiveCall]) -> None: ...
    async def extend(self, bounds: Sequence[tuple[LiveCall, int]]) -> None: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """One poll: how many calls were extended and lost, which must be hung up, when the next is due.

    `raised`: calls that may last longer than their edge's timer, with the new max_duration_s.
    """

    extended: int = 0
    lost: int = 0
    cut: tuple[LiveCall, ...] = ()
    raised: tuple[tuple[LiveCall, int], ...] = ()
    next_due_ms: int | None = None


async def run_keeper(
    calls: Calls,
    clock: Clock,
    silent_ms: int,
    stop: asyncio.Event,
    edges: EdgeTimers | None = None,
) -> None:
    """Poll all partitions once a second, or sooner when the next call is due, until `stop`.

    `edges` are told of calls past their cut moment and of longer ones, at once; heartbeats tell too.
    Redis away: waits and goes on; nothing is lost, since due calls stay due.
    """
    while not stop.is_set():
        now_ms, pause_ms = clock.now_ms(), POLL_MS
        try:
            kept = await keep_once(calls, now_ms, silent_ms)
            if kept.cut and edges is not None:
                await edges.hang_up(kept.cut)
            if kept.raised and edges is not None:
                await edges.extend(kept.raised)
            if kept.next_due_ms is not None:
                pause_ms = max(10, min(POLL_MS, kept.next_due_ms - now_ms))
        except Exception as error:  # whatever it is, calls must go on being kept
            log.warning("lease keeper waits", error=repr(error)[:300])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_ms / 1000)


async def keep_once(calls: Calls, now_ms: int, silent_ms: int) -> Kept:
    """Look at every call that is due by now. Steps of all calls travel in common round trips."""
    soon = await calls.due_calls(now_ms + POLL_MS, DUE_AT_ONCE)
    due = await calls.read_calls(call_id for at_ms, call_id in soon if at_ms <= now_ms)
    seen = await calls.edge_seen_ms(call.facts.edge_id for call in due if call.facts.edge_id)
    steps = [_step(call, now_ms, seen.get(call.facts.edge_id or "", 0), silent_ms) for call in due]
    await asyncio.gather(
        *(_take_safely(calls, call, step, now_ms) for call, step in zip(due, steps, strict=True))
    )
    return Kept(
        extended=sum(isinstance(step, Extend) for step in steps),
        lost=sum(isinstance(step, Reap) for step in steps),
        cut=tuple(call for call, step in zip(due, steps, strict=True) if isinstance(step, Cut)),
        raised=await _raised(
            calls, [c for c, s in zip(due, steps, strict=True) if isinstance(s, Extend)], now_ms
        ),
        next_due_ms=_next_ms(soon, len(due), now_ms),
    )


async def _raised(
    calls: Calls, extended: Sequence[LiveCall], now_ms: int
) -> tuple[tuple[LiveCall, int], ...]:
    """Of calls just extended: those whose edge would cut them within the next lease, though they can pay."""
    near = [call.call_id for call in extended if nears_bound(call, 2 * call.facts.lease_s)]
    raised = []
    for call in await calls.read_calls(near):
        bound_s = await raised_bound_s(calls, call, now_ms)
        if bound_s is not None and bound_s > first_bound_s(call):
            raised.append((call, bound_s))
    return tuple(raised)


def _next_ms(soon: Sequence[tuple[int, str]], taken: int, now_ms: int) -> int | None:
    """At once where more may be due than one look takes: 100,000 calls need 1,700 leases a second."""
    if taken >= DUE_AT_ONCE:
        return now_ms
    return min((at_ms for at_ms, _ in soon if at_ms > now_ms), default=None)


def _step(call: LiveCall, now_ms: int, edge_seen_ms: int, silent_ms: int) -> Step:
    try:
        return next_step(call, now_ms, edge_seen_ms, silent_ms)
    except Exception:
        log.exception("lease not priced", call_id=call.call_id)
        return Wait(now_ms + POLL_MS)


async def _take_safely(calls: Calls, call: LiveCall, step: Step, now_ms: int) -> None:
    """One call that can't be handled must not keep the others from being kept."""
    try:
        await _take(calls, call, step, now_ms)
    except Exception:
        log.exception("lease not kept", call_id=call.call_id, step=type(step).__name__)


async def _take(calls: Calls, call: LiveCall, step: Step, now_ms: int) -> None:
    if call.state is State.ENDED:
        await calls.defer(call, now_ms)  # only takes a stale entry out of the list
        return
    match step:
        case Reap(at_ms):
            await reap(calls, call, at_ms, now_ms)
        case Cut(_, until_ms) | Wait(until_ms):
            await calls.defer(call, until_ms)
        case Extend():
            await _extend(calls, call, step, now_ms)


async def _extend(calls: Calls, call: LiveCall, step: Extend, now_ms: int) -> Reply:
    """A full lease; the last one with what can be paid; none, when even that has gone meanwhile."""
    reply = await calls.extend(call, step, now_ms)
    for last in (False, True):
        if reply.status is not Status.SHORT:
            break
        payable = Payable.of(call.held_micros, reply.available_micros, reply.room_micros)
        if last:
            payable = Payable(call.held_micros, payable.by_day)
        step = extension(call, now_ms, step.due_ms, payable)
        reply = await calls.extend(call, step, now_ms)
    return reply
