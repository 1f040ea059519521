"""Numeric transformations: what a rule does, in which order rules are tried, and what a rule may not say."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st
from landline.numbering.expressions import BadExpression
from landline.numbering.transformations import (
    DIRECTIONS,
    Direction,
    Rule,
    RuleList,
    TooManyRules,
    TransformationSet,
    apply,
)

SPAIN = [
    Rule("callee_in", 1, r"^(\+|00)([0-9]+)$", r"+\2"),
    Rule("callee_in", 3, r"^([0-9]{6})$", r"+34944\1"),
    Rule("callee_in", 5, r"^([0-9]+)$", r"+34\1"),
]


@pytest.mark.parametrize(
    ("dialled", "result", "priority"),
    [
        ("944048182", "+34944048182", 5),
        ("048182", "+34944048182", 3),
        ("0034944048182", "+34944048182", 1),
        ("+34944048182", "+34944048182", 1),
        ("*93", "*93", None),
        ("", "", None),
        ("casa", "casa", None),
        ("٣٤", "٣٤", None),
        ("600\n", "600\n", None),
        ("\ud800", "\ud800", None),
        ("1" * 129, "1" * 129, None),
    ],
)
def test_the_first_match_by_priority_rewrites_the_number(
    dialled: str, result: str, priority: int | None
) -> None:
    """A wrong order sends calls to the wrong country; an exception on odd input denies calls as a 500."""
    done = apply(SPAIN, dialled)
    assert (done.result, done.rule and done.rule.priority) == (result, priority)


def test_equal_priorities_are_tried_in_the_order_given() -> None:
    """Otherwise the winner among equals would change from one worker to the next."""
    rules = [Rule("caller_in", 1, "1", "first"), Rule("caller_in", 1, "1", "second")]
    assert apply(rules, "1").result == "first"


def test_a_match_in_the_middle_replaces_the_whole_number() -> None:
    """Operators come with rules of the model system, which searches unanchored and keeps only `replace`."""
    assert apply([Rule("caller_out", 1, "34(9)", r"<\1>")], "00349440").result == "<9>"


def test_a_group_that_took_no_part_is_empty() -> None:
    """`(a)|(b)` must not write the text `None` into a phone number."""
    assert apply([Rule("caller_in", 1, "^(1)?([23]+)$", r"+\1\2")], "23").result == "+23"


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_each_direction_has_its_own_rules(direction: Direction) -> None:
    """A carrier's caller rules must never touch the callee."""
    whole = TransformationSet(Rule(name, 1, "^.*$", name.replace("_", "-")) for name in DIRECTIONS)
    assert whole.apply(direction, "1").result == direction.replace("_", "-")
    assert [rule.direction for rule in whole.rules(direction)] == [direction]


@pytest.mark.parametrize(
    ("match", "replace", "field", "code", "message"),
    [
        ("", "1", "match", "empty", "required"),
        ("1" * 129, "1", "match", "too_long", "128"),
        ("[0-9", "1", "match", "invalid_regex", "missing ]"),
        ("(", "1", "match", "invalid_regex", "missing )"),
        ("*", "1", "match", "invalid_regex", "argument"),
        ("(?=1)2", "1", "match", "unsupported", "look-around"),
        ("(?<!0)1", "1", "match", "unsupported", "look-around"),
        (r"(1)\1", "1", "match", "unsupported", "back-references"),
        ("(?>1)", "1", "match", "unsupported", "atomic"),
        ("((1{100}){100}){100}", "1", "match", "invalid_regex", "repetition"),
        (r"\pL", "1", "match", "too_complex", "complex"),
        ("\ud800", "1", "match", "invalid_text", "Unicode"),
        ("^1$", r"\1", "replace", "no_such_group", "no group"),
        ("^(1)$", r"\2", "replace", "no_such_group", "1 group"),
        ("^(1)(2)$", r"\3", "replace", "no_such_group", "2 groups"),
        ("^(1)$", r"\0", "replace", "no_such_group", "group"),
        ("^(1)$", r"\g<1>", "replace", "invalid_escape", "group number"),
        ("^(1)$", "+\\", "replace", "invalid_escape", "group number"),
        ("1", "1" * 129, "replace", "too_long", "128"),
        ("1", "1\r\nContact: x", "replace", "invalid_text", "control"),
    ],
)
def test_what_a_rule_may_not_say(match: str, replace: str, field: str, code: str, message: str) -> None:
    """Refused when it is written, with a sentence: not at the first call, and never with a stack of re2's."""
    with pytest.raises(BadExpression) as refused:
        RuleList([Rule("caller_in", 1, match, replace)])
    assert (refused.value.field, refused.value.code) == (field, code)
    assert message in refused.value.message


def test_an_exponential_pattern_is_harmless() -> None:
    """`(1*)*x` takes a backtracking engine longer than the universe on 128 digits."""
    assert apply([Rule("caller_in", 1, "^((1*)*)*x$", "")], "1" * 128).rule is None


def test_a_list_has_an_end() -> None:
    """A thousand rules on the admission path would be everybody's latency."""
    with pytest.raises(TooManyRules):
        RuleList(Rule("caller_in", n, str(n), "") for n in range(101))


def test_a_full_list_of_the_most_complex_rules_still_compiles_and_decides() -> None:
    """The set matcher has a memory ceiling; reached on a call it would silently match nothing."""
    rules = [Rule("caller_in", n, r"^(0|1)*0(0|1){150}[0-9]{500}$", "") for n in range(99)]
    whole = RuleList([*rules, Rule("caller_in", 100, "^(0|1)*0(0|1){91}$", "hit")])
    assert whole.apply("01" * 64).result == "hit"
    assert whole.apply("1" * 128).rule is None


PARTS = st.sampled_from(["^", "$", "0", "1", "[0-9]", "(1)", "(0|1)", "1*", "[01]{2,5}", "(.*)", r"\+", "9?"])
PATTERNS = st.lists(PARTS, min_size=1, max_size=6).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=6), st.text("01+9a", max_size=64))
def test_the_winner_is_the_one_a_plain_loop_finds(patterns: list[str], number: str) -> None:
    """The set of re2 is a short cut; if it ever disagreed with searching rule by rule, calls would differ."""
    rules = []
    for index, pattern in enumerate(patterns):
        rule = Rule("callee_in", index, pattern, str(index))
        try:
            RuleList([rule])
        except BadExpression:
            continue
        rules.append(rule)
    expected = next((rule for rule in rules if re2.compile(rule.match).search(number)), None)
    done = RuleList(rules).apply(number)
    assert done.rule == expected
    assert done.result == (number if expected is None else expected.replace)
