"""Which prefixes a pattern of phonenumbers metadata allows. The patterns use digits, classes, groups,
alternatives and counted repeats only, so the beginnings of all that they match can be listed."""

from __future__ import annotations

from collections.abc import Iterable
from re import _constants as kind  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

DIGITS = "0123456789"

Heads = set[tuple[str, bool]]
"""Beginnings, and whether they have all the digits that were asked for."""


def heads(pattern: str, digits: int) -> set[str]:
    """The first `digits` digits of every number that the pattern matches; shorter ones whole."""
    return {text for text, _ in _sequence(parser.parse(pattern), {("", False)}, digits)}


def _sequence(items: Iterable[tuple[Any, Any]], begun: Heads, digits: int) -> Heads:
    for op, argument in items:
        done = {head for head in begun if head[1]}
        begun = done.union(*(_step(op, argument, text, digits) for text, full in begun if not full))
    return begun


def _step(op: Any, argument: Any, text: str, digits: int) -> Heads:
    if op is kind.LITERAL or op is kind.IN:
        return {(text + digit, len(text) + 1 >= digits) for digit in _digits(op, argument)}
    if op is kind.SUBPATTERN:
        return _sequence(argument[-1], {(text, False)}, digits)
    if op is kind.BRANCH:
        return set().union(*(_sequence(each, {(text, False)}, digits) for each in argument[1]))
    if op is kind.MAX_REPEAT:
        least, most, item = argument
        return _repeat(least, most, item, text, digits)
    raise ValueError(f"{op} is in no pattern of the metadata so far")


def _repeat(least: int, most: int, item: Any, text: str, digits: int) -> Heads:
    found: Heads = set()
    now: Heads = {(text, False)}
    for count in range(min(most, digits) + 1):
        found |= now if count >= least else {head for head in now if head[1]}
        now = set().union(*(_sequence(item, {head}, digits) for head in now if not head[1]))
    return found


def _digits(op: Any, argument: Any) -> str:
    if op is kind.LITERAL:
        return chr(argument)
    found = ""
    for each, value in argument:
        if each is kind.LITERAL:
            found += chr(value)
        elif each is kind.RANGE:
            found += "".join(map(chr, range(value[0], value[1] + 1)))
        else:
            found += DIGITS  # \d is the only category there is
    return found


def collapsed(prefixes: Iterable[str]) -> set[str]:
    """The same numbers by fewer prefixes: ten that differ in the last digit become one."""
    kept = set(prefixes)
    for length in range(max(map(len, kept), default=0), 1, -1):
        for parent in {prefix[:-1] for prefix in kept if len(prefix) == length}:
            children = {parent + digit for digit in DIGITS}
            if children <= kept:
                kept = (kept - children) | {parent}
    return {p for p in kept if not any(p[:length] in kept for length in range(1, len(p)))}
