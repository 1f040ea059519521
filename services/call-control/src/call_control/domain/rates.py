"""The price of a call as a decision needs it, found once per destination and then remembered.

`RateBook` holds plans and decks of one moment; a change of either makes a new book, so nothing remembered
outlives what it was found in. Only untimed plans are remembered: a timed one depends on the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from landline.rating.errors import DeckUnavailable
from landline.rating.lookup import Plan, Profile, RateDeck, active_profile, resolve
from landline.rating.pinned import dumps
from landline.rating.price import price_micros
from landline.rating.tariff import Tariff

from call_control.domain.lease import FirstHold, first_hold, outer_bound_s

MEMO_LIMIT = 50_000
HOLDS_LIMIT = 64
_PROFILE: Final = "<profile>"
LCR_CALL_S = 300
"""Carriers are compared by the cost of a call of five minutes, as the model system does (section 2.1.14)."""


class PlanUnavailable(LookupError):
    """A profile names a plan that is not here (yet): like a missing deck, it is no denial of ours."""


class Priced:
    """A tariff found for a call; its text and first holds are remembered where time is no matter.

    The tariff names no profile: clients of one plan share it. `pinned` names the one that led to it.
    """

    __slots__ = ("_cap_prices", "_dearest", "_holds", "_text", "tariff")

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self._text = dumps(replace(tariff, profile_id=_PROFILE)).partition(_PROFILE)
        self._holds: dict[tuple[int, int, str], FirstHold] = {}
        self._cap_prices: dict[int, int] = {}
        self._dearest: int | None = None

    def pinned(self, profile_id: str) -> str:
        """The tariff as the call carries it (`landline.rating.pinned`)."""
        before, _, after = self._text
        return before + profile_id + after

    def first_hold(self, now_ms: int, lease_s: int, cap_s: int, rule: str) -> FirstHold:
        """What an admission holds (micros) and for how long. Raises NoRate at an uncovered moment."""
        if not self.tariff.untimed:
            return first_hold(self.tariff, now_ms, lease_s, cap_s, rule)
        key = (lease_s, cap_s, rule)
        known = self._holds.get(key)
        if known is None:
            if len(self._holds) >= HOLDS_LIMIT:
                self._holds.clear()
            known = self._holds[key] = first_hold(self.tariff, now_ms, lease_s, cap_s, rule)
        return known

    def dearest_minute(self, now_ms: int) -> int:
        """The most that one minute of the call costs (micros): the first, its fee included, or any tier's."""
        if self._dearest is not None:
            return self._dearest
        rates = [tier.rate_nanos for window in self.tariff.windows for tier in window.price.tiers]
        dearest = max(price_micros(self.tariff, now_ms / 1000, 60), -(-max(rates) // 1000))
        if self.tariff.untimed:
            self._dearest = dearest
        return dearest

    def bound_s(self, now_ms: int, payable_micros: int, cap_s: int) -> int:
        """`max_duration_s`: the lesser of the cap and what can be paid. Mostly the cap, and known at once."""
        if not self.tariff.untimed:
            return outer_bound_s(self.tariff, now_ms, payable_micros, cap_s)
        price = self._cap_prices.get(cap_s)
        if price is None:
            price = self._cap_prices[cap_s] = price_micros(self.tariff, now_ms / 1000, cap_s)
        return cap_s if payable_micros >= price else outer_bound_s(self.tariff, now_ms, payable_micros, cap_s)


class RateBook:
    """Plans and decks as they are now; finds the tariff of a number."""

    def __init__(self, plans: Mapping[str, Plan], decks: Mapping[str, RateDeck]) -> None:
        self._plans = plans
        self._decks = decks
        self._memo: dict[tuple[object, ...], Priced] = {}
        self._numbers: dict[tuple[str, str], Priced] = {}
        self._untimed = {p.id: tuple(e.deck_id for e in p.entries) for p in plans.values() if _untimed(p)}

    def price(self, profiles: tuple[Profile, ...], number: str, now_ms: int) -> tuple[Priced, str]:
        """The tariff of a call to `number` that begins now, and the id of the profile that led to it.

        Raises NoRatingProfile, NoRate, or DeckUnavailable, PlanUnavailable (not on this host: no denial).
        """
        at_s = now_ms / 1000
        profile = active_profile(profiles, at_s)
        deck_ids = self._untimed.get(profile.plan_id)
        if deck_ids is None:
            return self._find(profile, number, at_s), profile.id
        number_key = (profile.plan_id, number)
        found = self._numbers.get(number_key)
        if found is None:
            found = self._by_rows(profile, deck_ids, number, at_s)
            if len(self._numbers) >= MEMO_LIMIT:
                self._numbers.clear()
            self._numbers[number_key] = found
        return found, profile.id

    def _by_rows(self, profile: Profile, deck_ids: tuple[str, ...], number: str, at_s: float) -> Priced:
        """Which row of each deck matches decides everything: equal rows, equal tariff, shared by all."""
        key = (profile.plan_id, *(self._row(deck_id, number) for deck_id in deck_ids))
        known = self._memo.get(key)
        if known is None:
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            known = self._memo[key] = self._find(profile, number, at_s)
        return known

    def cost(self, profiles: tuple[Profile, ...], number: str, now_ms: int) -> int | None:
        """What a carrier would charge for LCR_CALL_S of this call (micros); None: it has no rate for it."""
        try:
            priced, _ = self.price(profiles, number, now_ms)
            return price_micros(priced.tariff, now_ms / 1000, LCR_CALL_S)
        except LookupError:  # no profile, no rate, or a deck that is not here: it can't be compared
            return None

    def unreadable(self, profiles: tuple[Profile, ...], number: str, now_ms: int) -> bool:
        """Whether there may be a rate that just can't be read on this host now."""
        try:
            self.price(profiles, number, now_ms)
        except LookupError as error:
            return isinstance(error, DeckUnavailable | PlanUnavailable)
        return False

    def _row(self, deck_id: str, number: str) -> str | None:
        deck = self._decks.get(deck_id)
        match = None if deck is None else deck.find(number)
        return None if match is None else match.prefix

    def _find(self, profile: Profile, number: str, at_s: float) -> Priced:
        plan = self._plans.get(profile.plan_id)
        if plan is None:
            raise PlanUnavailable(profile.plan_id)
        return Priced(resolve(plan, self._decks, number, at_s))


def _untimed(plan: Plan) -> bool:
    return all(entry.timing is None for entry in plan.entries)
