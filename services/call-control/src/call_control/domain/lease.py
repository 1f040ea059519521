"""Leases: how much to hold, until when it pays, and what the keeper does next (domain.md section 6).

Pure. Invariants: the hold of a lease is what the tariff charges for its seconds, never more; held after
lease n is the price of all covered seconds, so an extension adds a difference; an emergency call is never
cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from landline.rating.price import affordable_seconds, covered_seconds, price_micros
from landline.rating.tariff import Tariff

from call_control.domain.live_call import LiveCall, State

UNLIMITED_MICROS: Final = 2**52
UNSEEN_MS: Final = 200_000
WAKE_S: Final = 20
CAUSE_CREDIT: Final = "credit"
CAUSE_DAY: Final = "daily_limit"
CAUSE_CAP: Final = "max_duration"
CAUSE_PLAN: Final = "no_rate"


@dataclass(frozen=True, slots=True)
class Lease:
    """`covered_s` seconds from the start of the call cost `held_micros`. `cut_cause`: why there is no next
    lease, or ""; `by_day`: shortened because of the day's limit."""

    covered_s: int
    held_micros: int
    cut_cause: str = ""
    by_day: bool = False


def lease_of(tariff: Tariff, start_ms: int, seconds: int, cap_s: int) -> Lease:
    """The lease for at least `seconds`, stretched to the increment, within the cap and the plan's cover.

    Raises NoRate when the plan does not cover the start.
    """
    start = start_ms / 1000
    want = min(seconds, cap_s)
    reach = affordable_seconds(tariff, start, UNLIMITED_MICROS, want)
    covered = min(covered_seconds(tariff, start, reach), cap_s)
    cause = CAUSE_PLAN if reach < want else CAUSE_CAP if covered >= cap_s else ""
    return Lease(covered, price_micros(tariff, start, covered), cause)


def lease_for_money(tariff: Tariff, start_ms: int, money: Payable, cap_s: int) -> Lease:
    """The longest lease that `money` pays; it is the last one."""
    start = start_ms / 1000
    seconds = affordable_seconds(tariff, start, max(0, money.micros), cap_s)
    cause = CAUSE_CAP if seconds >= cap_s else CAUSE_DAY if money.by_day else CAUSE_CREDIT
    return Lease(seconds, price_micros(tariff, start, seconds), cause, money.by_day)


@dataclass(frozen=True, slots=True)
class Payable:
    """The money there is for a call, and whether the day's limit (not the balance) is what bounds it."""

    micros: int
    by_day: bool

    @classmethod
    def of(cls, held_micros: int, available: int | None, room: int | None) -> Payable:
        """What is held plus the lesser of what the balance and the day still give; None is unlimited."""
        free = UNLIMITED_MICROS if available is None else available
        left = UNLIMITED_MICROS if room is None else room
        return cls(max(0, held_micros + max(0, min(free, left))), left < free)


def outer_bound_s(tariff: Tariff | None, start_ms: int, payable_micros: int | None, cap_s: int) -> int:
    """`max_duration_s` of an allow: the lesser of the cap and what could be paid at admission."""
    if tariff is None or payable_micros is None:
        return cap_s
    return affordable_seconds(tariff, start_ms / 1000, payable_micros, cap_s)


def first_bound_s(call: LiveCall) -> int:
    """`max_duration_s` as the call's admission told it."""
    facts = call.facts
    tariff = call.tariff if facts.tariff is not None else None
    return outer_bound_s(tariff, facts.admitted_at_ms, call.payable_micros, facts.cap_s)


@dataclass(frozen=True, slots=True)
class FirstHold:
    """What an admission holds: `hold_micros` for `covered_s`; `floor_micros` is the least worth taking."""

    hold_micros: int
    floor_micros: int
    covered_s: int


def first_hold(tariff: Tariff, at_ms: int, lease_s: int, cap_s: int, rule: str) -> FirstHold:
    """The hold of an admission: a lease; pseudo-prepaid asks for the whole cap, at least one increment.

    Raises NoRate when the plan does not cover the moment.
    """
    if rule != "pseudoprepaid":
        lease = lease_of(tariff, at_ms, lease_s, cap_s)
        return FirstHold(lease.held_micros, lease.held_micros, lease.covered_s)
    whole, least = lease_of(tariff, at_ms, cap_s, cap_s), lease_of(tariff, at_ms, 1, cap_s)
    return FirstHold(whole.held_micros, least.held_micros, whole.covered_s)


def wake_s(lease_s: int) -> int:
    """How long before a lease runs out the keeper wakes: 20 s, less for the short leases of tests."""
    return max(1, min(WAKE_S, lease_s // 3))


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer's plan: the lease from `answered_ms`, the change of hold, when to look again."""

    lease: Lease
    delta_micros: int
    due_ms: int
    cut_at_ms: int | None


def begin(
    call: LiveCall, answered_ms: int, now_ms: int, silent_ms: int, payable: Payable | None = None
) -> Begun:
    """What the answer does to the hold. `payable`: given after the first try was refused as SHORT."""
    lease = _first_lease(call, answered_ms, payable)
    delta = lease.held_micros - call.held_micros if call.billed else 0
    cut_at = cut_moment(call, answered_ms, lease)
    return Begun(lease, delta, due(call, answered_ms, lease, cut_at, now_ms + silent_ms), cut_at)


def _first_lease(call: LiveCall, answered_ms: int, payable: Payable | None) -> Lease:
    facts = call.facts
    if not call.billed:
        return Lease(facts.cap_s, 0, CAUSE_CAP)
    if payable is None and call.terms.rule == "pseudoprepaid":
        payable = Payable(call.held_micros, by_day=call.terms.day_short)
    if payable is None:
        return lease_of(call.tariff, answered_ms, facts.lease_s, facts.cap_s)
    return lease_for_money(call.tariff, answered_ms, payable, facts.cap_s)


def cut_moment(call: LiveCall, answered_ms: int, lease: Lease) -> int | None:
    """When the call must be hung up, if this lease is its last one."""
    if not lease.cut_cause or not call.cuttable:
        return None
    return answered_ms + lease.covered_s * 1000


def due(call: LiveCall, answered_ms: int, lease: Lease, cut_at_ms: int | None, silent_at_ms: int) -> int:
    """When the keeper must look at an answered call again: lease, cut or silence of its edge, which is
    first."""
    if cut_at_ms is not None:
        return min(cut_at_ms, silent_at_ms)
    if not call.billed:
        return silent_at_ms
    return min(answered_ms + (lease.covered_s - wake_s(call.facts.lease_s)) * 1000, silent_at_ms)


@dataclass(frozen=True, slots=True)
class Reap:
    """Nobody reports it: end it as lost, at this moment."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Extend:
    """Hold `add_micros` more. `cut_at_ms`: this lease is the last one."""

    lease: Lease
    add_micros: int
    due_ms: int
    cut_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Cut:
    """It should be over since `at_ms`: its edge is told to hang up, and looked at again at `until_ms`."""

    at_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before this moment."""

    until_ms: int


Step = Reap | Extend | Cut | Wait
RECHECK_CUT_MS: Final = 5_000


def next_step(call: LiveCall, now_ms: int, edge_seen_ms: int, silent_ms: int) -> Step:
    """What the keeper does for a call that is not ended. `edge_seen_ms`: its edge's last heartbeat, or 0."""
    if call.state in (State.ADMITTED, State.RINGING) or call.answered_ms is None:
        unseen_at = max(call.touched_ms, call.ringing_ms or 0) + UNSEEN_MS
        return Reap(now_ms) if now_ms >= unseen_at else Wait(unseen_at)
    silent_at = max(call.touched_ms, edge_seen_ms) + silent_ms
    if now_ms >= silent_at:
        return Reap(min(now_ms, call.answered_ms + call.confirmed_s * 1000))
    if call.cut_at_ms is not None:
        if now_ms < call.cut_at_ms:
            return Wait(min(call.cut_at_ms, silent_at))
        return Cut(call.cut_at_ms, min(silent_at, now_ms + RECHECK_CUT_MS))
    held = Lease(call.covered_s, call.held_micros)
    wake_at = due(call, call.answered_ms, held, None, silent_at)
    if now_ms < wake_at or not call.billed:
        return Wait(max(wake_at, now_ms + 1))
    return extension(call, now_ms, silent_at)


def extension(call: LiveCall, now_ms: int, silent_at_ms: int, payable: Payable | None = None) -> Extend:
    """The next lease: one more, or as many as it takes to hold up to now. `payable`: after a SHORT."""
    answered_ms = call.answered_ms or now_ms
    facts = call.facts
    elapsed_s = max(0, now_ms - answered_ms) // 1000
    behind = -(-(elapsed_s + wake_s(facts.lease_s) + 1) // facts.lease_s) * facts.lease_s
    want = max(call.covered_s + facts.lease_s, behind)
    if payable is None:
        lease = lease_of(call.tariff, answered_ms, want, facts.cap_s)
    else:
        lease = _last_lease(call, answered_ms, payable, min(want, facts.cap_s))
    if lease.covered_s < call.covered_s:
        lease = Lease(call.covered_s, call.held_micros, lease.cut_cause or CAUSE_PLAN, lease.by_day)
    cut_at = cut_moment(call, answered_ms, lease)
    more = max(0, lease.held_micros - call.held_micros)
    return Extend(lease, more, due(call, answered_ms, lease, cut_at, silent_at_ms), cut_at)


def _last_lease(call: LiveCall, answered_ms: int, payable: Payable, want_s: int) -> Lease:
    lease = lease_for_money(call.tariff, answered_ms, payable, want_s)
    cause = CAUSE_DAY if payable.by_day else CAUSE_CREDIT
    return Lease(lease.covered_s, lease.held_micros, cause, payable.by_day)
