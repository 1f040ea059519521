"""Drift is named client by client, and is a number that an alert can look at."""

from __future__ import annotations

import asyncio

from call_control.app.reconcile import BalanceDrift
from call_control.app.watch_drift import DRIFT, report, run_drift_watch, tell
from call_control.domain.drift import Counter, Drift

HELD = Drift(5, Counter("client", "c2", "held_micros"), 700, 500)
DAY = Drift(5, Counter("day", "c1", "spend_micros", "2026-11-22"), 0, 90)
BALANCE = BalanceDrift("c1", 7, 100, 130)


def value(kind: str) -> float:
    """The metric as a scrape reads it."""
    return float(DRIFT.labels(kind)._value.get())


def test_every_difference_is_one_line_grouped_by_client() -> None:
    """An operator reads whose counter, what it is, what it should be."""
    assert report([HELD, DAY], [BALANCE]) == [
        "client c1: settled_micros at posting 7 is 100, the ledger says 130 (-30)",
        "day c1 2026-11-22: spend_micros is 0, should be 90 (-90)",
        "client c2: held_micros is 700, should be 500 (+200)",
    ]


def test_drift_is_a_metric_that_falls_back_to_nothing() -> None:
    """Repaired drift must clear its alert."""
    tell([HELD, DAY], [BALANCE])
    assert [value(kind) for kind in ("client", "brand", "day", "balance")] == [1, 0, 1, 1]
    tell([], [])
    assert [value(kind) for kind in ("client", "brand", "day", "balance")] == [0, 0, 0, 0]


async def test_one_of_all_processes_measures_and_a_failure_is_tried_again() -> None:
    """Billing away for a moment, or another process' turn: the watch goes on."""
    asked, turns, stop = [0], iter([False, True, True, True]), asyncio.Event()

    async def my_turn() -> bool:
        return next(turns, False)

    async def find() -> tuple[list[Drift], list[BalanceDrift]]:
        asked[0] += 1
        if asked[0] == 1:
            raise ConnectionError("billing is away")
        if asked[0] == 3:
            stop.set()
        return [HELD], []

    await asyncio.wait_for(run_drift_watch(find, my_turn, stop, every_s=0.001), 5)
    assert asked[0] == 3
    assert value("client") == 1
    tell([], [])
