"""Drift as a metric: the comparison of `reconcile`, every ten minutes, by one process of all.

It repairs nothing: a counter that is wrong has a cause, and an operator decides (docs/runbooks).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from prometheus_client import Gauge

from call_control.app.reconcile import BalanceDrift
from call_control.domain.drift import Drift

EVERY_S: Final = 600.0
FIRST_S: Final = 60.0
KINDS: Final = ("client", "brand", "day", "balance")
DRIFT = Gauge("landline_drift", "Counters that differ from calls, ledger or records", ["kind"])
log = structlog.get_logger(__name__)

Find = Callable[[], Awaitable[tuple[list[Drift], list[BalanceDrift]]]]
MyTurn = Callable[[], Awaitable[bool]]


async def run_drift_watch(find: Find, my_turn: MyTurn, stop: asyncio.Event, every_s: float = EVERY_S) -> None:
    """Compare until `stop`. `my_turn`: whether no other process has done it lately."""
    wait_s = min(FIRST_S, every_s)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
            return
        wait_s = every_s
        try:
            if await my_turn():
                tell(*await find())
        except Exception as error:  # a store or billing is away: the next time
            log.warning("drift not measured", error=repr(error)[:200])


def tell(wrong: list[Drift], balances: list[BalanceDrift]) -> None:
    """Set the metric; name every difference in the log."""
    found = Tally(drift.counter.kind for drift in wrong)
    for kind in KINDS[:-1]:
        DRIFT.labels(kind).set(found[kind])
    DRIFT.labels(KINDS[-1]).set(len(balances))
    for line in report(wrong, balances):
        log.error("drift", difference=line)


def report(wrong: list[Drift], balances: list[BalanceDrift]) -> list[str]:
    """One line a difference, grouped by whose it is."""
    lines = [
        (drift.counter.owner_id, f"{drift.counter.kind} {drift.counter.owner_id}"
         f"{f' {drift.counter.day}' if drift.counter.day else ''}: {drift.counter.field}"
         f" is {drift.found}, should be {drift.right} ({drift.found - drift.right:+d})")
        for drift in wrong
    ]  # fmt: skip
    lines += [
        (each.client_id, f"client {each.client_id}: settled_micros at posting {each.sequence}"
         f" is {each.found_micros}, the ledger says {each.right_micros}"
         f" ({each.found_micros - each.right_micros:+d})")
        for each in balances
    ]  # fmt: skip
    return [line for _, line in sorted(lines)]
