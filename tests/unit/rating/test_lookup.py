"""Choosing the price: profile, prefix, weight, timing. Decks here are dicts behind the same protocol."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from landline.rating.checks import check
from landline.rating.errors import DeckUnavailable, InvalidTariff, NoRate, NoRatingProfile
from landline.rating.lookup import (
    Plan,
    PlanEntry,
    Profile,
    Timing,
    active_profile,
    check_plan,
    covers_every_hour,
    resolve,
)
from landline.rating.price import price_micros
from landline.rating.tariff import Match, Price, Tariff, Tier, weekday_mask

H = 3600
WEEKEND = Timing(weekday_mask(5, 6))
WORKDAYS = Timing(weekday_mask(0, 1, 2, 3, 4))
NIGHT = Timing(start_s=20 * H)
DAY = Timing(end_s=20 * H)


class MemoryDeck:
    """Prefix -> cents a minute, per second. Passes the same lookups as the file in test_deck_file."""

    version = 7

    def __init__(self, prices: dict[str, int], currency: str = "EUR") -> None:
        self.prices = prices
        self.currency = currency

    def find(self, number: str) -> Match | None:
        return next(self.matches(number), None)

    def matches(self, number: str) -> Iterator[Match]:
        for length in range(len(number), 0, -1):
            cents = self.prices.get(number[:length])
            if cents is not None:
                price = Price(0, (Tier(0, cents * 10**7, 1),))
                yield Match(number[:length], f"{number[:length]} at {cents}", price)


DECKS = {
    "world": MemoryDeck({"+34": 60, "+346": 120, "+1": 30}),
    "offer": MemoryDeck({"+34": 6, "+34612": 18}),
    "night": MemoryDeck({"+34": 12, "+346": 24}),
}
NUMBER = "+34612345678"


def plan(*entries: PlanEntry) -> Plan:
    return check_plan(Plan("plan", 3, "EUR", "Europe/Madrid", entries))


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Madrid")).timestamp())


def cents_a_minute(tariff: Tariff, moment: int) -> int:
    return price_micros(check(tariff), moment, 60) // 10_000


WEDNESDAY, SATURDAY = at("2026-03-04 12:00"), at("2026-03-07 12:00")
WORLD = PlanEntry("world", 10)
LIGHT_OFFER = PlanEntry("offer", 1)
WEEKEND_OFFER = PlanEntry("offer", 20, WEEKEND)
LIGHT_WEEKEND_OFFER = PlanEntry("offer", 1, WEEKEND)
ON_FIXED = "+34911234567"


@pytest.mark.parametrize(
    ("story", "entries", "number", "moment", "prefix", "cents"),
    [
        ("the longest prefix wins", [WORLD], NUMBER, WEDNESDAY, "+346", 120),
        ("over all decks, whatever the weight", [WORLD, LIGHT_OFFER], NUMBER, WEDNESDAY, "+34612", 18),
        ("at equal length the heaviest", [WORLD, PlanEntry("night", 20)], NUMBER, WEDNESDAY, "+346", 24),
        ("or the other heaviest", [WORLD, PlanEntry("night", 5)], NUMBER, WEDNESDAY, "+346", 120),
        (
            "a longer one out of its time is not",
            [WORLD, WEEKEND_OFFER],
            NUMBER,
            WEDNESDAY,
            "+346",
            120,
        ),
        ("and taken in its time", [WORLD, WEEKEND_OFFER], NUMBER, SATURDAY, "+34612", 18),
        ("even when light", [WORLD, LIGHT_WEEKEND_OFFER], NUMBER, SATURDAY, "+34612", 18),
        ("a heavy shorter one loses all the same", [WORLD, WEEKEND_OFFER], "+34699", SATURDAY, "+346", 120),
        ("and wins at equal length", [WORLD, WEEKEND_OFFER], ON_FIXED, SATURDAY, "+34", 6),
    ],
)
def test_the_price_of_a_number(
    story: str, entries: list[PlanEntry], number: str, moment: int, prefix: str, cents: int
) -> None:
    tariff = resolve(plan(*entries), DECKS, number, moment)
    assert (tariff.prefix, cents_a_minute(tariff, moment)) == (prefix, cents), story


def test_a_tariff_tells_where_it_came_from() -> None:
    tariff = resolve(plan(WORLD), DECKS, NUMBER, WEDNESDAY + 0.5, "profile")
    assert tariff.plan_id == "plan"
    assert tariff.profile_id == "profile"
    assert (tariff.deck_id, tariff.deck_version) == ("world", 7)
    assert tariff.destination == "+346 at 120"
    assert tariff.untimed
    assert tariff.timezone is None


def test_equal_prefixes_of_timed_decks_become_windows_and_the_heaviest_active_wins() -> None:
    tariff = resolve(plan(WORLD, PlanEntry("night", 20, NIGHT)), DECKS, NUMBER, WEDNESDAY)
    assert tariff.deck_id == "world"
    assert len(tariff.windows) == 2, "nothing shorter: +346 is covered all week"
    assert cents_a_minute(tariff, at("2026-03-04 19:59:30")) == 60 + 12


def test_a_call_outliving_its_timed_prefix_goes_on_at_the_shorter_one() -> None:
    """Began on the weekend offer of +34612; at Monday 00:00 the general price of +346 goes on."""
    tariff = resolve(plan(WORLD, WEEKEND_OFFER), DECKS, NUMBER, SATURDAY)
    assert tariff.deck_id == "offer"
    assert cents_a_minute(tariff, at("2026-03-08 23:59:30")) == 9 + 60


def test_the_destination_stays_when_a_longer_prefix_comes_into_force() -> None:
    tariff = resolve(plan(WORLD, WEEKEND_OFFER), DECKS, NUMBER, at("2026-03-06 23:59:30"))
    assert cents_a_minute(tariff, at("2026-03-06 23:59:30")) == 120


def test_timed_decks_that_cover_the_week_together_hide_shorter_prefixes() -> None:
    tariff = resolve(plan(PlanEntry("world", 1, DAY), PlanEntry("night", 1, NIGHT)), DECKS, NUMBER, WEDNESDAY)
    assert len(tariff.windows) == 2


def test_timed_decks_with_a_gap_keep_shorter_prefixes_below() -> None:
    entries = (PlanEntry("night", 1, NIGHT), PlanEntry("world", 1, WORKDAYS))
    tariff = resolve(plan(*entries), DECKS, NUMBER, WEDNESDAY)
    assert [window.weight for window in tariff.windows] == [0, -1, -2, -3]


def test_ambiguous_entries_still_price_alike_in_every_process() -> None:
    """`check_plan` refuses them; should one slip through, the choice must not depend on the order of rows."""
    one, two = PlanEntry("world", 1), PlanEntry("night", 1)
    found = [
        resolve(Plan("p", 1, "EUR", "UTC", entries), DECKS, NUMBER, 0) for entries in ((one, two), (two, one))
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("story", "entries", "number"),
    [
        ("no prefix", [WORLD], "+4420"),
        ("no entry", [], NUMBER),
        ("nothing in force", [PlanEntry("world", 1, WEEKEND)], NUMBER),
    ],
)
def test_what_has_no_price_is_refused(story: str, entries: list[PlanEntry], number: str) -> None:
    with pytest.raises(NoRate):
        resolve(plan(*entries), DECKS, number, WEDNESDAY)


def test_a_deck_that_is_not_loaded_is_no_price_of_zero_and_no_missing_price() -> None:
    with pytest.raises(DeckUnavailable) as missing:
        resolve(plan(WORLD, PlanEntry("coming", 1)), DECKS, NUMBER, WEDNESDAY)
    assert missing.value.deck_id == "coming"


def test_a_deck_in_another_currency_is_refused() -> None:
    with pytest.raises(InvalidTariff, match="USD"):
        resolve(plan(WORLD), {"world": MemoryDeck({"+34": 1}, "USD")}, NUMBER, WEDNESDAY)


def test_the_active_profile_is_the_last_one_activated() -> None:
    old, new, tomorrow = Profile("1", "a", 100), Profile("2", "b", 200), Profile("3", "c", 300)
    assert active_profile([new, tomorrow, old], 200) == new
    assert active_profile([new, tomorrow, old], 199.9) == old
    with pytest.raises(NoRatingProfile):
        active_profile([tomorrow], 299)
    with pytest.raises(NoRatingProfile):
        active_profile([], 299)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("weight", Plan("p", 1, "EUR", "UTC", (WORLD, PlanEntry("night", 10)))),
        ("window", Plan("p", 1, "EUR", "UTC", (PlanEntry("world", 1, Timing(start_s=5, end_s=5)),))),
        ("timezone", Plan("p", 1, "EUR", "Mars", ())),
        ("currency", Plan("p", 1, "euro", "UTC", ())),
    ],
)
def test_a_plan_that_could_not_choose_is_refused(field: str, bad: Plan) -> None:
    with pytest.raises(InvalidTariff) as refused:
        check_plan(bad)
    assert refused.value.field == field


def test_a_plan_knows_whether_it_covers_every_hour() -> None:
    assert covers_every_hour(plan(WORLD))
    assert covers_every_hour(plan(PlanEntry("world", 1, DAY), PlanEntry("night", 1, NIGHT)))
    assert not covers_every_hour(plan(PlanEntry("world", 1, DAY)))
