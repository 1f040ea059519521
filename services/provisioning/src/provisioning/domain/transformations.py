"""Numeric transformations as provisioning checks, generates and tries them: the very code of call-control."""

from __future__ import annotations

from landline.numbering.countries import UnknownCountry, countries, dial_plan
from landline.numbering.expressions import MAX_MATCH_CHARS, BadExpression, check_match, check_replace
from landline.numbering.generator import BadPlan, DialPlan, generate
from landline.numbering.transformations import (
    DIRECTIONS,
    MAX_RULES_PER_DIRECTION,
    Applied,
    Direction,
    Rule,
    RuleList,
    TooManyRules,
    TransformationSet,
    apply,
)

__all__ = [
    "DIRECTIONS",
    "MAX_MATCH_CHARS",
    "MAX_RULES_PER_DIRECTION",
    "Applied",
    "BadExpression",
    "BadPlan",
    "DialPlan",
    "Direction",
    "Rule",
    "RuleList",
    "TooManyRules",
    "TransformationSet",
    "UnknownCountry",
    "apply",
    "check_match",
    "check_replace",
    "check_rule",
    "countries",
    "dial_plan",
    "generate",
]


def check_rule(match: str, replace: str) -> list[BadExpression]:
    """Everything wrong with a rule, for one answer that names all fields; empty when it can be used."""
    found: list[BadExpression] = []
    groups = 9
    try:
        groups = check_match(match).groups
    except BadExpression as error:
        found.append(error)
    try:
        check_replace(replace, groups)
    except BadExpression as error:
        found.append(error)
    return found
