"""The money of call-control in a few lines of Python, to compare Redis with after every step.

One price (0.01 a second, per second), a handful of clients of three brands in two partitions.
It knows nothing of scripts: a hold is what the covered seconds cost, a charge is what was talked, as far as
hold and free money reach.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from call_control.domain.live_call import Terms

PER_SECOND = 10_000
LEASE_S = 60
CAP_S = 600

CLIENTS = {
    "prepaid": Terms(rule="prepaid"),
    "prepaid-day": Terms(rule="prepaid", limit_micros=2_000_000, thresholds=(50, 80)),
    "postpaid-day": Terms(rule="postpaid", limit_micros=1_500_000),
    "credit": Terms(rule="postpaid", credit_micros=1_000_000),
    "pseudo": Terms(rule="pseudoprepaid", limit_micros=4_000_000),
}
# Partition and brand; brands 1 and 2 share a partition.
PLACES = {
    "prepaid": (0, "brand-1"),
    "prepaid-day": (0, "brand-1"),
    "postpaid-day": (0, "brand-2"),
    "credit": (0, "brand-2"),
    "pseudo": (41, "brand-3"),
}
PARTITIONS = sorted({partition for partition, _ in PLACES.values()})
CLIENT_MAX, BRAND_MAX = 4, 6


@dataclass
class ModelCall:
    """A live call: what it holds on which day, by the terms of its admission."""

    client: str
    holds: dict[str, int]
    terms: Terms
    answered_ms: int | None = None

    @property
    def held(self) -> int:
        return sum(self.holds.values())


@dataclass
class MoneyModel:
    """Balances by client. `waiting`: charges not posted; `spend`: by (client, day)."""

    settled: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    waiting: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    spend: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    live: dict[str, ModelCall] = field(default_factory=dict)
    terms: dict[str, Terms] = field(default_factory=lambda: dict(CLIENTS))

    def calls_of(self, *, client: str = "", brand: str = "") -> int:
        """How many calls a client or a brand has."""
        return sum(
            client in ("", call.client) and brand in ("", PLACES[call.client][1])
            for call in self.live.values()
        )

    def full(self, client: str) -> bool:
        """Whether its own limit or its brand's lets no further call in."""
        brand = PLACES[client][1]
        return self.calls_of(client=client) >= CLIENT_MAX or self.calls_of(brand=brand) >= BRAND_MAX

    def held(self, client: str) -> int:
        return sum(call.held for call in self.live.values() if call.client == client)

    def available(self, client: str) -> int:
        return self.settled[client] - sum(self.waiting[client].values()) - self.held(client)

    def day_held(self, client: str, day: str, begun: bool = False) -> int:
        return sum(
            call.holds.get(day, 0)
            for call in self.live.values()
            if call.client == client and (call.answered_ms is not None or not begun)
        )

    def free(self, client: str, day: str, terms: Terms) -> int:
        """What a call may still take: of the balance or credit, and of the day."""
        limits = [2**50]
        if terms.rule != "postpaid":
            limits.append(self.available(client))
        elif terms.credit_micros is not None:
            limits.append(self.available(client) + terms.credit_micros)
        if terms.limit_micros is not None:
            limits.append(terms.limit_micros - self.spend[client, day] - self.day_held(client, day))
        return min(limits)

    def first_hold(self, client: str, day: str) -> int | None:
        """What an admission holds now; None: it is refused."""
        if self.full(client):
            return None
        free = self.free(client, day, self.terms[client])
        if self.terms[client].rule != "pseudoprepaid":
            return LEASE_S * PER_SECOND if free >= LEASE_S * PER_SECOND else None
        return min(CAP_S * PER_SECOND, free // PER_SECOND * PER_SECOND) if free >= PER_SECOND else None

    def beyond(self, client: str, day: str, terms: Terms) -> int:
        """What a charge may take above its hold: credit does not limit what was talked already."""
        limits = [2**50]
        if terms.rule != "postpaid":
            limits.append(self.available(client))
        if terms.limit_micros is not None:
            limits.append(terms.limit_micros - self.spend[client, day] - self.day_held(client, day))
        return max(0, min(limits))

    def charge(self, call: ModelCall, seconds: int, day: str) -> int:
        """What an end charges: overrun of prepaid and daily-limited calls is written off."""
        most = call.held + self.beyond(call.client, day, call.terms)
        return min(seconds * PER_SECOND, most) // PER_SECOND * PER_SECOND

    def settle(self, call_id: str, charge: int, day: str) -> None:
        """The days of the holds, oldest first; what no hold covers is today's."""
        call = self.live.pop(call_id)
        rest = charge
        for held_day in sorted(call.holds):
            part = min(rest, call.holds[held_day])
            self.spend[call.client, held_day] += part
            rest -= part
        self.spend[call.client, day] += rest
        if charge:
            self.waiting[call.client][call_id] = charge
