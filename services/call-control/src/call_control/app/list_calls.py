"""A page of live calls, the most recently admitted first, over any number of partitions.

Each partition lists its calls by the moment of admission; what one page needs is read from their heads and
merged. A filter that fits few of many calls reads at most `MOST_READ` of them: the page is then short, and
its cursor goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from landline.kernel.ids import CallId, NotACallId

from call_control.domain.live_call import LiveCall, State

MOST_READ: Final = 5_000
_READ_AT_ONCE: Final = 200
_LEAST_HEAD: Final = 20


class Place(NamedTuple):
    """Where a call stands in the list; the later, the earlier in it."""

    listed_ms: int
    call_id: str


class NotACursor(ValueError):
    """The text is no cursor of this list."""


def cursor_text(place: Place) -> str:
    """A place as people carry it."""
    return f"{place.listed_ms}.{place.call_id}"


def parse_cursor(text: str) -> Place:
    """Raises NotACursor."""
    ms, _, call_id = text.partition(".")
    try:
        CallId.parse(call_id)
        if not (ms.isascii() and ms.isdigit() and len(ms) <= 15):
            raise NotACursor(text)
    except NotACallId:
        raise NotACursor(text) from None
    return Place(int(ms), call_id)


class LiveCalls(Protocol):
    """See adapters.call_reads.CallReads."""

    async def newest_live(self, partition: int, after: Place | None, count: int) -> Sequence[Place]: ...
    async def read_calls(self, call_ids: Iterable[str]) -> list[LiveCall]: ...


@dataclass(frozen=True, slots=True)
class CallPage:
    """`following`: after which place the next page begins; None at the end."""

    calls: list[LiveCall]
    following: Place | None


async def list_calls(
    source: LiveCalls,
    partitions: Sequence[int],
    wanted: Callable[[LiveCall], bool],
    limit: int,
    after: Place | None = None,
    since_ms: int = 0,
) -> CallPage:
    """The `limit` newest wanted calls after a place, none listed before `since_ms`."""
    found: list[LiveCall] = []
    read = 0
    while True:
        places, whole = await _heads(source, partitions, after, max(limit + 1, _LEAST_HEAD))
        places = [place for place in places if place.listed_ms >= since_ms]
        for start in range(0, len(places), _READ_AT_ONCE):
            part = places[start : start + _READ_AT_ONCE]
            calls = {call.call_id: call for call in await source.read_calls(p.call_id for p in part)}
            read += len(part)
            for place in part:
                call = calls.get(place.call_id)
                if call is not None and call.state is not State.ENDED and wanted(call):
                    if len(found) == limit:
                        return CallPage(found, after)
                    found.append(call)
                after = place
            if read >= MOST_READ:
                return CallPage(found, after)
        if whole or not places:
            return CallPage(found, None)


async def _heads(
    source: LiveCalls, partitions: Sequence[int], after: Place | None, count: int
) -> tuple[list[Place], bool]:
    """The next places of all partitions in order, as far as every partition was read; whether that is all."""
    heads = await asyncio.gather(*(_head(source, partition, after, count) for partition in partitions))
    found = sorted((place for head, _ in heads for place in head), reverse=True)
    unfinished = [head[-1] for head, whole in heads if not whole]
    if not unfinished:
        return found, True
    frontier = max(unfinished)
    return [place for place in found if place >= frontier], False


async def _head(
    source: LiveCalls, partition: int, after: Place | None, count: int
) -> tuple[list[Place], bool]:
    """A partition's next places, at least one if there are any; whether that is all of it."""
    head = await source.newest_live(partition, after, count)
    return list(head), len(head) < count
