"""Which addresses mail goes to, and the keys that make it go once."""

from __future__ import annotations

import pytest
from notifier.domain.address import NotAnAddress, address, split
from notifier.domain.facts import daily_usage_key, message_id, resend_key

GOOD = [
    ("a@example.net", "a@example.net"),
    (" Ann.Lee+tag@Example.NET ", "Ann.Lee+tag@example.net"),
    ("o'brien@mail.example.co.uk", "o'brien@mail.example.co.uk"),
    ("ana@españa.example", "ana@xn--espaa-rta.example"),
]
BAD = [
    "", "a", "@example.net", "a@", "a@@example.net", "a b@example.net", "a@example", "a@-x.net", "a@x-.net",
    "a@exa mple.net", "a@example.net\r\nBcc: b@example.net", "a@example.net,b@example.net", "<a@example.net>",
    "Ann <a@example.net>", '"a\r\n"@example.net', "a@[127.0.0.1]", ".a@example.net", "a..b@example.net",
    "x" * 65 + "@example.net", "a@" + "x" * 64 + ".net", "a@" + "x.y" * 90 + ".net", "ñ@example.net",
    "a@example.net\n", "a@example.net\x00", "a@..net", "a@example..net",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_an_address_is_kept_with_its_domain_in_lower_case_ascii(text: str, expected: str) -> None:
    """The local part belongs to its server (RFC 5321 2.4), the domain to DNS."""
    assert address(text) == expected


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address_never_reaches_a_header_or_a_command(text: str) -> None:
    """A line break here would be a second recipient or a second command."""
    with pytest.raises(NotAnAddress):
        address(text)


def test_the_same_mailbox_written_twice_gets_one_mail() -> None:
    """`A@x` and `a@x` are one reader, who would get the same mail twice."""
    assert split(["A@example.net", "a@EXAMPLE.net", "no", "b@example.net", "no"]) == (
        ["A@example.net", "b@example.net"],
        ["no"],
    )


def test_a_client_with_a_thousand_addresses_is_not_a_mail_cannon() -> None:
    """A limit on everything: 20 are told."""
    good, bad = split([f"a{n}@example.net" for n in range(1000)])
    assert (len(good), bad) == (20, [])


def test_a_fact_has_one_key_whichever_event_brings_it() -> None:
    """Two events of one crossing (a lost reply in call-control) are still one mail."""
    assert daily_usage_key("c1", "2026-11-22", 80) == "daily_usage:c1:2026-11-22:80"
    assert resend_key("n2") == "resend:n2"


@pytest.mark.parametrize(
    ("mail_from", "expected"),
    [("Landline <no-reply@x.example>", "<n1@x.example>"), ("", "<n1@landline.invalid>")],
)
def test_a_mail_keeps_one_message_id_for_life(mail_from: str, expected: str) -> None:
    """It is what lets the reader's side drop the second copy of an uncertain mail."""
    assert message_id("n1", mail_from) == expected
