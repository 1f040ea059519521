"""Whose words a mail uses."""

from __future__ import annotations

import pytest
from notifier.domain.contents import Chosen, Level, NoContent, choose, languages, warnings

BUILT_IN = Level(
    "built-in",
    {lang: {"subject": f"{lang} s", "text": f"{lang} t", "html": f"{lang} h"} for lang in ("en", "es")},
)

CHOICES = [
    # the client's words        the brand's words                      language  subject, text, html come from
    ({}, {}, "es", "built-in/es built-in/es built-in/es"),
    ({"es": {"subject": "x"}}, {"es": {"text": "y"}}, "es", "client/es brand/es built-in/es"),
    ({"es": {"subject": "x"}}, {"es": {"subject": "y"}}, "es", "client/es built-in/es built-in/es"),
    ({"es": {"text": "x", "html": "x"}}, {}, "es", "built-in/es client/es client/es"),
    ({"es": {"subject": ""}}, {"es": {"subject": "y"}}, "es", "brand/es built-in/es built-in/es"),
    ({"en": {"subject": "x"}}, {}, "es", "built-in/es built-in/es built-in/es"),
    ({"en": {"subject": "x"}}, {}, "fr", "client/en built-in/en built-in/en"),
    ({}, {"fr": {"subject": "x", "text": "y", "html": "z"}}, "fr", "brand/fr brand/fr brand/fr"),
    ({}, {"fr": {"text": "y"}}, "fr", "built-in/en brand/fr built-in/en"),
    ({"es-mx": {"subject": "x"}}, {"es": {"text": "y"}}, "es-MX", "client/es-mx brand/es built-in/es"),
    ({}, {"es": {"subject": "y"}}, "es_MX", "brand/es built-in/es built-in/es"),
]


@pytest.mark.parametrize(("client", "brand", "language", "expected"), CHOICES)
def test_each_field_comes_from_the_nearest_level_that_has_it_in_the_language(
    client: dict[str, dict[str, str]], brand: dict[str, dict[str, str]], language: str, expected: str
) -> None:
    """Else a client's own subject would switch off the brand's body, or an English one beat a Spanish one."""
    chosen = choose([Level("client", client), Level("brand", brand), BUILT_IN], language)
    assert " ".join(f"{c.source}/{c.language}" for c in chosen.values()) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("es", ["es", "en"]),
        ("es-MX", ["es-mx", "es", "en"]),
        ("zh_Hant_TW", ["zh-hant-tw", "zh-hant", "zh", "en"]),
        ("en-GB", ["en-gb", "en"]),
        ("", ["en"]),
    ],
)
def test_a_regional_language_falls_back_to_its_base_and_then_to_english(
    tag: str, expected: list[str]
) -> None:
    """Else a client in es-MX would get English although Spanish is there."""
    assert languages(tag) == expected


def test_a_field_without_any_template_is_an_error_and_not_an_empty_mail() -> None:
    """A kind without built-in words must be found by its first test, not by a client's empty mail."""
    with pytest.raises(NoContent, match="html in fr, en"):
        choose([Level("brand", {"fr": {"subject": "x", "text": "y"}})], "fr")


def test_an_author_is_warned_when_readers_will_see_other_words_than_the_ones_written() -> None:
    """Own text beside the built-in HTML is what nearly nobody reads; nothing else would tell."""
    own, ours = Chosen("x", "client", "es"), Chosen("y", "built-in", "en")
    assert warnings({"subject": own, "text": own, "html": own}) == []
    assert len(warnings({"subject": own, "text": own, "html": ours})) == 2
