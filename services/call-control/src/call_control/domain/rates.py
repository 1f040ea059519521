"""The price of a call as a decision needs it, found once per destination and then remembered.

`RateBook` holds plans and decks of one moment; a change of either makes a new book, so nothing remembered
outlives what it was found in. Only untimed plans are remembered: a timed one depends on the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from landline.rating.lookup import Plan, Profile, RateDeck, active_profile, resolve
from landline.rating.pinned import dumps
from landline.rating.price import covered_seconds, price_micros
from landline.rating.tariff import Tariff

MEMO_LIMIT = 50_000
LCR_CALL_S = 300
"""Carriers are compared by the cost of a call of five minutes, as the model system does (section 2.1.14)."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A tariff found for a call, its pinned text, and what its first lease costs (micros)."""

    tariff: Tariff
    pinned: str
    lease_s: int
    lease_micros: int
    increment_s: int
    increment_micros: int

    @classmethod
    def of(cls, tariff: Tariff, at_s: float, lease_s: int) -> Priced:
        """Price the first lease and the first increment of a call that would begin at `at_s`. NoRate."""
        increment_s = covered_seconds(tariff, at_s, 1)
        covered_s = covered_seconds(tariff, at_s, lease_s)
        return cls(
            tariff=tariff,
            pinned=dumps(tariff),
            lease_s=covered_s,
            lease_micros=price_micros(tariff, at_s, covered_s),
            increment_s=increment_s,
            increment_micros=price_micros(tariff, at_s, increment_s),
        )


class RateBook:
    """Plans and decks as they are now; finds the tariff of a number."""

    def __init__(self, plans: Mapping[str, Plan], decks: Mapping[str, RateDeck]) -> None:
        self._plans = plans
        self._decks = decks
        self._memo: dict[tuple[object, ...], Priced] = {}
        self._untimed = {p.id: tuple(e.deck_id for e in p.entries) for p in plans.values() if _untimed(p)}

    def price(self, profiles: tuple[Profile, ...], number: str, now_ms: int, lease_s: int) -> Priced:
        """The tariff of a call to `number` that begins now.

        Raises NoRatingProfile, NoRate, or DeckUnavailable (a deck is not on this host: not a denial).
        """
        at_s = now_ms / 1000
        profile = profiles[0] if len(profiles) == 1 and profiles[0].activation_s <= at_s else None
        profile = profile or active_profile(profiles, at_s)
        deck_ids = self._untimed.get(profile.plan_id)
        if deck_ids is None:
            return self._find(profile, number, at_s, lease_s)
        # Which row of each deck matches decides everything: equal rows, equal tariff.
        key = (profile.id, lease_s, *(self._row(deck_id, number) for deck_id in deck_ids))
        known = self._memo.get(key)
        if known is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            known = self._memo[key] = self._find(profile, number, at_s, lease_s)
        return known

    def cost(self, profiles: tuple[Profile, ...], number: str, now_ms: int) -> int | None:
        """What a carrier would charge for LCR_CALL_S of this call (micros); None: it has no rate for it."""
        try:
            priced = self.price(profiles, number, now_ms, LCR_CALL_S)
        except LookupError:  # no profile, no rate, or a deck that is not here: it can't be compared
            return None
        return priced.lease_micros

    def _row(self, deck_id: str, number: str) -> str | None:
        deck = self._decks.get(deck_id)
        match = None if deck is None else deck.find(number)
        return None if match is None else match.prefix

    def _find(self, profile: Profile, number: str, at_s: float, lease_s: int) -> Priced:
        plan = self._plans.get(profile.plan_id)
        if plan is None:
            raise PlanUnavailable(profile.plan_id)
        return Priced.of(resolve(plan, self._decks, number, at_s, profile.id), at_s, lease_s)


class PlanUnavailable(LookupError):
    """A profile names a plan that is not here (yet): like a missing deck, it is no denial of ours."""


def _untimed(plan: Plan) -> bool:
    return all(entry.timing is None for entry in plan.entries)
