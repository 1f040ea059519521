"""The lists of live calls that an edge sends, page by page (contracts section 4, domain.md section 6). Pure.

A list is complete when its pages came without a gap, from its first to the one marked `last`. A call is gone
when two complete lists of its edge, taken more than 10 s after its last touch, do not name it.
One edge key belongs to one instance: with several on one key, absence from a list says nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

SETTLE_MS: Final = 10_000
MOST_AGE_MS: Final = 5_000
_NUMBERS: Final = ("seen_ms", "seq", "taken_ms", "first_ms", "complete_ms", "former_ms", "shared_until_ms")


@dataclass(frozen=True, slots=True)
class Page:
    """One heartbeat's head. `seq` counts pages, from 0 or 1 in each list or on through all lists."""

    instance_id: str
    boot_id: str
    seq: int
    last: bool
    taken_ms: int


@dataclass(frozen=True, slots=True)
class EdgeState:
    """What is known of an edge. `seq`, `taken_ms` (as it said): of its last page; `first_ms`: when the list
    being received was begun, 0 for none; `complete_ms`: of the last complete list; `former_ms`: the last word
    of the boot before this one, until it is dealt with; `shared_until_ms`: until then another instance used
    the same key."""

    instance_id: str = ""
    boot_id: str = ""
    seen_ms: int = 0
    seq: int = -1
    taken_ms: int = 0
    first_ms: int = 0
    complete_ms: int = 0
    former_ms: int = 0
    shared_until_ms: int = 0

    @classmethod
    def of(cls, found: dict[str, str]) -> EdgeState:
        """From the texts of its hash."""
        known: dict[str, Any] = {name: found[name] for name in ("instance_id", "boot_id") if name in found}
        known |= {name: int(found[name]) for name in _NUMBERS if name in found}
        return cls(**known)

    def as_texts(self) -> dict[str, str]:
        """For its hash."""
        return {name: str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Heard:
    """After a page: the new state, and up to which last touch calls are gone (None: nothing follows)."""

    state: EdgeState
    gone_until_ms: int | None


def believed(taken_ms: int, now_ms: int) -> int:
    """When a list was taken, by our clock: not in our future, and not long before it reached us.

    An edge whose clock is an hour slow would otherwise never lose a call: its lists would all be older than
    every touch. 5 s is more than a request lasts, and less than the 10 s a call must be untouched.
    """
    return max(min(taken_ms, now_ms), now_ms - MOST_AGE_MS)


def hear(state: EdgeState, page: Page, now_ms: int, shared_ms: int) -> Heard:
    """Take a page in. `shared_ms`: how long a key counts as shared after two instances used it."""
    taken_ms = believed(page.taken_ms, now_ms)
    state = _same_edge(state, page, now_ms, shared_ms)
    if (page.seq, page.taken_ms) == (state.seq, state.taken_ms):
        return Heard(replace(state, seen_ms=now_ms), None)  # the same page, sent again
    follows = page.seq == state.seq + 1
    if not (follows and state.first_ms):
        begins = page.seq in (0, 1) or follows
        state = replace(state, first_ms=taken_ms if begins else 0)
    state = replace(state, seq=page.seq, taken_ms=page.taken_ms, seen_ms=now_ms)
    if not page.last:
        return Heard(state, None)
    if not state.first_ms:
        return Heard(state, None)
    return _completed(state, now_ms)


def _same_edge(state: EdgeState, page: Page, now_ms: int, shared_ms: int) -> EdgeState:
    if state.instance_id and state.instance_id != page.instance_id:
        shared = now_ms + shared_ms if now_ms - state.seen_ms < shared_ms else 0
        fresh = EdgeState(shared_until_ms=max(shared, state.shared_until_ms), former_ms=state.seen_ms)
        return replace(fresh, instance_id=page.instance_id, boot_id=page.boot_id)
    if state.boot_id and state.boot_id != page.boot_id:
        fresh = EdgeState(shared_until_ms=state.shared_until_ms, former_ms=state.seen_ms)
        return replace(fresh, instance_id=page.instance_id, boot_id=page.boot_id)
    return replace(state, instance_id=page.instance_id, boot_id=page.boot_id)


def _completed(state: EdgeState, now_ms: int) -> Heard:
    """Two complete lists, or the first one of a new boot: what they do not name is gone."""
    before, this = state.complete_ms, state.first_ms
    gone = max(before - SETTLE_MS if before else 0, state.former_ms)
    done = replace(state, first_ms=0, complete_ms=this, former_ms=0)
    if gone <= 0 or gone >= this or now_ms < state.shared_until_ms:
        return Heard(done, None)
    return Heard(done, gone)
