"""The price of a call, told as calls. Zone of the timed stories: Europe/Madrid."""

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from landline.kernel.money import Rounding, decimal_string, to_micros
from landline.rating.checks import check
from landline.rating.errors import NoRate
from landline.rating.price import affordable_seconds, breakdown, covered_seconds, price_micros
from landline.rating.tariff import DAY_S, EVERY_DAY, Price, Tariff, Tier, Window, always, weekday_mask
from landline.rating.timing import covers_week

MADRID = "Europe/Madrid"
WORKDAYS = weekday_mask(0, 1, 2, 3, 4)
H = 3600


def flat(price: Price, decimals: int = 4, rounding: Rounding = "half_up") -> Tariff:
    return check(Tariff("EUR", (always(price),), decimals, rounding))


def timed(*windows: Window, timezone: str = MADRID) -> Tariff:
    return check(Tariff("EUR", windows, timezone=timezone))


def at(text: str, timezone: str = MADRID) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone)).timestamp())


def cost(tariff: Tariff, start: float, duration: int) -> str:
    return decimal_string(price_micros(tariff, start, duration))


PER_SECOND = Price.of("0", Tier.of(0, "0.60", 1))
FIRST_MINUTE_DEARER = Price.of("0.10", Tier.of(0, "0.30", 60), Tier.of(60, "0.12", 10))
FREE_30_SECONDS = Price.of("0", Tier.of(0, "0", 30), Tier.of(30, "0.60", 1))
FLOOR_OF_TEN_CENTS = Price.of("0.10", Tier.of(0, "0.12", 1), minimum_charge=True)


@pytest.mark.parametrize(
    ("story", "price", "duration", "expected"),
    [
        ("no duration costs nothing, connect fee included", FIRST_MINUTE_DEARER, 0, "0.00"),
        ("a negative duration costs nothing", FIRST_MINUTE_DEARER, -5, "0.00"),
        ("one second pays fee and whole first minute", FIRST_MINUTE_DEARER, 1, "0.40"),
        ("the 61st second opens a cheaper block of ten", FIRST_MINUTE_DEARER, 61, "0.42"),
        ("two minutes", FIRST_MINUTE_DEARER, 120, "0.52"),
        ("the free seconds are free", FREE_30_SECONDS, 30, "0.00"),
        ("the second after them is not", FREE_30_SECONDS, 31, "0.01"),
        ("below the floor the floor is due", FLOOR_OF_TEN_CENTS, 10, "0.10"),
        ("at the floor the fee is used up", FLOOR_OF_TEN_CENTS, 50, "0.10"),
        ("above it only usage counts", FLOOR_OF_TEN_CENTS, 60, "0.12"),
    ],
)
def test_an_untimed_call_costs_what_the_deck_says(
    story: str, price: Price, duration: int, expected: str
) -> None:
    assert cost(flat(price), 0, duration) == expected, story


def test_a_block_that_overruns_the_next_tier_is_not_charged_twice() -> None:
    """80 is a multiple of 40, but the block begun at 60 ends at 100: the third tier begins there."""
    price = Price.of("0", Tier.of(0, "0.60", 60), Tier.of(60, "0.60", 40), Tier.of(80, "0.60", 1))
    assert [cost(flat(price), 0, seconds) for seconds in (61, 90, 100, 101)] == [
        "1.00",
        "1.00",
        "1.00",
        "1.01",
    ]


def test_a_block_may_swallow_a_whole_tier() -> None:
    price = Price.of(
        "0", Tier.of(0, "1", 1), Tier.of(1, "1", 50), Tier.of(50, "60", 1), Tier.of(51, "0.60", 1)
    )
    assert covered_seconds(flat(price), 0, 2) == 51
    assert cost(flat(price), 0, 52) == "0.86"


@pytest.mark.parametrize(
    ("rounding", "expected"), [("half_up", "0.0168"), ("up", "0.0168"), ("down", "0.0167")]
)
def test_the_price_is_rounded_once_and_as_the_plan_says(rounding: Rounding, expected: str) -> None:
    """0.001 a minute: each second is below the fourth decimal; rounding those would give 0 or 0.1005."""
    tariff = flat(Price.of("0", Tier.of(0, "0.001", 1)), rounding=rounding)
    assert cost(tariff, 0, 1005) == expected


def test_a_nano_rate_is_not_lost() -> None:
    assert cost(flat(Price.of("0", Tier.of(0, "0.000000001", 60)), decimals=6), 0, 60 * 5000) == "0.000005"


PEAK = Window(WORKDAYS, 8 * H, 20 * H, Price.of("0.50", Tier.of(0, "1.20", 60), Tier.of(60, "1.20", 1)), 1)
CHEAP = always(Price.of("0", Tier.of(0, "0.60", 60), Tier.of(60, "0.60", 1)))
TIMED = timed(PEAK, CHEAP)


@pytest.mark.parametrize(
    ("story", "start", "duration", "expected"),
    [
        ("all at peak, with peak's fee", "2026-03-04 10:00", 90, "2.30"),
        ("at the weekend it is cheap at any hour, without a fee", "2026-03-07 10:00", 90, "0.90"),
        ("ends as the cheap time begins", "2026-03-04 19:58", 120, "2.90"),
        ("starts as the cheap time begins", "2026-03-04 20:00", 120, "1.20"),
        ("the minute begun at peak eats into the cheap time", "2026-03-04 19:59:40", 60, "1.70"),
        ("and the cheap time begins after it, in the tier of 60 s", "2026-03-04 19:59:40", 70, "1.80"),
        ("peak asks no fee of a call that began before it", "2026-03-04 07:59:00", 120, "1.80"),
        ("Sunday night into Monday has no peak", "2026-03-08 23:59", 120, "1.20"),
    ],
)
def test_a_timed_call_is_split_at_the_boundary(story: str, start: str, duration: int, expected: str) -> None:
    assert cost(TIMED, at(start), duration) == expected, story


def test_a_fraction_of_a_second_moves_no_second_over_the_boundary() -> None:
    """The second begun at 19:59:59.7 began at peak, whatever of it lies after."""
    tariff = timed(Window(WORKDAYS, 8 * H, 20 * H, Price.of("0", Tier.of(0, "120", 1)), 1), CHEAP)
    assert cost(tariff, at("2026-03-04 19:59:59") + 0.7, 1) == "2.00"
    assert breakdown(tariff, at("2026-03-04 19:59:59") + 0.7, 2)[1].position_s == 1


NIGHT_DEAR = timed(
    Window(EVERY_DAY, 0, 3 * H, Price.of("0", Tier.of(0, "0.60", 1)), 1),
    always(Price.of("0", Tier.of(0, "0", 1))),
)


@pytest.mark.parametrize(
    ("story", "day", "seconds_of_night"),
    [
        ("an ordinary night has three hours before 03:00", "2026-03-28 00:00", 3 * H),
        ("clocks go forward: two", "2026-03-29 00:00", 2 * H),
        ("clocks go back: 02:00 comes twice, four", "2026-10-25 00:00", 4 * H),
    ],
)
def test_windows_are_wall_clock_on_days_of_23_and_25_hours(
    story: str, day: str, seconds_of_night: int
) -> None:
    lines = breakdown(NIGHT_DEAR, at(day), 5 * H)
    assert sum(line.seconds for line in lines if line.window == 0) == seconds_of_night, story
    assert price_micros(NIGHT_DEAR, at(day), 5 * H) == seconds_of_night * 10_000


def test_a_window_inside_the_repeated_hour_is_in_force_twice() -> None:
    window = Window(EVERY_DAY, 2 * H, 2 * H + 1800, PER_SECOND, 1)
    tariff = timed(window, always(Price.of("0", Tier.of(0, "0", 1))))
    assert price_micros(tariff, at("2026-10-25 00:00"), 6 * H) == 2 * 1800 * 10_000
    assert price_micros(tariff, at("2026-03-29 00:00"), 6 * H) == 0, "02:00 does not exist that day"


def test_a_zone_that_jumps_at_midnight_keeps_its_weekdays() -> None:
    """In Beirut 00:00 of 29 March 2026 is skipped: Sunday begins at 01:00."""
    sunday = Window(weekday_mask(6), 0, DAY_S, PER_SECOND, 1)
    tariff = timed(sunday, always(Price.of("0", Tier.of(0, "0", 1))), timezone="Asia/Beirut")
    start = at("2026-03-28 23:30", "Asia/Beirut")
    assert price_micros(tariff, start, H) == 1800 * 10_000


GAPPY = timed(Window(WORKDAYS, 8 * H, 20 * H, Price.of("0", Tier.of(0, "0.60", 60)), 1))


def test_a_call_that_starts_where_no_window_is_has_no_rate() -> None:
    for ask in (price_micros, covered_seconds, breakdown):
        with pytest.raises(NoRate):
            ask(GAPPY, at("2026-03-04 21:00"), 60)
    with pytest.raises(NoRate):
        affordable_seconds(GAPPY, at("2026-03-04 21:00"), 10**9, 60)


def test_a_call_can_afford_no_second_beyond_the_last_window() -> None:
    """The block begun before 20:00 is paid and may be used; the next has no price."""
    start = at("2026-03-04 19:58:30")
    assert affordable_seconds(GAPPY, start, 10**12, 3 * H) == 120
    assert cost(GAPPY, start, 120) == "1.20"
    with pytest.raises(NoRate):
        price_micros(GAPPY, start, 121)


def test_a_full_week_of_windows_leaves_no_gap() -> None:
    halves = [Window(EVERY_DAY, 12 * H, DAY_S, PER_SECOND), Window(EVERY_DAY, 0, 12 * H, PER_SECOND)]
    assert covers_week(halves)
    assert not covers_week(halves[:1])
    assert not covers_week([halves[0], Window(WORKDAYS, 0, 12 * H, PER_SECOND)])
    assert not covers_week([halves[0], Window(EVERY_DAY, 0, 11 * H, PER_SECOND)])


@pytest.mark.parametrize(
    ("money", "cap", "seconds"),
    [
        ("-1", 600, 0),
        ("0", 600, 0),
        ("0.39", 600, 0),
        ("0.40", 600, 60),
        ("0.4199", 600, 60),
        ("0.42", 600, 70),
        ("0.42", 65, 65),
        ("1000", 600, 600),
        ("1000", 0, 0),
        ("1000", -1, 0),
    ],
)
def test_money_buys_whole_increments_up_to_the_cap(money: str, cap: int, seconds: int) -> None:
    assert affordable_seconds(flat(FIRST_MINUTE_DEARER), 0, to_micros(money), cap) == seconds


def test_a_free_call_needs_no_money() -> None:
    assert affordable_seconds(flat(Price.of("0", Tier.of(0, "0", 1))), 0, 0, 3 * H) == 3 * H


def test_covered_seconds_end_with_the_increment_in_progress() -> None:
    tariff = flat(FIRST_MINUTE_DEARER)
    assert [covered_seconds(tariff, 0, seconds) for seconds in (0, 1, 60, 61, 70)] == [0, 60, 60, 70, 70]


def test_a_breakdown_names_fee_windows_and_tiers_in_order() -> None:
    lines = breakdown(TIMED, at("2026-03-04 19:58:30"), 100)
    assert [(x.kind, x.window, x.tier, x.position_s, x.seconds, x.increments) for x in lines] == [
        ("connect", 0, 0, 0, 0, 0),
        ("usage", 0, 0, 0, 60, 1),
        ("usage", 0, 1, 60, 30, 30),
        ("usage", 1, 1, 90, 10, 10),
    ]
    assert [x.amount for x in lines] == [Fraction(1, 2), Fraction(6, 5), Fraction(3, 5), Fraction(1, 10)]


def test_a_breakdown_joins_what_only_midnight_cuts() -> None:
    lines = breakdown(TIMED, at("2026-03-07 23:50"), 1200)
    assert [(x.tier, x.seconds) for x in lines] == [(0, 60), (1, 1140)]


def test_a_breakdown_shows_what_a_minimum_charge_adds() -> None:
    tariff = flat(FLOOR_OF_TEN_CENTS)
    assert [(x.kind, x.amount) for x in breakdown(tariff, 0, 10)] == [
        ("minimum", Fraction(8, 100)),
        ("usage", Fraction(2, 100)),
    ]
    assert [x.kind for x in breakdown(tariff, 0, 60)] == ["usage"]
    assert breakdown(tariff, 0, 0) == []
