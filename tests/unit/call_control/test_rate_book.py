"""Finding prices per worker: remembered where time is no matter, never longer than their source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from call_control.adapters.rate_facts import plan_of
from call_control.domain.rates import PlanUnavailable, RateBook
from landline.rating.deck_file import Deck
from landline.rating.errors import DeckUnavailable, NoRate, NoRatingProfile
from landline.rating.lookup import Profile, RateDeck
from landline.rating.pinned import loads
from landline.rating.tariff import Match

from tests.support import configured as c
from tests.support.decided import NOW_MS

PROFILES = (Profile(c.PROFILE, c.PLAN, 0),)


class Counted:
    """A deck that counts how often it is asked for a tariff."""

    def __init__(self, deck: Deck) -> None:
        self._deck = deck
        self.asked = 0
        self.version, self.currency = deck.version, deck.currency

    def find(self, number: str) -> Match | None:
        self.asked += 1
        return self._deck.find(number)

    def matches(self, number: str) -> Iterator[Match]:
        return self._deck.matches(number)


def book(folder: Path, **plan: Any) -> tuple[RateBook, Counted]:
    """A book of the configured plan (changed) and deck."""
    c.deck(folder)
    deck = Counted(Deck.open(folder / f"{c.DECK}-1.deck"))
    decks: dict[str, RateDeck] = {c.DECK: deck}
    return RateBook({c.PLAN: plan_of(c.PLAN, c.plan(**plan).data or {})}, decks), deck


def test_the_same_destination_is_priced_once(tmp_path: Path) -> None:
    """Two numbers of one prefix share their tariff: resolving it anew for each would halve the throughput."""
    rates, _ = book(tmp_path)
    first, _ = rates.price(PROFILES, "+34600000001", NOW_MS)
    assert rates.price(PROFILES, "+34600000002", NOW_MS + 5)[0] is first
    assert rates.price(PROFILES, "+34900000002", NOW_MS)[0] is not first


def test_clients_of_one_plan_share_its_prices_but_not_their_profile(tmp_path: Path) -> None:
    """Ten thousand clients have ten thousand profiles of a few plans: the record must name the right one."""
    rates, _ = book(tmp_path)
    other = (Profile("another profile", c.PLAN, 0),)
    mine, my_profile = rates.price(PROFILES, "+34600000001", NOW_MS)
    theirs, their_profile = rates.price(other, "+34600000002", NOW_MS)
    assert mine is theirs
    assert loads(mine.pinned(my_profile)).profile_id == c.PROFILE
    assert loads(theirs.pinned(their_profile)).profile_id == "another profile"
    assert replace(loads(mine.pinned("")), profile_id="") == mine.tariff


def test_a_timed_plan_is_never_remembered(tmp_path: Path) -> None:
    """At night the night price: a remembered day price would be charged for a call pinned to it."""
    night = [{"deck_id": c.DECK, "weight": 1, "start": "22:00:00", "end": "00:00:00"}]
    rates, _ = book(tmp_path, entries=night)
    with pytest.raises(NoRate):
        rates.price(PROFILES, "+34600000001", NOW_MS)
    at_23 = NOW_MS + 10 * 3_600_000  # 23:00 in Madrid
    priced, _ = rates.price(PROFILES, "+34600000001", at_23)
    assert rates.price(PROFILES, "+34600000001", at_23)[0] is not priced
    assert priced.first_hold(at_23, 60, 10_800, "prepaid").hold_micros == 1_200_000
    assert priced.bound_s(at_23, 600_000, 10_800) == 30


def test_weekdays_of_a_plan_are_counted_from_monday(tmp_path: Path) -> None:
    """2026-11-22 is a Sunday, weekday 6: a plan for Sundays covers it, one for Mondays does not."""
    sunday, _ = book(tmp_path, entries=[{"deck_id": c.DECK, "weight": 1, "weekdays": [6]}])
    monday, _ = book(tmp_path, entries=[{"deck_id": c.DECK, "weight": 1, "weekdays": [0]}])
    assert sunday.price(PROFILES, "+34600000001", NOW_MS)[0].tariff.timezone == "Europe/Madrid"
    with pytest.raises(NoRate):
        monday.price(PROFILES, "+34600000001", NOW_MS)


def test_what_is_missing_is_told_apart(tmp_path: Path) -> None:
    """No profile, no price: refused. A plan or deck that is not here: an outage of ours, another answer."""
    rates, _ = book(tmp_path)
    with pytest.raises(NoRatingProfile):
        rates.price((), "+34600000001", NOW_MS)
    with pytest.raises(NoRate):
        rates.price(PROFILES, "+442071234567", NOW_MS)
    with pytest.raises(PlanUnavailable):
        rates.price((Profile("p", "another plan", 0),), "+34600000001", NOW_MS)
    with pytest.raises(DeckUnavailable):
        RateBook({c.PLAN: plan_of(c.PLAN, c.plan().data or {})}, {}).price(PROFILES, "+34600", NOW_MS)


def test_first_holds_and_bounds_are_the_tariffs(tmp_path: Path) -> None:
    """Remembering them must not change them: 60 s of 1.20 a minute, and what 0.30 pays."""
    priced, _ = book(tmp_path)[0].price(PROFILES, "+34600000001", NOW_MS)
    for _ in range(2):
        assert priced.first_hold(NOW_MS, 60, 10_800, "prepaid").hold_micros == 1_200_000
        assert priced.bound_s(NOW_MS, 300_000, 10_800) == 15
        assert priced.bound_s(NOW_MS, 10**12, 10_800) == 10_800
    whole = priced.first_hold(NOW_MS, 60, 10_800, "pseudoprepaid")
    assert (whole.hold_micros, whole.covered_s) == (216_000_000, 10_800)


def test_memory_of_holds_and_destinations_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner that calls every prefix must not fill the worker."""
    from call_control.domain import rates as module

    monkeypatch.setattr(module, "MEMO_LIMIT", 2)
    monkeypatch.setattr(module, "HOLDS_LIMIT", 2)
    rates, _ = book(tmp_path)
    for number in ("+34600000001", "+34900000001", "+15550001", "+34600000001"):
        priced, _ = rates.price(PROFILES, number, NOW_MS)
    for lease_s in (10, 20, 30, 40):
        assert priced.first_hold(NOW_MS, lease_s, 10_800, "prepaid").covered_s == lease_s
    assert len(rates._memo) <= 2
    assert len(priced._holds) <= 2
