"""The message as bytes: what a mail server and a mail program get."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.policy import default

import pytest
from notifier.adapters.mail import compose
from notifier.app.ports import Mail
from notifier.main import cli
from typer.testing import CliRunner

FROM = "Landline <no-reply@mail.example>"


def mail(**more: str) -> Mail:
    """A claimed mail with some fields changed."""
    texts = {
        "from_name": "Marca Uno", "subject": "Límite", "text": "Hola ñ €", "html": "<p>Hola ñ €</p>",
        "address": "ana@example.net", "message_id": "<n1@mail.example>", **more,
    }  # fmt: skip
    return Mail(
        id="n1", claim="c", kind="daily_usage", brand_id="b", client_id="k", created_ms=1_795_000_000_000,
        attempts=1, uncertain_count=0, first_attempt_ms=0, **texts,
    )  # fmt: skip


def test_a_message_is_seven_bit_and_reads_back_as_it_was_written() -> None:
    """Not every server on the way speaks 8BITMIME; nothing may arrive as question marks."""
    raw = compose(mail(), FROM)
    assert raw.isascii()
    read = message_from_bytes(raw, policy=default)
    text, html = read.get_body(["plain"]), read.get_body(["html"])
    assert text is not None
    assert html is not None
    assert [text.get_content().strip(), html.get_content().strip()] == ["Hola ñ €", "<p>Hola ñ €</p>"]
    assert (read["Subject"], read["From"]) == ("Límite", "Marca Uno <no-reply@mail.example>")
    assert (read["Message-ID"], read["Auto-Submitted"]) == ("<n1@mail.example>", "auto-generated")
    assert read["Date"] == "Wed, 18 Nov 2026 11:06:40 +0000"


def test_the_same_mail_written_twice_has_the_same_identity() -> None:
    """A second copy must be recognisable as one."""
    first, second = (message_from_bytes(compose(mail(), FROM), policy=default) for _ in range(2))
    assert [first[h] for h in ("Message-ID", "Date")] == [second[h] for h in ("Message-ID", "Date")]


@pytest.mark.parametrize("name", ['A "B" <x@y.example>, C', "Ñandú, S.A.", "a\\b;c@d"])
def test_a_brand_name_stays_a_name_whatever_it_contains(name: str) -> None:
    """Commas and angles would make another sender of it."""
    (sender,) = message_from_bytes(compose(mail(from_name=name), FROM), policy=default)["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (name, "no-reply@mail.example")


@pytest.mark.parametrize("field", ["subject", "from_name", "address"])
def test_a_line_break_that_got_this_far_stops_the_message(field: str) -> None:
    """The last of three guards: rendering makes one line, addresses are checked, the message refuses."""
    with pytest.raises(ValueError, match=r".+"):
        compose(mail(**{field: "a@b.example\r\nBcc: thief@example.net"}), FROM)


def test_the_command_shows_a_mail_with_sample_data() -> None:
    """Authors of built-in words look at them without a database."""
    shown = CliRunner().invoke(cli, ["preview", "daily_usage", "--language", "es"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["subject"].startswith("Ejemplo Telecom: Casa García")
