"""The price of a call: exact, rounded once, and never falling as the call gets longer (domain.md section 7).

A call is walked in spans. A span is a run of equal increments: one window, one tier. It ends at the next
tier, the next change of window or the end of the call, stretched to whole increments; what it overruns is
missing from the span after it. So the increment containing a boundary belongs to the earlier window, and no
second is ever charged twice. Tier positions count from call start, whatever windows do.

Inside, money is counted in sixtieths of a nano (a rate in nanos per minute times seconds), so that nothing
is divided before the one rounding at the end.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final, Literal

from landline.kernel.money import DECIMALS, MICROS, round_units
from landline.rating.errors import NoRate
from landline.rating.tariff import Price, Tariff, Tier
from landline.rating.timing import window_at

_PER_UNIT: Final = 60 * 10**9
_PER_MICRO: Final = 60 * 10**3
_QUANTUM: Final[tuple[int, ...]] = tuple(_PER_UNIT // 10**decimals for decimals in range(DECIMALS + 1))
_MICROS_PER_QUANTUM: Final[tuple[int, ...]] = tuple(
    MICROS // 10**decimals for decimals in range(DECIMALS + 1)
)

# window index, tier index, position in the call (s), number of increments, the tier
_Span = tuple[int, int, int, int, Tier]


def _spans(tariff: Tariff, started_at_s: float, duration_s: int) -> Iterator[_Span]:
    # Windows change on whole epoch seconds: cutting the fraction off moves no second across a boundary.
    start = floor(started_at_s)
    position = 0
    while position < duration_s:
        index, change_s = window_at(tariff, start + position)
        edge = min(duration_s, change_s - start)
        tiers = tariff.windows[index].price.tiers
        number = 0
        while position < edge:
            tier = tiers[number]
            number += 1
            limit = edge
            if number < len(tiers) and tiers[number].interval_start_s < edge:
                limit = tiers[number].interval_start_s
            if limit > position:
                increments = -(-(limit - position) // tier.increment_s)
                yield index, number - 1, position, increments, tier
                position += increments * tier.increment_s


def _total(opening: Price, usage: int) -> int:
    fee = opening.connect_fee_micros * _PER_MICRO
    return max(fee, usage) if opening.minimum_charge else fee + usage


def _charge(tariff: Tariff, opening: Price, usage: int) -> int:
    quantum = round_units(_total(opening, usage), _QUANTUM[tariff.decimals], tariff.rounding)
    return quantum * _MICROS_PER_QUANTUM[tariff.decimals]


def price_micros(tariff: Tariff, started_at_s: float, duration_s: int) -> int:
    """What a call of `duration_s` whole seconds costs, in micros; 0 for no duration, connect fee included.

    `started_at_s`: epoch seconds of the answer. Raises NoRate when the plan leaves a moment uncovered at
    which an increment would begin. Source: domain.md section 7.
    """
    opening: Price | None = None
    usage = 0
    for index, _, _, increments, tier in _spans(tariff, started_at_s, duration_s):
        if opening is None:
            opening = tariff.windows[index].price
        usage += increments * tier.increment_s * tier.rate_nanos
    return 0 if opening is None else _charge(tariff, opening, usage)


def covered_seconds(tariff: Tariff, started_at_s: float, seconds: int) -> int:
    """`seconds` up to the end of the increment in progress: what its price has paid for. Raises NoRate."""
    covered = 0
    for _, _, position, increments, tier in _spans(tariff, started_at_s, seconds):
        covered = position + increments * tier.increment_s
    return covered


def affordable_seconds(tariff: Tariff, started_at_s: float, money_micros: int, cap_s: int) -> int:
    """The most whole seconds, at most `cap_s`, whose price fits in `money_micros`.

    Also ends where the plan stops covering the call, so that nobody talks unpriced: a larger duration
    would be NoRate. Raises NoRate only when call start itself is uncovered.
    """
    opening: Price | None = None
    usage = reached = 0
    try:
        for index, _, position, increments, tier in _spans(tariff, started_at_s, cap_s):
            if opening is None:
                opening = tariff.windows[index].price
            paid = _paid_increments(tariff, opening, usage, tier, increments, money_micros)
            reached = position + paid * tier.increment_s
            if paid < increments:
                break
            usage += increments * tier.increment_s * tier.rate_nanos
    except NoRate:
        if opening is None:
            raise
    return min(reached, max(cap_s, 0))


def _paid_increments(tariff: Tariff, opening: Price, usage: int, tier: Tier, count: int, money: int) -> int:
    step = tier.increment_s * tier.rate_nanos
    if _charge(tariff, opening, usage + count * step) <= money:
        return count
    fitting = bisect_right(range(count), money, key=lambda n: _charge(tariff, opening, usage + n * step))
    return max(fitting - 1, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a price, for quotes and audits. `amount` is exact, in units; the lines' sum, rounded once
    as the plan says, is the price. `seconds` is what is billed, overrun included.

    kind: `connect` the fee; `usage`; `minimum` what a deductible connect fee adds to reach the floor.
    """

    kind: Literal["connect", "usage", "minimum"]
    window: int
    tier: int
    position_s: int
    seconds: int
    increments: int
    amount: Fraction


def breakdown(tariff: Tariff, started_at_s: float, duration_s: int) -> list[Line]:
    """The price's lines in the order of the call, the fee first. Empty for no duration. Raises NoRate."""
    usage: list[Line] = []
    for index, number, position, count, tier in _spans(tariff, started_at_s, duration_s):
        seconds = count * tier.increment_s
        amount = Fraction(seconds * tier.rate_nanos, _PER_UNIT)
        line = Line("usage", index, number, position, seconds, count, amount)
        if usage and (usage[-1].window, usage[-1].tier) == (index, number):
            line = _joined(usage.pop(), line)
        usage.append(line)
    if not usage:
        return []
    return [*_fee(tariff.windows[usage[0].window].price, usage), *usage]


def _joined(one: Line, two: Line) -> Line:
    return Line(
        "usage",
        one.window,
        one.tier,
        one.position_s,
        one.seconds + two.seconds,
        one.increments + two.increments,
        one.amount + two.amount,
    )


def _fee(opening: Price, usage: list[Line]) -> list[Line]:
    fee = Fraction(opening.connect_fee_micros * _PER_MICRO, _PER_UNIT)
    kind: Literal["connect", "minimum"] = "connect"
    if opening.minimum_charge:
        fee, kind = fee - sum(line.amount for line in usage), "minimum"
    return [Line(kind, usage[0].window, 0, 0, 0, 0, fee)] if fee > 0 else []
