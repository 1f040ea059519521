"""Leases as tables: what is held, until when it pays, what the keeper does next."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.domain.lease import (
    Cut,
    Extend,
    Lease,
    Payable,
    Reap,
    Step,
    Wait,
    begin,
    extension,
    first_hold,
    lease_of,
    next_step,
    outer_bound_s,
    wake_s,
)
from call_control.domain.live_call import LiveCall, State, Terms
from landline.rating.errors import NoRate
from landline.rating.tariff import EVERY_DAY, Price, Tariff, Tier, Window

from tests.support.calls import NOON_MS, facts, tariff

SILENT_MS = 90_000
CENT = 10_000


def live(state: str = "answered", terms: Terms | None = None, **changes: Any) -> LiveCall:
    """A call answered at noon that holds 60 s; `changes` are fields of LiveCall or of its facts."""
    own = {name: changes.pop(name) for name in list(changes) if name in LiveCall.__dataclass_fields__}
    base = facts(**changes)
    given: dict[str, Any] = {
        "held_micros": 60 * CENT,
        "covered_s": 60,
        "confirmed_s": 60,
        "touched_ms": NOON_MS,
        "answered_ms": NOON_MS if state == "answered" else None,
        "lease_no": 1,
        **own,
    }
    return LiveCall(base.call_id, State(state), 3, base, terms or Terms(rule="prepaid"), **given)


def at(seconds: float) -> int:
    """So many seconds after noon, in ms."""
    return NOON_MS + round(seconds * 1000)


@pytest.mark.parametrize(
    ("price", "lease_s", "cap_s", "covered", "held", "cause"),
    [
        (tariff(), 60, 10_800, 60, 60 * CENT, ""),
        (tariff(increment_s=60), 20, 10_800, 60, 60 * CENT, ""),
        (tariff(increment_s=7), 60, 10_800, 63, 63 * CENT, ""),
        (tariff(connect_fee="0.25"), 60, 10_800, 60, 85 * CENT, ""),
        (tariff("0"), 60, 10_800, 60, 0, ""),
        (tariff(), 60, 45, 45, 45 * CENT, "max_duration"),
        (tariff(increment_s=60), 60, 45, 45, 60 * CENT, "max_duration"),
    ],
)
def test_a_lease_costs_what_the_tariff_charges_for_its_seconds(
    price: Tariff, lease_s: int, cap_s: int, covered: int, held: int, cause: str
) -> None:
    """A hold dearer than the charge blocks money; a cheaper one lets a balance go below zero."""
    assert lease_of(price, NOON_MS, lease_s, cap_s) == Lease(covered, held, cause)


def until_half_past_noon() -> Tariff:
    """A plan that covers nothing after 12:30 UTC."""
    price = Price.of("0", Tier.of(0, "0.60", 1))
    return Tariff("EUR", (Window(EVERY_DAY, 0, 45_000, price),), timezone="UTC")


def test_a_lease_ends_where_the_plan_stops_covering() -> None:
    """Nobody talks unpriced."""
    lease = lease_of(until_half_past_noon(), at(1790), 60, 10_800)
    assert (lease.covered_s, lease.cut_cause) == (10, "no_rate")
    with pytest.raises(NoRate):
        lease_of(until_half_past_noon(), at(1801), 60, 10_800)


@pytest.mark.parametrize(
    ("rule", "hold", "floor", "covered"),
    [("prepaid", 60, 60, 60), ("postpaid", 60, 60, 60), ("pseudoprepaid", 600, 1, 600)],
)
def test_pseudo_prepaid_asks_for_the_whole_cap_others_for_a_lease(
    rule: str, hold: int, floor: int, covered: int
) -> None:
    """domain 6: pseudo-prepaid holds once, at least one increment."""
    first = first_hold(tariff(), NOON_MS, 60, 600, rule)
    assert (first.hold_micros, first.floor_micros, first.covered_s) == (hold * CENT, floor * CENT, covered)


@pytest.mark.parametrize(
    ("held", "available", "room", "micros", "by_day"),
    [
        (10, None, None, 10 + 2**52, False),
        (10, 5, None, 15, False),
        (10, None, 5, 15, True),
        (10, 5, 7, 15, False),
        (10, -3, 7, 10, False),
        (10, 9, -3, 10, True),
    ],
)
def test_payable_is_what_is_held_and_the_lesser_of_what_is_free(
    held: int, available: int | None, room: int | None, micros: int, by_day: bool
) -> None:
    """A negative balance takes nothing away that is held already."""
    assert Payable.of(held, available, room) == Payable(micros, by_day)


@pytest.mark.parametrize(
    ("payable", "bound"), [(None, 600), (100 * CENT, 100), (99_999, 9), (0, 0), (10**9, 600)]
)
def test_the_outer_bound_is_what_can_be_paid_within_the_cap(payable: int | None, bound: int) -> None:
    """The edge's own timer."""
    assert outer_bound_s(tariff(), NOON_MS, payable, 600) == bound
    assert outer_bound_s(None, NOON_MS, payable, 600) == 600


@pytest.mark.parametrize(("lease_s", "wake"), [(60, 20), (30, 10), (3, 1), (1, 1), (3600, 20)])
def test_the_keeper_wakes_20_s_before_the_end_of_a_lease(lease_s: int, wake: int) -> None:
    """Short leases of tests would else be due at once, always."""
    assert wake_s(lease_s) == wake


@pytest.mark.parametrize(
    ("call", "payable", "covered", "delta", "cut_s"),
    [
        (live("ringing"), None, 60, 0, None),
        (live("ringing", held_micros=70 * CENT), None, 60, -10 * CENT, None),
        (live("ringing", held_micros=40 * CENT), None, 60, 20 * CENT, None),
        (live("ringing", held_micros=40 * CENT), Payable(45 * CENT, False), 45, 5 * CENT, 45),
        (live("ringing", held_micros=0), Payable(0, False), 0, 0, 0),
        (live("ringing", Terms(rule="pseudoprepaid"), held_micros=300 * CENT), None, 300, 0, 300),
        (live("ringing", tariff=None, held_micros=0, cap_s=500), None, 500, 0, 500),
        (live("ringing", tariff=None, held_micros=0, class_="emergency"), None, 10_800, 0, None),
    ],
)
def test_the_answer_holds_a_lease_and_knows_a_cut_when_it_is_the_last(
    call: LiveCall, payable: Payable | None, covered: int, delta: int, cut_s: int | None
) -> None:
    """Prices may differ between admission and answer."""
    begun = begin(call, NOON_MS, NOON_MS, SILENT_MS, payable)
    cut_at = None if cut_s is None else at(cut_s)
    assert (begun.lease.covered_s, begun.delta_micros, begun.cut_at_ms) == (covered, delta, cut_at)


@pytest.mark.parametrize(
    ("call", "now_s", "edge_s", "step"),
    [
        (live("admitted"), 199, 0, Wait(at(200))),
        (live("admitted"), 200, 199, Reap(at(200))),
        (live("ringing", ringing_ms=at(10)), 205, 0, Wait(at(210))),
        (live("ringing", touched_ms=at(30)), 229, 0, Wait(at(230))),
        (live(), 39, 39, Wait(at(40))),
        (live(), 40, 40, Extend(Lease(120, 120 * CENT), 60 * CENT, at(100), None)),
        (live(cap_s=90), 40, 40, Extend(Lease(90, 90 * CENT, "max_duration"), 30 * CENT, at(90), at(90))),
        (live(), 89, 0, Extend(Lease(120, 120 * CENT), 60 * CENT, at(90), None)),
        (live(), 90, 0, Reap(at(60))),
        (
            live(touched_ms=at(60), confirmed_s=120),
            100,
            0,
            Extend(Lease(180, 180 * CENT), 120 * CENT, at(150), None),
        ),
        (live(), 300, 300, Extend(Lease(360, 360 * CENT), 300 * CENT, at(340), None)),
        (live(cut_at_ms=at(55)), 50, 50, Wait(at(55))),
        (live(cut_at_ms=at(55)), 55, 55, Cut(at(55), at(60))),
        (live(cut_at_ms=at(55)), 90, 0, Reap(at(60))),
        (live(tariff=None, class_="emergency"), 60, 50, Wait(at(140))),
        (live(tariff=None, class_="emergency", confirmed_s=10_800), 90, 0, Reap(at(90))),
    ],
)
def test_what_the_keeper_does_next(call: LiveCall, now_s: int, edge_s: int, step: Step) -> None:
    """One row, one decision. Times: seconds after the answer; edge_s: the edge's last heartbeat."""
    edge_ms = at(edge_s) if edge_s else 0
    assert next_step(call, at(now_s), edge_ms, SILENT_MS) == step


@pytest.mark.parametrize(
    ("money", "by_day", "covered", "add", "cause"),
    [
        (100 * CENT, False, 100, 40, "credit"),
        (100 * CENT, True, 100, 40, "daily_limit"),
        (60 * CENT, False, 60, 0, "credit"),
        (119_9999, False, 119, 59, "credit"),
    ],
)
def test_a_lease_that_cannot_be_paid_in_full_is_the_last_one(
    money: int, by_day: bool, covered: int, add: int, cause: str
) -> None:
    """What can be paid is held, and the call ends at that second."""
    step = extension(live(), at(40), at(500), Payable(money, by_day))
    assert step.lease == Lease(covered, covered * CENT, cause, by_day)
    assert (step.add_micros, step.cut_at_ms) == (add * CENT, at(covered))
