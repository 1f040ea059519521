"""What a tariff may not be. Every refusal is an InvalidTariff that names the field.

Called where values enter: a deck row written, a plan changed, a pinned text read back.
"""

from itertools import pairwise
from typing import Final, get_args

from landline.kernel.money import DECIMALS, MICROS, Rounding
from landline.rating.errors import InvalidTariff
from landline.rating.tariff import DAY_S, EVERY_DAY, Price, Tariff, Tier, Window
from landline.rating.timing import zone

# A call has a cap of 3 h: at these limits its price stays below 2**53 micros, exact in Redis' Lua.
MAX_UNITS: Final = 1_000_000
MAX_RATE_NANOS: Final = MAX_UNITS * 10**9
MAX_INCREMENT_S: Final = DAY_S
MAX_TIERS: Final = 16
MAX_WINDOWS: Final = 64


def _require(condition: bool, field: str, message: str) -> None:
    if not condition:
        raise InvalidTariff(field, message)


def check_price(price: Price) -> Price:
    """The price itself when sound: domain.md section 7, and a limit on every figure. Raises InvalidTariff."""
    fee, tiers = price.connect_fee_micros, price.tiers
    _require(0 <= fee <= MAX_UNITS * MICROS, "connect_fee", "must be between 0 and 1000000 units")
    _require(1 <= len(tiers) <= MAX_TIERS, "tiers", f"must be 1 to {MAX_TIERS}")
    _require(tiers[0].interval_start_s == 0, "interval_start", "the first tier must start at 0")
    for tier in tiers:
        _require(0 <= tier.rate_nanos <= MAX_RATE_NANOS, "rate", "must be 0 to 1000000 units a minute")
        _require(0 < tier.increment_s <= MAX_INCREMENT_S, "increment", f"must be 1 to {MAX_INCREMENT_S} s")
    for earlier, later in pairwise(tiers):
        _check_step(earlier, later)
    return price


def _check_step(earlier: Tier, later: Tier) -> None:
    start = later.interval_start_s
    _require(earlier.interval_start_s < start <= DAY_S, "interval_start", "must increase, up to a day")
    if start % earlier.increment_s:
        raise InvalidTariff(
            "interval_start", f"{start} s is no multiple of {earlier.increment_s} s, the increment before"
        )


def check_windows(windows: tuple[Window, ...]) -> None:
    """Raises InvalidTariff for a window out of the day, or for two of which none would win."""
    _require(1 <= len(windows) <= MAX_WINDOWS, "windows", f"must be 1 to {MAX_WINDOWS}")
    for window in windows:
        _require(0 < window.weekdays <= EVERY_DAY, "weekdays", "must name at least one weekday")
        _require(
            0 <= window.start_s < window.end_s <= DAY_S,
            "window",
            "must end after its start, within the day; past midnight is a second window",
        )
    for index, one in enumerate(windows):
        for other in windows[:index]:
            alike = (one.weight, one.start_s) == (other.weight, other.start_s)
            clash = alike and one.weekdays & other.weekdays
            _require(not clash, "weight", "same weight, start and weekday as another window: neither wins")


def check_terms(currency: str, decimals: int, rounding: str, timezone: str | None) -> None:
    """Raises InvalidTariff for what plan and tariff share: currency, rounding, zone."""
    known = len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()
    _require(known, "currency", "must be three capital letters (ISO 4217)")
    _require(0 <= decimals <= DECIMALS, "decimals", f"must be 0 to {DECIMALS}")
    _require(rounding in get_args(Rounding), "rounding", "must be half_up, up or down")
    if timezone is not None:
        zone(timezone)


def check(tariff: Tariff) -> Tariff:
    """The tariff itself when it can price every call without surprise, else InvalidTariff."""
    check_terms(tariff.currency, tariff.decimals, tariff.rounding, tariff.timezone)
    check_windows(tariff.windows)
    _require(tariff.untimed or tariff.timezone is not None, "timezone", "a timed tariff needs its zone")
    for window in tariff.windows:
        check_price(window.price)
    return tariff
