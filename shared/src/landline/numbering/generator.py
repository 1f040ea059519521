"""Rules for a country's way of dialling, generated from a few facts (model-system 1.8).

In (towards E.164): international, trunk prefix, local within an area, anything else is national.
Out (from E.164): local within the area, national, rest of the country, international. The trunk prefix is
not put back: carriers take national numbers bare.
"""

from __future__ import annotations

from dataclasses import dataclass

from landline.numbering.transformations import Direction, Rule

IN: tuple[Direction, ...] = ("caller_in", "callee_in")
OUT: tuple[Direction, ...] = ("caller_out", "callee_out")


class BadPlan(ValueError):
    """A fact of a dial plan is out of range; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How people dial in one place. All strings of digits.

    `national_lengths`: digits of a national number without its trunk prefix (area code included).
    """

    country_code: str
    international_code: str = "00"
    trunk_prefix: str = ""
    area_code: str = ""
    national_lengths: tuple[int, ...] = (9,)

    def __post_init__(self) -> None:
        """Refuse what would generate wrong rules; BadPlan names the field."""
        _digits("country_code", self.country_code, 1, 3)
        _digits("international_code", self.international_code, 1, 10)
        _digits("trunk_prefix", self.trunk_prefix, 0, 5)
        _digits("area_code", self.area_code, 0, 5)
        if not self.national_lengths or not all(1 <= n <= 17 for n in self.national_lengths):
            raise BadPlan("national_lengths", "one or more lengths from 1 to 17 digits")
        if self.area_code and min(self.national_lengths) <= len(self.area_code):
            raise BadPlan("area_code", "must be shorter than the national number")


def generate(plan: DialPlan) -> list[Rule]:
    """All rules of a plan, for the four directions, priorities from 1."""
    in_rules = [rule for way in IN for rule in _in_rules(plan, way)]
    return in_rules + [rule for way in OUT for rule in _out_rules(plan, way)]


def _in_rules(plan: DialPlan, way: Direction) -> list[Rule]:
    cc, area, trunk = plan.country_code, plan.area_code, plan.trunk_prefix
    rules = [Rule(way, 1, rf"^(\+|{plan.international_code})([0-9]+)$", r"+\2", "international")]
    if trunk:
        match = f"^{trunk}([0-9]{_repeat(plan.national_lengths)})$"
        rules.append(Rule(way, 2, match, rf"+{cc}\1", "national with trunk prefix"))
    if area:
        match = f"^([0-9]{_repeat(_local_lengths(plan))})$"
        rules.append(Rule(way, 3, match, rf"+{cc}{area}\1", "local"))
    return [*rules, Rule(way, 5, "^([0-9]+)$", rf"+{cc}\1", "national")]


def _out_rules(plan: DialPlan, way: Direction) -> list[Rule]:
    cc, area = plan.country_code, plan.area_code
    rules = []
    if area:
        match = rf"^\+{cc}{area}([0-9]{_repeat(_local_lengths(plan))})$"
        rules.append(Rule(way, 1, match, r"\1", "local"))
    if plan.trunk_prefix:
        match = rf"^\+{cc}([0-9]{_repeat(plan.national_lengths)})$"
        rules.append(Rule(way, 2, match, r"\1", "national"))
    return [
        *rules,
        Rule(way, 3, rf"^\+{cc}([0-9]*)$", r"\1", "same country"),
        Rule(way, 4, r"^\+([0-9]+)$", rf"{plan.international_code}\1", "international"),
    ]


def _local_lengths(plan: DialPlan) -> tuple[int, ...]:
    return tuple(length - len(plan.area_code) for length in plan.national_lengths)


def _repeat(lengths: tuple[int, ...]) -> str:
    low, high = min(lengths), max(lengths)
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"


def _digits(field: str, text: str, low: int, high: int) -> None:
    if not (low <= len(text) <= high and (not text or (text.isascii() and text.isdigit()))):
        raise BadPlan(field, f"{low} to {high} digits")
