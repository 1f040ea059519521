"""Money as micros: nothing is lost on the way in, nothing is invented on the way out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from landline.kernel.money import (
    LIMIT_MICROS,
    CurrencyMismatch,
    Money,
    MoneyOutOfRange,
    Rounding,
    decimal_string,
    round_units,
    scaled,
    to_decimal,
    to_micros,
)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("-0", 0),
        ("12.3456", 12_345_600),
        ("+0.000001", 1),
        ("-1.10000000", -1_100_000),
        ("1000000000000", LIMIT_MICROS),
    ],
)
def test_a_decimal_text_becomes_exactly_its_micros(text: str, micros: int) -> None:
    assert to_micros(text) == to_micros(Decimal(text)) == micros


@pytest.mark.parametrize(
    "value",
    ["", "abc", "1e3", "1_000", "٣", " 1", "1.", ".5", "NaN", "0.0000001", "1000000000000.000001", "9" * 65],
)
def test_a_text_that_is_no_plain_exact_amount_is_refused(value: str) -> None:
    """Decimal itself would take 1e3, 1_000 and Arabic digits: an import would then book what nobody wrote."""
    with pytest.raises(MoneyOutOfRange):
        to_micros(value)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E-7", "1E+13", "1E+999999"])
def test_a_decimal_that_micros_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(MoneyOutOfRange):
        to_micros(Decimal(value))


def test_nanos_use_the_same_door() -> None:
    assert scaled("0.123456789", 9) == 123_456_789


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (350_000, "0.35"),
        (0, "0.00"),
        (-12_000_000, "-12.00"),
        (1, "0.000001"),
        (-100, "-0.0001"),
        (1_234_500, "1.2345"),
    ],
)
def test_an_amount_prints_with_two_decimals_or_as_many_as_it_has(micros: int, text: str) -> None:
    assert decimal_string(micros) == text


@given(st.integers(-LIMIT_MICROS, LIMIT_MICROS))
def test_micros_survive_text_and_decimal(micros: int) -> None:
    assert to_micros(decimal_string(micros)) == micros
    assert to_micros(to_decimal(micros)) == micros


@pytest.mark.parametrize(
    ("numerator", "half_up", "up", "down"),
    [(0, 0, 0, 0), (14, 1, 2, 1), (15, 2, 2, 1), (20, 2, 2, 2), (-14, -1, -2, -1), (-15, -2, -2, -1)],
)
def test_rounding_to_whole_tens_is_the_same_for_a_charge_and_its_correction(
    numerator: int, half_up: int, up: int, down: int
) -> None:
    assert [round_units(numerator, 10, mode) for mode in ("half_up", "up", "down")] == [half_up, up, down]


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**12), st.sampled_from(["half_up", "up", "down"]))
def test_rounding_agrees_with_decimal(numerator: int, denominator: int, mode: Rounding) -> None:
    low, rest = divmod(abs(numerator), denominator)
    more = {"half_up": 2 * rest >= denominator, "up": rest > 0, "down": False}[mode]
    assert round_units(numerator, denominator, mode) == (low + more) * (-1 if numerator < 0 else 1)


def test_rounding_refuses_a_denominator_or_mode_that_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="denominator"):
        round_units(1, 0, "up")
    with pytest.raises(ValueError, match="unknown"):
        round_units(1, 2, "bankers")  # type: ignore[arg-type]


def test_money_adds_subtracts_negates_and_orders_within_one_currency() -> None:
    one, two = Money.of("1", "EUR"), Money.of("2", "EUR")
    assert (one + one, two - one, -one) == (two, one, Money(-1_000_000, "EUR"))
    assert one < two
    assert one <= one
    assert two > one
    assert two >= two
    assert str(Money.of("12.3456", "EUR")) == "12.3456"


def test_money_of_two_currencies_never_mixes_and_is_never_equal() -> None:
    """A top-up in dollars on a euro account would otherwise be worth its digits."""
    euro, dollar = Money.of("1", "EUR"), Money.of("1", "USD")
    assert euro != dollar
    for operation in ("__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"):
        with pytest.raises(CurrencyMismatch):
            getattr(euro, operation)(dollar)
