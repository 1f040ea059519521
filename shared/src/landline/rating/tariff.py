"""What a call costs per tier and window: plain values, integers only (domain.md section 7).

Money in a tariff is micros for the connect fee and nanos per minute for rates: wholesale decks carry up
to nine decimals, and rounding them on import would be a second rounding of every call.
The constructors trust their caller; `checks.check` refuses what would misprice.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple, Self

from landline.kernel.money import Rounding, scaled, to_micros

EVERY_DAY: Final = 0b1111111
DAY_S: Final = 86_400
RATE_DECIMALS: Final = 9


def weekday_mask(*weekdays: int) -> int:
    """Bit mask of weekdays, Monday = 0 ... Sunday = 6."""
    mask = 0
    for day in weekdays:
        mask |= 1 << day
    return mask


@dataclass(frozen=True, slots=True)
class Tier:
    """From `interval_start_s` of the call on: started increments of `increment_s`, at nanos per minute."""

    interval_start_s: int
    rate_nanos: int
    increment_s: int

    @classmethod
    def of(cls, interval_start_s: int, rate_per_minute: Decimal | str, increment_s: int) -> Self:
        """Rate in units per minute, at most nine decimals. Raises MoneyOutOfRange."""
        return cls(interval_start_s, scaled(rate_per_minute, RATE_DECIMALS), increment_s)


@dataclass(frozen=True, slots=True)
class Price:
    """Connect fee and tiers. With `minimum_charge` ("deductible connect fee") the fee is a floor, no extra:
    the call costs max(fee, usage). It is the deck's, so two decks of one plan may differ."""

    connect_fee_micros: int
    tiers: tuple[Tier, ...]
    minimum_charge: bool = False

    @classmethod
    def of(cls, connect_fee: Decimal | str, *tiers: Tier, minimum_charge: bool = False) -> Self:
        """Connect fee in units. Raises MoneyOutOfRange."""
        return cls(to_micros(connect_fee), tiers, minimum_charge)


@dataclass(frozen=True, slots=True)
class Window:
    """When a price is in force: weekdays (mask, Monday = bit 0) and seconds of the local day, end exclusive.

    Times are wall clock: 08:00 stays 08:00 on a day of 23 or 25 h. A window past midnight is two windows.
    Of several in force the highest weight wins, then the latest start.
    """

    weekdays: int
    start_s: int
    end_s: int
    price: Price
    weight: int = 0

    @property
    def always(self) -> bool:
        """Whether it covers the whole week, so that nothing lighter is ever in force."""
        return self.weekdays == EVERY_DAY and self.start_s == 0 and self.end_s == DAY_S


def always(price: Price) -> Window:
    """The one window of an untimed tariff."""
    return Window(EVERY_DAY, 0, DAY_S, price)


@dataclass(frozen=True, slots=True)
class Tariff:
    """All that pricing one call needs, and where it came from. Pinned to the call at admission.

    `timezone` is the plan's IANA zone; None only when one window covers everything.
    `deck_id`, `prefix`, `destination`: those in force at call start.
    """

    currency: str
    windows: tuple[Window, ...]
    decimals: int = 4
    rounding: Rounding = "half_up"
    timezone: str | None = None
    plan_id: str = ""
    profile_id: str = ""
    deck_id: str = ""
    deck_version: int = 0
    prefix: str = ""
    destination: str = ""

    @property
    def untimed(self) -> bool:
        return len(self.windows) == 1 and self.windows[0].always


class Match(NamedTuple):
    """One prefix of a deck that a number starts with."""

    prefix: str
    destination: str
    price: Price
