"""The plainest text that a regular expression takes, for examples in OpenAPI."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

# The standard library's own parser of expressions; what it gives is a list of (what, argument).
_parse: Any = import_module("re._parser").parse


def text_of(pattern: str) -> str:
    """A short text that matches; empty when the expression is beyond this (a look-around, say)."""
    try:
        found = "".join(_one(part) for part in _parse(pattern))
    except (LookupError, ValueError, re.error):
        return ""
    return found if re.search(pattern, found) else ""


def _one(part: tuple[Any, Any]) -> str:
    what, argument = str(part[0]), part[1]
    if what == "LITERAL":
        return chr(argument)
    if what == "NOT_LITERAL":
        return "a" if argument != ord("a") else "b"
    if what == "ANY":
        return "a"
    if what == "IN":
        return _member(argument)
    if what in ("MAX_REPEAT", "MIN_REPEAT"):
        least, _, inner = argument
        return "".join(_one(each) for each in inner) * int(least)
    if what == "SUBPATTERN":
        return "".join(_one(each) for each in argument[-1])
    if what == "BRANCH":
        return "".join(_one(each) for each in argument[1][0])
    if what == "AT":
        return ""
    raise LookupError(what)


def _member(members: list[tuple[Any, Any]]) -> str:
    """One character of a set; of a negated one, the first letter that is not in it."""
    if str(members[0][0]) == "NEGATE":
        expression = [_range(member) for member in members[1:]]
        return next(c for c in "a0-+ " if all(not (low <= ord(c) <= high) for low, high in expression))
    return chr(_range(members[0])[0])


_CATEGORIES = {"CATEGORY_DIGIT": ("0", "9"), "CATEGORY_WORD": ("a", "z"), "CATEGORY_SPACE": (" ", " ")}


def _range(member: tuple[Any, Any]) -> tuple[int, int]:
    what, argument = str(member[0]), member[1]
    if what == "LITERAL":
        return argument, argument
    if what == "RANGE":
        return int(argument[0]), int(argument[1])
    low, high = _CATEGORIES[str(argument)]
    return ord(low), ord(high)
