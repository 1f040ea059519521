"""The query parameters that every list takes alike, be its rows in Postgres, in Redis or in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from landline.chassis.problems import FieldError

MOST_ROWS = 500
DEFAULT_ROWS = 50
_LONGEST_NAME = 100


class Wrong(Exception):
    """A parameter that can't be what it says: its code, and a message for whoever asked."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message

    def of(self, name: str) -> FieldError:
        """As the error of that parameter."""
        return FieldError(name[:_LONGEST_NAME], self.code, self.message)


def taken(params: Iterable[tuple[str, str]], take: Callable[[str, str], None]) -> list[FieldError]:
    """Let `take` have each parameter, once; what it, or a repetition, was refused for."""
    errors, seen = [], set()
    for name, value in params:
        try:
            if name in seen:
                raise Wrong("repeated", "given more than once")
            seen.add(name)
            take(name, value)
        except Wrong as wrong:
            errors.append(wrong.of(name))
    return errors


def limit_of(value: str) -> int:
    """Rows per page. Raises Wrong."""
    if not (value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= MOST_ROWS):
        raise Wrong("invalid_value", f"a whole number from 1 to {MOST_ROWS}")
    return int(value)


def true_or_false(value: str) -> bool:
    """`count`, and whatever else is said by these two words. Raises Wrong."""
    if value not in ("true", "false"):
        raise Wrong("invalid_value", "true or false")
    return value == "true"
