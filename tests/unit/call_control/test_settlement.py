"""Settlement as tables: seconds, charge, overrun, days."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.domain.lease import Payable
from call_control.domain.live_call import LiveCall, State, Terms
from call_control.domain.settlement import billed_seconds, distribute, redistribute, settle, talked_seconds

from tests.support.calls import NOON_MS, facts

CENT = 10_000
TODAY = "2026-11-22"


@pytest.mark.parametrize(
    ("answered", "ended", "seconds"),
    [(None, 9_999, 0), (0, 0, 1), (0, -5_000, 1), (0, 999, 1), (0, 1_999, 1), (0, 2_000, 2), (400, 2_399, 1)],
)
def test_talked_seconds_are_whole_and_at_least_one_once_answered(
    answered: int | None, ended: int, seconds: int
) -> None:
    """floor(ended - answered), domain 6."""
    assert talked_seconds(answered, ended) == seconds


@pytest.mark.parametrize(
    ("ended", "cut_at", "seconds"), [(63_000, 60_000, 60), (59_000, 60_000, 59), (63_000, None, 63)]
)
def test_a_call_that_we_cut_is_billed_to_the_cut_second(ended: int, cut_at: int | None, seconds: int) -> None:
    """The edge's BYE always comes a little later."""
    assert billed_seconds(0, ended, cut_at) == seconds


def answered_call(**changes: Any) -> LiveCall:
    """A prepaid call that holds 60 s of today."""
    base = facts(**changes)
    terms = Terms(rule=base.billing_method)
    return LiveCall(
        base.call_id, State.ANSWERED, 3, base, terms, held_micros=60 * CENT, holds={TODAY: 60 * CENT}
    )


@pytest.mark.parametrize(
    ("talked_s", "payable", "duration", "charge", "unbilled_s"),
    [
        (30, None, 30, 30, 0),
        (90, None, 90, 90, 0),
        (90, Payable(75 * CENT, False), 75, 75, 15),
        (90, Payable(75 * CENT + 9_999, True), 75, 75, 15),
        (90, Payable(0, False), 0, 0, 90),
    ],
)
def test_what_cannot_be_paid_is_overrun_not_debt(
    talked_s: int, payable: Payable | None, duration: int, charge: int, unbilled_s: int
) -> None:
    """The operator's loss is told, never taken from the client."""
    ended = NOON_MS + talked_s * 1000
    bill = settle(answered_call(), NOON_MS, ended, TODAY, payable)
    assert (bill.duration_s, bill.charge_micros, bill.unbilled_s) == (duration, charge * CENT, unbilled_s)
    assert bill.unbilled_micros == unbilled_s * CENT
    assert sum(bill.spend_by_day.values()) == bill.charge_micros


@pytest.mark.parametrize("changes", [{"tariff": None}, {"billing_method": "none"}])
def test_an_unpriced_call_has_a_duration_and_no_charge(changes: dict[str, Any]) -> None:
    """Emergency and special numbers leave a record."""
    bill = settle(answered_call(**changes), NOON_MS, NOON_MS + 45_000, TODAY)
    assert (bill.duration_s, bill.charge_micros, bill.spend_by_day) == (45, 0, {})


@pytest.mark.parametrize(
    ("holds", "charge", "shares"),
    [
        ({}, 0, {}),
        ({}, 5, {"d2": 5}),
        ({"d1": 10}, 4, {"d1": 4}),
        ({"d1": 10, "d2": 10}, 10, {"d1": 10}),
        ({"d2": 10, "d1": 10}, 13, {"d1": 10, "d2": 3}),
        ({"d1": 10, "d2": 10}, 25, {"d1": 10, "d2": 15}),
        ({"d1": 10}, 25, {"d1": 10, "d2": 15}),
        ({"d0": 0, "d1": 10}, 10, {"d1": 10}),
    ],
)
def test_a_charge_fills_the_days_oldest_first(
    holds: dict[str, int], charge: int, shares: dict[str, int]
) -> None:
    """The surplus is released from the newest; what no hold covers is today's (d2)."""
    assert distribute(holds, charge, "d2") == shares


@pytest.mark.parametrize(
    ("spend", "diff", "after"),
    [
        ({"d1": 10}, 0, {"d1": 10}),
        ({"d1": 10}, 5, {"d1": 10, "d2": 5}),
        ({"d1": 10, "d2": 5}, -5, {"d1": 10}),
        ({"d1": 10, "d2": 5}, -8, {"d1": 7}),
        ({"d1": 10}, -10, {}),
    ],
)
def test_a_correction_takes_from_the_newest_day_and_adds_to_today(
    spend: dict[str, int], diff: int, after: dict[str, int]
) -> None:
    """The sum over records must stay the day's counter."""
    assert redistribute(spend, diff, "d2") == after
