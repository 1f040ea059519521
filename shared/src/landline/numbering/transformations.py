"""Rules that rewrite numbers: first match by priority wins, no match leaves the number as it is.

A rule's `match` is searched anywhere in the number (unanchored, as the model system does it: anchor it with
`^` and `$`), and the *whole* result is its `replace` with `\\1`..`\\9` filled in. The engine is re2: time is
linear in the number's length whatever the operator writes. Source: domain section 4.5, model-system 1.8.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import re2

from landline.numbering.expressions import (
    SET_OPTIONS,
    GroupsOf,
    check_match,
    check_replace,
    groups_of,
    split_template,
)

Direction = Literal["caller_in", "callee_in", "caller_out", "callee_out"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
MAX_RULES_PER_DIRECTION = 100
MAX_NUMBER_BYTES = 128  # longer is no number of any kind: left as it is, refused by whoever reads it next


class TooManyRules(ValueError):
    """More rules in one direction than can be read or run fast: over 100."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One numeric transformation. Low `priority` first; equal priorities in the order given."""

    direction: Direction
    priority: int
    match: str
    replace: str
    description: str = ""


class Applied(NamedTuple):
    """What came out, and the rule that did it (None: nothing matched, the number is unchanged)."""

    result: str
    rule: Rule | None


class _Step(NamedTuple):
    """A rule made ready: its regex, and its replacement as literal text or a group's index in turn."""

    rule: Rule
    groups_of: GroupsOf
    template: tuple[bytes | int, ...]


class RuleList:
    """The rules of one direction, compiled. Immutable; share it between threads and requests.

    One pass of an re2 set over the number tells which rules match; only the winner is then run for its
    groups. Four rules cost about as much as two single searches.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Compile; BadExpression names what is wrong with the first bad rule."""
        ordered = sorted(rules, key=lambda rule: rule.priority)
        if len(ordered) > MAX_RULES_PER_DIRECTION:
            raise TooManyRules(f"{len(ordered)} rules, at most {MAX_RULES_PER_DIRECTION} per direction")
        self._steps = tuple(_compile(rule) for rule in ordered)
        self._set = _matcher(self._steps)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order in which they are tried."""
        return tuple(step.rule for step in self._steps)

    def apply(self, number: str) -> Applied:
        """The number as the first matching rule writes it; never raises, whatever the text."""
        raw = number.encode("utf-8", "replace")
        if self._set is None or len(raw) > MAX_NUMBER_BYTES:
            return Applied(number, None)
        hits = self._set.Match(raw)
        if not hits:
            return Applied(number, None)
        return _rewrite(self._steps[min(hits)], raw)


class TransformationSet:
    """A client's or carrier's rules in all four directions, compiled once and kept."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Sort the rules into their directions and compile them."""
        given = tuple(rules)
        self._lists = {name: RuleList(r for r in given if r.direction == name) for name in DIRECTIONS}

    def apply(self, direction: Direction, number: str) -> Applied:
        """Rewrite `number` in one direction: `*_in` towards E.164, `*_out` towards the other side."""
        return self._lists[direction].apply(number)

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """The rules of one direction in the order in which they are tried."""
        return self._lists[direction].rules


def apply(rules: Iterable[Rule], number: str) -> Applied:
    """Compile and apply in one go, for a trial; keep a RuleList where it happens often."""
    return RuleList(rules).apply(number)


def _compile(rule: Rule) -> _Step:
    regex = check_match(rule.match)
    check_replace(rule.replace, regex.groups)
    return _Step(rule, groups_of(regex), split_template(rule.replace))


def _matcher(steps: tuple[_Step, ...]) -> re2.Set | None:
    if not steps:
        return None
    matcher = re2.Set.SearchSet(SET_OPTIONS)
    for step in steps:
        matcher.Add(step.rule.match.encode())
    matcher.Compile()  # 100 rules of the most complex kind fit its memory; a test holds that
    return matcher


def _rewrite(step: _Step, raw: bytes) -> Applied:
    spans = step.groups_of(raw)
    text = b""
    for piece in step.template:
        if isinstance(piece, bytes):
            text += piece
        else:
            start, end = spans[piece]  # a group that took no part is (-1, -1): the empty slice
            text += raw[start:end]
    return Applied(text.decode("utf-8", "replace"), step.rule)
