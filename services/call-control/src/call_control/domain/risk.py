"""Risk classes of destinations and risk limits of clients, as facts (domain.md sections 2 and 4.7).

Owns: which class a number has, and which of two limits is tighter. Money in micros.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

NORMAL: Final = "normal"
HIGH: Final = "high_risk"
SAFE_CLASSES: Final = frozenset({NORMAL, "special_rate"})
SAFE_PER_MINUTE: Final = 30
DAY_MS: Final = 86_400_000


class RiskRange(NamedTuple):
    """Numbers that begin with `prefix`. `home`: calling code (`+34`) of the callers for whom it is `risk`;
    for all others it is high risk, because nobody reaches a foreign premium number by honest dialling."""

    prefix: str
    risk: str
    home: str = ""

    def for_callers_of(self, calling_code: str) -> str:
        """Its class for a client of that country."""
        return self.risk if self.home in ("", calling_code) else HIGH


class RiskMap:
    """The longest prefix decides; a later range of the same prefix replaces an earlier one."""

    __slots__ = ("_lengths", "_ranges")

    def __init__(self, ranges: Iterable[RiskRange] = ()) -> None:
        self._ranges = {each.prefix: each for each in ranges}
        self._lengths = tuple(sorted({len(prefix) for prefix in self._ranges}, reverse=True))

    def with_own(self, ranges: Iterable[RiskRange]) -> RiskMap:
        """The platform's with a brand's on top; itself, shared, for a brand without any."""
        own = list(ranges)
        return RiskMap([*self._ranges.values(), *own]) if own else self

    def find(self, number: str) -> RiskRange | None:
        """The range of a number; None: normal."""
        for length in self._lengths:
            found = self._ranges.get(number[:length])
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """None: nothing said. `per_minute` 0: unlimited. `probation_days`: with half the speed and spend."""

    classes: frozenset[str] | None = None
    price_cap: int | None = None
    per_minute: int | None = None
    per_hour: int | None = None
    probation_days: int | None = None

    def over(self, brand: RiskLimits) -> RiskLimits:
        """What is said here, else what the brand says."""
        return RiskLimits(
            brand.classes if self.classes is None else self.classes,
            brand.price_cap if self.price_cap is None else self.price_cap,
            brand.per_minute if self.per_minute is None else self.per_minute,
            brand.per_hour if self.per_hour is None else self.per_hour,
            brand.probation_days if self.probation_days is None else self.probation_days,
        )

    def tightened(self, own: RiskLimits) -> RiskLimits:
        """The tighter of the operator's limits and the client's own, one by one."""
        return RiskLimits(
            self.classes if own.classes is None else own.classes & (self.classes or own.classes),
            _lower(self.price_cap, own.price_cap),
            _lower(self.per_minute or None, own.per_minute or None),
            _lower(self.per_hour, own.per_hour),
            max(self.probation_days or 0, own.probation_days or 0),
        )


NOTHING_SAID: Final = RiskLimits()
SAFE: Final = RiskLimits(SAFE_CLASSES, None, SAFE_PER_MINUTE, None, 0)
"""What counts where a row of an older provisioning says nothing."""


def _lower(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def halved(limit: int) -> int:
    """A limit during probation: never nothing at all."""
    return max(1, limit // 2) if limit else 0


@dataclass(frozen=True, slots=True)
class Barring:
    """Numbers a client does not want called. Times are minutes of its local day; the window of a weekday
    (Monday = 1) may end on the next day. No weekdays: every day; no times: all day."""

    name: str
    prefixes: tuple[str, ...]
    weekdays: frozenset[int] = frozenset()
    from_minute: int | None = None
    to_minute: int | None = None

    @property
    def timed(self) -> bool:
        """Whether the moment matters."""
        return bool(self.weekdays) or self.from_minute is not None

    def in_force(self, weekday: int, minute: int) -> bool:
        """At that minute of that local day."""
        begins, ends = self.from_minute, self.to_minute
        if begins is None or ends is None:
            return self._on(weekday)
        if begins < ends:
            return begins <= minute < ends and self._on(weekday)
        yesterday = (weekday + 5) % 7 + 1
        return (minute >= begins and self._on(weekday)) or (minute < ends and self._on(yesterday))

    def _on(self, weekday: int) -> bool:
        return not self.weekdays or weekday in self.weekdays
