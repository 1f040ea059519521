"""Calls that share a SIP dialog are reported by one of them (contracts 4, `leg_call_id`): what is said
of it holds for the legs that were reached, and closes those that were not.

Reached are: the leg that the report names and all on the way to it, and the called side of an on-net call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from landline.kernel.ids import NotACallId

from call_control.domain.live_call import LiveCall

MOST_LEGS: Final = 16
NOT_REACHED: Final = "not_reached"


class Reads(Protocol):
    """See `app.call_port.Calls`."""

    async def read_call(self, call_id: str) -> LiveCall | None: ...


async def way_to(calls: Reads, call_id: str, leg_call_id: str | None) -> tuple[str, ...]:
    """The ids from below the reported call down to the leg; empty without a leg, or for a strange one."""
    way: list[str] = []
    at = leg_call_id
    while at is not None and at != call_id and len(way) < MOST_LEGS:
        way.append(at)
        try:
            leg = await calls.read_call(at)
        except NotACallId:
            return ()
        at = leg.facts.parent_call_id if leg is not None else None
    return tuple(reversed(way)) if at == call_id else ()


async def way_talked(calls: Reads, call: LiveCall) -> tuple[str, ...]:
    """The ids of the legs that were answered: the way of an end that does not name its leg."""
    way: list[str] = []
    legs = list(call.legs)
    while legs and len(way) < MOST_LEGS:
        leg = await calls.read_call(legs.pop(0))
        if leg is not None and leg.answered_ms is not None:
            way.append(leg.call_id)
            legs = list(leg.legs)
    return tuple(way)


async def dialog_of(calls: Reads, call: LiveCall) -> list[LiveCall]:
    """The call and all others that share its SIP dialog, as far as they are remembered."""
    found, ids = {call.call_id: call}, [*_beside(call)]
    while ids and len(found) < MOST_LEGS:
        at = ids.pop()
        other = await calls.read_call(at) if at not in found else None
        if other is not None:
            found[at] = other
            ids += _beside(other)
    return list(found.values())


def _beside(call: LiveCall) -> Iterable[str]:
    parent = call.facts.parent_call_id
    return (*call.legs, *([parent] if parent else []))


def legs_below(call: LiveCall, way: Iterable[str]) -> list[tuple[str, bool]]:
    """The legs of a call and whether they were reached. One that the call forgot is known by the way."""
    way = tuple(way)
    first = way[:1]
    ids = dict.fromkeys((*call.legs, *first))
    follows = call.facts.on_net and call.facts.direction == "outbound"
    return [(leg, leg in way or (follows and leg == call.legs[:1][0])) for leg in ids if leg != call.call_id]
