"""Whether a number is on a list: exactly, or by an expression found anywhere in it (model-system 1.10)."""

from __future__ import annotations

from collections.abc import Iterable

import re2
from landline.numbering.expressions import SET_OPTIONS

MAX_REGEX_CHARS = 255


class MatchList:
    """Numbers and expressions of one list. All expressions are searched in one pass, in linear time; they
    are compiled when a number first needs them: most clients of a worker's cache are never called."""

    __slots__ = ("_compiled", "_numbers", "_regexes")

    def __init__(self, numbers: Iterable[str] = (), regexes: Iterable[str] = ()) -> None:
        self._numbers = frozenset(numbers)
        self._regexes = tuple(regexes)
        self._compiled: re2.Set | None = None

    def has(self, number: str) -> bool:
        """Whether an E.164 number is on the list."""
        if number in self._numbers:
            return True
        if not self._regexes:
            return False
        if self._compiled is None:
            self._compiled = _compiled(self._regexes)
        return bool(self._compiled.Match(number.encode()))


def _compiled(regexes: Iterable[str]) -> re2.Set:
    found = re2.Set.SearchSet(SET_OPTIONS)
    for regex in regexes:
        try:
            found.Add(regex.encode())
        except re2.error:  # provisioning refuses it; one that came all the same must not match everything
            continue
    found.Compile()
    return found
