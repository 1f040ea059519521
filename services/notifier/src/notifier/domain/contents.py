"""Which words are used: the client's, else the brand's, else ours, field by field (domain section 10).

The needed language is asked for at every level first; only when no level has the field in it is the next
language tried (a regional language's base, then English). So a client's subject in Spanish goes with the
brand's body in Spanish, and French, which has no built-in words, ends in the English ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FIELDS = ("subject", "text", "html")
FALLBACK_LANGUAGE = "en"

Contents = Mapping[str, Mapping[str, str]]
"""language (BCP 47, lower case) -> field -> template source"""


class NoContent(LookupError):
    """No level has this field in any language tried: a built-in template is missing."""


@dataclass(frozen=True)
class Level:
    """The contents of one level; `source` is client, brand or built-in."""

    source: str
    contents: Contents


@dataclass(frozen=True)
class Chosen:
    """The template of one field, and where it was found."""

    template: str
    source: str
    language: str


def languages(wanted: str) -> list[str]:
    """`es-MX` -> es-mx, es, en: the languages tried, in order, each once (RFC 4647 section 3.4)."""
    parts = wanted.lower().replace("_", "-").split("-")
    tags = ["-".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return list(dict.fromkeys([*(t for t in tags if t), FALLBACK_LANGUAGE]))


def choose(levels: Sequence[Level], wanted: str) -> dict[str, Chosen]:
    """The template of every field; `levels` from the nearest to the built-in."""
    return {field: _find(levels, languages(wanted), field) for field in FIELDS}


def _find(levels: Sequence[Level], tags: Sequence[str], field: str) -> Chosen:
    for language in tags:
        for level in levels:
            template = level.contents.get(language, {}).get(field)
            if template:
                return Chosen(template, level.source, language)
    raise NoContent(f"{field} in {', '.join(tags)}")


def warnings(chosen: Mapping[str, Chosen]) -> list[str]:
    """What an author should know: most mail programs show the HTML, so own text may never be seen."""
    text, html = chosen["text"], chosen["html"]
    found: list[str] = []
    if text.source != html.source:
        found.append(f"text is the {text.source}'s but html is the {html.source}'s: most readers see html")
    if len({c.language for c in chosen.values()}) > 1:
        found.append("fields come from different languages")
    return found
