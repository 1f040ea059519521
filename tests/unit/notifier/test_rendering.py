"""Templates are written by tenants: what they may contain, and what comes out."""

from __future__ import annotations

from dataclasses import replace
from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifier.adapters.builtin import builtin_contents
from notifier.domain.contents import Chosen, Level, choose
from notifier.domain.daily_usage import variables
from notifier.domain.kinds import DAILY_USAGE, UnknownKind, kind
from notifier.domain.people import Brand, Client
from notifier.domain.render import DoesNotRender, one_line, render, validate

CASA = Client("c", "b", "Casa García", "es", "ES")
MARCA = Brand("b", "Marca Uno")


def words(client: Client, threshold: int = 80) -> tuple[str, str, str]:
    """The built-in mail of a client, as its three fields."""
    values = variables(
        day_iso="2026-11-22", threshold=threshold, limit_micros=10_000_000, spend_micros=8_015_000,
        currency="EUR", client=client, brand=MARCA,
    )  # fmt: skip
    done = render(
        choose([Level("built-in", builtin_contents("daily_usage"))], client.language or "en"), values
    )
    return done.subject, done.text, done.html


LOCALES = [
    ("es", "ES", "22 de noviembre de 2026", "10,00\xa0€", "8,02\xa0€"),
    ("es", "MX", "22 de noviembre de 2026", "EUR10.00", "EUR8.02"),
    ("es-ES", None, "22 de noviembre de 2026", "10,00\xa0€", "8,02\xa0€"),
    ("en", "GB", "22 November 2026", "€10.00", "€8.02"),
    ("en", "US", "November 22, 2026", "€10.00", "€8.02"),
    ("fr", "FR", "22 novembre 2026", "10,00\xa0€", "8,02\xa0€"),
    ("tlh", None, "November 22, 2026", "€10.00", "€8.02"),
]


@pytest.mark.parametrize(("language", "country", "day", "limit", "spend"), LOCALES)
def test_amounts_and_days_are_written_as_the_client_reads_them(
    language: str, country: str | None, day: str, limit: str, spend: str
) -> None:
    """1,234 is a thousand here and one there: the client's own way is the only safe one."""
    _, text, html = words(replace(CASA, language=language, country=country))
    assert [day in text, limit in text, spend in text] == [True, True, True]
    assert [day in html, limit in html, spend in html] == [True, True, True]


@pytest.mark.parametrize(("threshold", "sentence"), [(80, "siguen con normalidad"), (100, "está agotado")])
def test_the_built_in_mail_says_whether_calls_still_go_out(threshold: int, sentence: str) -> None:
    """At 100 % calls are refused; a mail that says otherwise sends people to the help desk."""
    subject, text, html = words(CASA, threshold)
    assert subject == f"Marca Uno: Casa García ha consumido el {threshold} % de su límite diario"
    assert [sentence in text, sentence in html] == [True, True]


def test_names_are_escaped_in_html_and_left_alone_in_text() -> None:
    """A client named `<script>` must not run in its reader's mail program."""
    _, text, html = words(replace(CASA, name="<b>Tom & Ann</b>"))
    assert "<b>Tom & Ann</b>" in text
    assert "&lt;b&gt;Tom &amp; Ann&lt;/b&gt;" in html


def test_a_name_with_line_breaks_cannot_add_a_header_to_the_subject() -> None:
    """RFC 5322 2.2: a header ends at CRLF; `Bcc:` after one would send the mail to anybody."""
    subject, _, _ = words(replace(CASA, name="Casa\r\nBcc: thief@example.net\r\n\r\nhello"))
    assert subject.startswith("Marca Uno: Casa Bcc: thief@example.net hello ha")


@given(st.text())
def test_one_line_is_always_fit_for_a_header(text: str) -> None:
    """Whatever a tenant writes, one header stays one header."""
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(ord(c) < 32 or ord(c) == 127 for c in line)
    assert len(line) <= 255
    Header(line.encode("utf-8", "replace").decode(), "utf-8").encode()


BAD = [
    ("{{ clientname }}", 1, "clientname is unknown"),
    ("ok\n\n{{ limit | money }}", 3, "filter money is not available"),
    ("{{ limit", 1, "end of print statement"),
    ("a\n{% if reached %}", 2, "Unexpected end of template"),
    ("{% for a in client_name %}{{ a }}{% endfor %}", 1, "for is not available"),
    ("{{ client_name.__class__.__mro__ }}", 1, "getattr is not available"),
    ("{{ client_name['x'] }}", 1, "getitem is not available"),
    ("{{ 'x' * 1000000000 }}", 1, "mul is not available"),
    ("{{ 9 ** 9 ** 9 }}", 1, "pow is not available"),
    ("{{ range(9) }}", 1, "call is not available"),
    ("{{ [1, 2] }}", 1, "list is not available"),
    ("\n{% include 'passwd' %}", 2, "include is not available"),
    ("{% set x = 1 %}", 1, "assign is not available"),
    ("{% macro x() %}{% endmacro %}", 1, "macro is not available"),
    ("{{ client_name | safe }}", 1, "filter safe is not available"),
    ("{{ client_name | center(100000000) }}", 1, "filter center is not available"),
    ("{% if client_name is filter %}x{% endif %}", 1, "test filter is not available"),
    ("{{ threshold > 'a' }}", 1, "not supported between"),
    ("a\n{{ client_name ~ (brand_name > 3) }}", 2, "not supported between"),
    ("   ", 1, "renders to nothing"),
    ("{% if reached %}x{% endif %}", 1, "renders to nothing"),
    ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", 1, "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "line", "message"), BAD)
def test_a_bad_template_is_refused_with_its_field_line_and_reason(
    source: str, line: int, message: str
) -> None:
    """Found when it is saved: at night, with the mail in hand, there is nobody to ask."""
    found = validate("text", source, DAILY_USAGE)
    assert [(c.field, c.line) for c in found[:1]] == [("text", line)]
    assert message in found[0].message


def test_all_unknown_names_are_reported_at_once_also_in_branches_not_taken() -> None:
    """One error per save would make a long template a long afternoon."""
    found = validate("html", "{{ a }}\n{% if reached %}{{ b }}{% endif %}\n{{ limit }}{{ c }}", DAILY_USAGE)
    assert [(c.line, c.message.split()[0]) for c in found] == [(1, "a"), (2, "b"), (3, "c")]


def test_a_subject_of_a_megabyte_is_refused_before_it_is_parsed() -> None:
    """A limit on everything."""
    assert "longer than 300" in validate("subject", "x" * 1_000_000, DAILY_USAGE)[0].message


GOOD = [
    ("{{ client_name | upper }}", "CASA GARCÍA"),
    ("{{ limit if reached else spend }}", "8,02 €"),
    ("{% if threshold >= 50 and not reached %}half{% elif reached %}all{% else %}-{% endif %}", "half"),
    ("{{ client_name ~ ' & ' ~ brand_name }}", "Casa García & Ejemplo Telecom"),
    ("{# note #}{% raw %}{{ }}{% endraw %}", "{{ }}"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), GOOD)
def test_what_a_template_needs_is_available(source: str, expected: str) -> None:
    """Names, choices, comparison and joining: enough for a mail."""
    assert validate("text", source, DAILY_USAGE) == []
    one = Chosen(source, "client", "es")
    assert render({"subject": one, "text": one, "html": one}, DAILY_USAGE.sample()).text == expected


def test_a_variable_missing_at_send_time_names_the_field_and_the_line() -> None:
    """A kind may lose a variable in a new version; the log must say which template to mend."""
    one = Chosen("a\n\n{{ gone }}", "client", "es")
    with pytest.raises(DoesNotRender, match="subject line 3: 'gone' is undefined"):
        render({"subject": one, "text": one, "html": one}, {})


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("field", ["subject", "text", "html"])
def test_the_built_in_words_obey_the_rules_for_everybody(language: str, field: str) -> None:
    """They are the last resort: they must always render."""
    assert validate(field, builtin_contents("daily_usage")[language][field], DAILY_USAGE) == []


def test_an_unknown_kind_is_named() -> None:
    """Not a KeyError from somewhere inside."""
    with pytest.raises(UnknownKind, match="birthday"):
        kind("birthday")
