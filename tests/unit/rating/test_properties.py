"""What must hold for every tariff and every deck, not only for those we thought of."""

import tempfile
from fractions import Fraction
from math import floor
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from landline.kernel.money import round_units
from landline.rating.checks import check
from landline.rating.deck_file import Deck, DeckMeta, DeckRow, write_deck
from landline.rating.pinned import dumps, loads
from landline.rating.price import affordable_seconds, breakdown, covered_seconds, price_micros
from landline.rating.tariff import DAY_S, EVERY_DAY, Price, Tariff, Tier, Window, always


@st.composite
def prices(draw: st.DrawFn) -> Price:
    tiers: list[Tier] = []
    start = 0
    for _ in range(draw(st.integers(1, 4))):
        increment = draw(st.sampled_from([1, 6, 7, 10, 30, 60]))
        tiers.append(Tier(start, draw(st.integers(0, 3 * 10**9)), increment))
        start = (start // increment + draw(st.integers(1, 5))) * increment
    return Price(draw(st.integers(0, 10**6)), tuple(tiers), draw(st.booleans()))


@st.composite
def windows(draw: st.DrawFn, weight: int) -> Window:
    start = draw(st.integers(0, DAY_S - 1))
    end = draw(st.integers(start + 1, DAY_S))
    return Window(draw(st.integers(1, EVERY_DAY)), start, end, draw(prices()), weight)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Untimed, or up to three windows over an always; zones with and without clock changes."""
    timed = tuple(draw(windows(weight)) for weight in range(1, draw(st.integers(1, 4))))
    return check(
        Tariff(
            currency="EUR",
            windows=(*timed, always(draw(prices()))),
            decimals=draw(st.integers(0, 6)),
            rounding=draw(st.sampled_from(["half_up", "up", "down"])),
            timezone=draw(st.sampled_from(["Europe/Madrid", "America/St_Johns", "Asia/Beirut", "UTC"])),
            plan_id=draw(st.text(max_size=5)),
            deck_version=draw(st.integers(0, 99)),
            destination=draw(st.text(max_size=10)),
        )
    )


# Around Madrid's clock changes of 2026, where windows are hardest.
starts = st.one_of(
    st.integers(1_774_659_600, 1_774_832_400),
    st.integers(1_792_800_000, 1_793_000_000),
    st.floats(1.7e9, 1.8e9, allow_nan=False),
)
durations = st.integers(0, 12_000)


@given(tariffs(), starts, durations, st.integers(0, 200))
def test_a_longer_call_never_costs_less(tariff: Tariff, start: float, duration: int, more: int) -> None:
    """Would break every hold: money reserved for 60 s must pay for 59."""
    assert price_micros(tariff, start, duration) <= price_micros(tariff, start, duration + more)


@given(tariffs(), starts, st.integers(-10, 10**8), durations)
def test_what_is_affordable_fits_and_one_second_more_does_not(
    tariff: Tariff, start: float, money: int, cap: int
) -> None:
    seconds = affordable_seconds(tariff, start, money, cap)
    assert 0 <= seconds <= cap
    assert seconds == 0 or price_micros(tariff, start, seconds) <= money
    assert seconds == cap or price_micros(tariff, start, seconds + 1) > money


@given(tariffs(), starts, durations)
def test_the_price_is_the_sum_of_its_breakdown_rounded_once(
    tariff: Tariff, start: float, duration: int
) -> None:
    total = sum((line.amount for line in breakdown(tariff, start, duration)), Fraction(0))
    exact = total * 10**tariff.decimals
    rounded = round_units(exact.numerator, exact.denominator, tariff.rounding)
    assert price_micros(tariff, start, duration) == rounded * 10 ** (6 - tariff.decimals)


@given(tariffs(), starts, durations)
def test_covered_seconds_are_paid_for_already(tariff: Tariff, start: float, seconds: int) -> None:
    covered = covered_seconds(tariff, start, seconds)
    assert seconds <= covered < seconds + 60
    assert price_micros(tariff, start, covered) == price_micros(tariff, start, seconds)


@given(prices(), st.integers(1, 20_000))
def test_an_untimed_price_is_what_a_walk_second_by_second_finds(price: Price, duration: int) -> None:
    """The rule of section 7 in its dullest form."""
    position, usage = 0, 0
    while position < duration:
        tier = [tier for tier in price.tiers if tier.interval_start_s <= position][-1]
        usage += tier.rate_nanos * tier.increment_s
        position += tier.increment_s
    fee, used = Fraction(price.connect_fee_micros), Fraction(usage, 60 * 1000)
    micros = max(fee, used) if price.minimum_charge else fee + used
    assert price_micros(Tariff("EUR", (always(price),), 6, "down"), 0, duration) == floor(micros)


@given(tariffs())
def test_a_tariff_survives_its_text(tariff: Tariff) -> None:
    assert loads(dumps(tariff)) == tariff


digits = st.text("012", min_size=1, max_size=15)
FREE = Price(0, (Tier(0, 0, 1),))


@settings(max_examples=60)
@given(st.sets(digits, max_size=60), st.lists(digits, min_size=1, max_size=40))
def test_a_deck_finds_what_a_naive_search_finds(prefixes: set[str], numbers: list[str]) -> None:
    """Three digits only, so that prefixes nest deeply and zeros meet the padding."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deck"
        write_deck(path, DeckMeta("d", 1, "EUR"), [DeckRow("+" + p, p, FREE) for p in prefixes])
        with Deck.open(path) as deck:
            assert {row.prefix[1:] for row in deck} == prefixes
            for number in [*numbers, *prefixes]:
                naive = [number[:n] for n in range(len(number), 0, -1) if number[:n] in prefixes]
                assert [match.destination for match in deck.matches("+" + number)] == naive
