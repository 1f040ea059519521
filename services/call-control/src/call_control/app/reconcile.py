"""`call-control reconcile`: do the counters add up, and do balances and days match ledger and records?

Calls go on meanwhile, so a difference counts only when it is the same twice. Drift is a metric and a failure
of the command; `repair` puts counters right by compare-and-set, never balances: those follow postings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from landline.kernel.ids import PARTITIONS

from call_control.domain.drift import Books, Counter, Drift, add_calls, day_drifts, drifts, expected
from call_control.domain.live_call import LiveCall
from call_control.domain.replies import Status

Names = Mapping[tuple[int, str], Sequence[str]]


class CounterStore(Protocol):
    """See adapters.counters.Counters."""

    async def names(self) -> Names: ...
    async def read(self, partition: int, names: Names) -> dict[Counter, int]: ...
    async def unposted(self, partition: int, names: Names) -> dict[str, int]: ...
    async def reserved(self, partition: int, names: Names) -> dict[str, int]: ...
    async def balances(self, partition: int, names: Names) -> dict[str, tuple[int, int]]: ...
    async def spends(self, partition: int, names: Names) -> dict[str, dict[str, int]]: ...
    async def repair(self, drift: Drift) -> Status: ...


class Ledger(Protocol):
    """See adapters.snapshots.Peers."""

    async def ledger(self, client_ids: Sequence[str]) -> dict[str, Books]: ...


class LiveCalls(Protocol):
    """See adapters.call_reads.CallReads."""

    def live_parts(self, partition: int) -> AsyncIterator[list[LiveCall]]: ...


@dataclass(frozen=True, slots=True)
class BalanceDrift:
    """At the same posting, Redis and the ledger disagree."""

    client_id: str
    sequence: int
    found_micros: int
    right_micros: int


async def find_drifts(
    calls: LiveCalls,
    counters: CounterStore,
    partitions: Iterable[int] = range(PARTITIONS),
    pause_s: float = 0.2,
) -> list[Drift]:
    """Counters that are wrong, and still wrong in the same way `pause_s` later."""
    names = await counters.names()
    suspects = [drift for k in partitions for drift in await _once(calls, counters, k, names)]
    if not suspects:
        return []
    await asyncio.sleep(pause_s)
    names = await counters.names()
    suspected = sorted({drift.partition for drift in suspects})
    again = {drift for k in suspected for drift in await _once(calls, counters, k, names)}
    return [drift for drift in suspects if drift in again]


async def repair(counters: CounterStore, wrong: Iterable[Drift]) -> list[Drift]:
    """Put them right. Returns those that had moved meanwhile: look again."""
    return [drift for drift in wrong if await counters.repair(drift) is not Status.REPAIRED]


async def balance_drifts(
    counters: CounterStore, partition: int, ledger: Mapping[str, tuple[int, int]], names: Names | None = None
) -> list[BalanceDrift]:
    """`ledger`: client id -> (sequence, balance) as billing tells it. A client that is behind is no drift."""
    here = await counters.balances(partition, await counters.names() if names is None else names)
    return [
        BalanceDrift(client_id, sequence, here[client_id][1], balance)
        for client_id, (sequence, balance) in ledger.items()
        if client_id in here and here[client_id][0] == sequence and here[client_id][1] != balance
    ]


async def find_ledger_drifts(
    counters: CounterStore,
    ledger: Ledger,
    since: str,
    partitions: Iterable[int] = range(PARTITIONS),
    pause_s: float = 0.2,
) -> tuple[list[BalanceDrift], list[Drift]]:
    """Balances and days (from `since` on, ISO date) that differ from billing's, twice in the same way.

    Only clients that stand at the same posting on both sides and have no charge waiting can be compared;
    the others are about to agree.
    """
    balances: list[BalanceDrift] = []
    days: list[Drift] = []
    names = await counters.names()
    for partition in partitions:
        suspects = await _against_ledger(counters, ledger, since, partition, names)
        if any(suspects):
            await asyncio.sleep(pause_s)
            again = await _against_ledger(counters, ledger, since, partition, await counters.names())
            balances += [drift for drift in suspects[0] if drift in again[0]]
            days += [drift for drift in suspects[1] if drift in again[1]]
    return balances, days


async def _against_ledger(
    counters: CounterStore, ledger: Ledger, since: str, partition: int, names: Names
) -> tuple[list[BalanceDrift], list[Drift]]:
    before = await counters.balances(partition, names)
    if not before:
        return [], []
    books, spends = await ledger.ledger(sorted(before)), await counters.spends(partition, names)
    waiting = set(await counters.unposted(partition, names))
    after = await counters.balances(partition, names)
    settled = [
        client
        for client in sorted(books)
        if client not in waiting
        and before[client] == after.get(client)
        and books[client].sequence == before[client][0]
    ]
    wrong = await balance_drifts(
        counters, partition, {c: (books[c].sequence, books[c].balance_micros) for c in settled}, names
    )
    days = [d for c in settled for d in day_drifts(partition, c, spends.get(c, {}), books[c].days, since)]
    return wrong, days


async def _once(calls: LiveCalls, counters: CounterStore, partition: int, names: Names) -> list[Drift]:
    waiting, reserved = await counters.unposted(partition, names), await counters.reserved(partition, names)
    right = expected((), waiting, reserved)
    async for part in calls.live_parts(partition):
        add_calls(right, part)
    return drifts(partition, await counters.read(partition, names), right)
