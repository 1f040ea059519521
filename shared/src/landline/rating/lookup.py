"""Choosing the price of a number: profile, plan, longest prefix, weight, timing (domain.md section 4.10).

The rule, where timing and prefixes of different length meet:
1. Candidates are all prefixes of the number, over all decks of the plan, each with its entry's timing.
2. The destination is the longest prefix with some timing in force at call start; at equal length the
   heaviest entry, then the latest start. A longer prefix not in force then is out for the whole call.
3. The tariff's windows are the candidates of that prefix. Where they leave hours of the week uncovered,
   shorter prefixes of the number fill them, below every longer one whatever their weights: a call that
   began on a weekend-only price goes on at the general price at midnight instead of at none.
4. What still is uncovered is NoRate when a call gets there; `affordable_seconds` ends the call before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

from landline.kernel.money import Rounding
from landline.rating.checks import check_terms, check_windows
from landline.rating.errors import DeckUnavailable, InvalidTariff, NoRate, NoRatingProfile
from landline.rating.tariff import DAY_S, EVERY_DAY, Match, Price, Tariff, Tier, Window
from landline.rating.timing import covers_week, in_force, wall_clock


@dataclass(frozen=True, slots=True)
class Timing:
    """When an entry is in force: weekday mask (Monday = bit 0) and seconds of the plan's local day."""

    weekdays: int = EVERY_DAY
    start_s: int = 0
    end_s: int = DAY_S


ANY_TIME = Timing()


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One deck of a plan. `timing` None: always. Weights only order entries; decimals are fine."""

    deck_id: str
    weight: int | Decimal
    timing: Timing | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A rating plan: weighted, optionally timed decks of one currency. `timezone` is an IANA zone."""

    id: str
    version: int
    currency: str
    timezone: str
    entries: tuple[PlanEntry, ...]
    decimals: int = 4
    rounding: Rounding = "half_up"


@dataclass(frozen=True, slots=True)
class Profile:
    """The plan of a client (or carrier) from an epoch second on."""

    id: str
    plan_id: str
    activation_s: int


class RateDeck(Protocol):
    """What lookup asks of a deck; `deck_file.Deck` is the real one."""

    @property
    def version(self) -> int: ...
    @property
    def currency(self) -> str: ...
    def find(self, number: str) -> Match | None:
        """The longest prefix of the number, if any."""

    def matches(self, number: str) -> Iterator[Match]:
        """All prefixes of the number, longest first."""


class _Candidate(NamedTuple):
    entry: PlanEntry
    timing: Timing
    match: Match
    version: int

    def rank(self) -> tuple[int, int | Decimal, int, str]:
        # The deck id last: two entries that `check_plan` would refuse still price alike in every process.
        return len(self.match.prefix), self.entry.weight, self.timing.start_s, self.entry.deck_id


def active_profile(profiles: Iterable[Profile], at_s: float) -> Profile:
    """The profile activated last, at or before `at_s`. Raises NoRatingProfile when there is none."""
    begun = [profile for profile in profiles if profile.activation_s <= at_s]
    if not begun:
        raise NoRatingProfile(f"no rating profile active at {at_s}")
    return max(begun, key=lambda profile: (profile.activation_s, profile.id))


def check_plan(plan: Plan) -> Plan:
    """The plan itself, else InvalidTariff: for a bad currency, rounding, zone or timing, or for two entries
    of the same weight of which neither would win. Uncovered hours are allowed: see `covers_every_hour`."""
    check_terms(plan.currency, plan.decimals, plan.rounding, plan.timezone)
    by_weight: dict[int | Decimal, list[Window]] = {}
    for window, entry in zip(_windows_of(plan), plan.entries, strict=True):
        by_weight.setdefault(entry.weight, []).append(window)
    for windows in by_weight.values():
        check_windows(tuple(windows))
    return plan


def covers_every_hour(plan: Plan) -> bool:
    """Whether some entry is in force at any time; a gap refuses calls, as in many a plan of the peer."""
    return covers_week(_windows_of(plan))


def _windows_of(plan: Plan) -> list[Window]:
    free = Price(0, (Tier(0, 0, 1),))
    return [_window(entry.timing or ANY_TIME, free, 0) for entry in plan.entries]


def resolve(
    plan: Plan, decks: Mapping[str, RateDeck], number: str, at_s: float, profile_id: str = ""
) -> Tariff:
    """The tariff of a call to `number` (E.164 with +) that begins at epoch second `at_s`.

    Raises NoRate when no prefix has a price in force then, DeckUnavailable when a deck of the plan is not
    in `decks`, InvalidTariff when a deck's currency is not the plan's.
    """
    candidates = sorted(_candidates(plan, decks, number), key=_Candidate.rank, reverse=True)
    opening = _opening(candidates, plan.timezone, int(at_s // 1))
    if opening is None:
        raise NoRate(f"plan {plan.id} has no price for this number at that time")
    kept = [c for c in candidates if len(c.match.prefix) <= len(opening.match.prefix)]
    windows = _ranked(kept)
    return Tariff(
        currency=plan.currency,
        windows=windows,
        decimals=plan.decimals,
        rounding=plan.rounding,
        timezone=None if len(windows) == 1 and windows[0].always else plan.timezone,
        plan_id=plan.id,
        profile_id=profile_id,
        deck_id=opening.entry.deck_id,
        deck_version=opening.version,
        prefix=opening.match.prefix,
        destination=opening.match.destination,
    )


def _candidates(plan: Plan, decks: Mapping[str, RateDeck], number: str) -> Iterator[_Candidate]:
    for entry in plan.entries:
        deck = decks.get(entry.deck_id)
        if deck is None:
            raise DeckUnavailable(entry.deck_id)
        if deck.currency != plan.currency:
            raise InvalidTariff("currency", f"deck {entry.deck_id} is in {deck.currency}")
        if entry.timing is None:
            longest = deck.find(number)  # in force always: its shorter prefixes could never win
            matches = iter(() if longest is None else (longest,))
        else:
            matches = deck.matches(number)
        for match in matches:
            yield _Candidate(entry, entry.timing or ANY_TIME, match, deck.version)


def _opening(candidates: list[_Candidate], timezone: str, at_s: int) -> _Candidate | None:
    if not candidates or candidates[0].timing is ANY_TIME:
        return next(iter(candidates), None)
    weekday, second = wall_clock(timezone, at_s)
    for candidate in candidates:
        if in_force(_window(candidate.timing, candidate.match.price, 0), weekday, second):
            return candidate
    return None


def _ranked(candidates: list[_Candidate]) -> tuple[Window, ...]:
    """Windows heaviest first, with their rank as weight, down to where the week is covered."""
    windows: list[Window] = []
    length = 0
    for candidate in candidates:
        shorter = len(candidate.match.prefix) != length
        if windows and (windows[-1].always or (shorter and covers_week(windows))):
            break
        length = len(candidate.match.prefix)
        windows.append(_window(candidate.timing, candidate.match.price, -len(windows)))
    return tuple(windows)


def _window(timing: Timing, price: Price, weight: int) -> Window:
    return Window(timing.weekdays, timing.start_s, timing.end_s, price, weight)
