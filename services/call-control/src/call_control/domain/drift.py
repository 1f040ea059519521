"""What counters should be: added up from the live calls and the waiting charges (architecture 3). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from call_control.domain.live_call import LiveCall, State


@dataclass(frozen=True, slots=True)
class Counter:
    """One number in Redis: `kind` client | brand | day, the hash it stands in, its field."""

    kind: str
    owner_id: str
    field: str
    day: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """A client's money at one posting: balance, and spend by local day (ISO date -> micros)."""

    sequence: int
    balance_micros: int
    days: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Drift:
    """A counter that is not what it should be."""

    partition: int
    counter: Counter
    found: int
    right: int


Sums = dict[Counter, int]


def expected(
    calls: Iterable[LiveCall],
    unposted: Mapping[str, int],
    reserved: Mapping[str, int] | None = None,
) -> Sums:
    """What the counters of one partition add up to. `unposted`: client id -> its waiting charges; `reserved`:
    what operations on its balance hold."""
    sums: Sums = defaultdict(int)
    add_calls(sums, calls)
    for client, charges in unposted.items():
        sums[Counter("client", client, "unposted_micros")] += charges
    for client, amounts in (reserved or {}).items():
        sums[Counter("client", client, "held_micros")] += amounts
    return sums


def add_calls(sums: Sums, calls: Iterable[LiveCall]) -> None:
    """Add what these calls take of each counter."""
    for call in calls:
        if call.state is State.ENDED:
            continue
        client = call.facts.client_id
        sums[Counter("brand", call.facts.brand_id, "active")] += 1
        sums[Counter("client", client, "active")] += 1
        sums[Counter("client", client, "held_micros")] += call.held_micros
        if call.received_by:
            sums[Counter("client", client, f"device:{call.received_by}")] += 1
        for day, micros in call.holds.items():
            sums[Counter("day", client, "held_micros", day)] += micros
            if call.state is State.ANSWERED:
                sums[Counter("day", client, "begun_micros", day)] += micros


def drifts(partition: int, found: Mapping[Counter, int], right: Mapping[Counter, int]) -> list[Drift]:
    """Every counter that is there and wrong, or missing and not zero."""
    wrong = [
        Drift(partition, counter, found.get(counter, 0), right.get(counter, 0))
        for counter in {*found, *right}
        if found.get(counter, 0) != right.get(counter, 0)
    ]
    return sorted(wrong, key=lambda drift: (drift.counter.kind, drift.counter.owner_id, drift.counter.field))


def day_drifts(
    partition: int, client_id: str, here: Mapping[str, int], ledger: Mapping[str, int], since: str
) -> list[Drift]:
    """Days from `since` on (ISO date) on which the counter is not the sum of the records' spend."""
    days = sorted(day for day in {*here, *ledger} if day >= since)
    return [
        Drift(partition, Counter("day", client_id, "spend_micros", day), here.get(day, 0), ledger.get(day, 0))
        for day in days
        if here.get(day, 0) != ledger.get(day, 0)
    ]
