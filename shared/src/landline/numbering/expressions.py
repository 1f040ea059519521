"""What a rule may say: a regular expression re2 accepts, and a replacement that refers to its groups."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

import re2

MAX_MATCH_CHARS = 128
MAX_REPLACE_CHARS = 128

GroupsOf = Callable[[bytes], Sequence[tuple[int, int]]]


MAX_PROGRAM = 1000  # re2 instructions; `[0-9]{100}` has 104. Keeps a set's states small enough for its cache


def _options(max_mem_bytes: int) -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # the operator gets the message, not our stderr
    options.max_mem = max_mem_bytes
    return options


OPTIONS = _options(1 << 20)
SET_OPTIONS = _options(16 << 20)  # a ceiling, taken only as far as the numbers seen need it

# \0 is refused: the whole match is what one writes as a group, and \0 reads as an octal escape elsewhere.
_REFERENCE = re.compile(r"\\(\d)")
_LOOK_AROUND = re.compile(r"\(\?(?:<?[=!])")
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
_ATOMIC = re.compile(r"\(\?>|[*+?}]\+")


class BadExpression(ValueError):
    """A rule's `match` or `replace` is no use: `field` says which, `code` why, the text how to mend it."""

    def __init__(self, field: Literal["match", "replace"], code: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code
        self.message = message


def check_match(pattern: str, most_chars: int = MAX_MATCH_CHARS) -> re2._Regexp:
    """The compiled regex; BadExpression for empty, over-long, invalid or non-linear ones."""
    if not pattern:
        raise BadExpression("match", "empty", "an expression is required; `.*` matches anything")
    if len(pattern) > most_chars:
        raise BadExpression("match", "too_long", f"at most {most_chars} characters")
    try:
        regex = re2.compile(pattern.encode(), OPTIONS)
    except UnicodeEncodeError:
        raise BadExpression("match", "invalid_text", "the expression is not valid Unicode text") from None
    except re2.error as error:
        raise _refusal(pattern, error) from None
    if regex.programsize > MAX_PROGRAM:
        raise BadExpression("match", "too_complex", "the expression is too complex for a number")
    return regex


def check_replace(template: str, groups: int) -> None:
    """Refuse a replacement that is over-long or refers to a group the expression does not have."""
    if len(template) > MAX_REPLACE_CHARS:
        raise BadExpression(
            "replace", "too_long", f"at most {MAX_REPLACE_CHARS} characters, got {len(template)}"
        )
    if any(ord(character) < 0x20 or 0xD800 <= ord(character) <= 0xDFFF for character in template):
        raise BadExpression("replace", "invalid_text", "control characters can't be part of a number")
    if re.search(r"\\(?!\d)", template):
        raise BadExpression("replace", "invalid_escape", "after a backslash comes a group number: \\1")
    for number in map(int, _REFERENCE.findall(template)):
        if not 1 <= number <= groups:
            raise BadExpression("replace", "no_such_group", _no_such_group(number, groups))


def groups_of(regex: re2._Regexp) -> GroupsOf:
    """A function: the spans of a number's match and groups, bytes in, [(start, end), ...] out.

    google-re2's own `search` wraps this call in a generator and a match object, which costs three times the
    match itself; the admission path cannot afford it. The first span is (-1, -1) when nothing matches.
    """
    match, anchor = regex._regexp.Match, re2._Anchor.UNANCHORED
    return lambda raw: match(anchor, raw, 0, len(raw))


def split_template(template: str) -> tuple[bytes | int, ...]:
    """`+34\\1` as (b"+34", 1): text as bytes, group references as their number (one digit, 1 to 9)."""
    pieces = _REFERENCE.split(template)
    texts = ((index, piece) for index, piece in enumerate(pieces) if piece)
    return tuple(int(piece) if index % 2 else piece.encode() for index, piece in texts)


def _no_such_group(number: int, groups: int) -> str:
    has = "no group" if groups == 0 else "1 group" if groups == 1 else f"{groups} groups"
    return f"\\{number} refers to a group, but the expression has {has}"


def _refusal(pattern: str, error: Exception) -> BadExpression:
    if _LOOK_AROUND.search(pattern):
        return BadExpression(
            "match",
            "unsupported",
            "look-around is not supported: write several rules, tried by priority",
        )
    if _BACK_REFERENCE.search(pattern):
        return BadExpression(
            "match", "unsupported", "back-references (\\1) are only possible in the replacement"
        )
    if _ATOMIC.search(pattern):
        return BadExpression("match", "unsupported", "atomic groups and possessive repeats are not supported")
    reason = error.args[0] if error.args else b"invalid"
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return BadExpression("match", "invalid_regex", f"not a regular expression: {text}")
