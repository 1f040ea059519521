"""Money, keys and texts at the edge of the API."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from landline.chassis.resources.field_types import ApiModel, Currency, Email, Line, MoneyText
from landline.chassis.resources.wire import merge_patch, unstorable
from pydantic import ValidationError


class Priced(ApiModel):
    """A model with money and text."""

    price: Annotated[int, MoneyText(decimals=4, least="-5", most="5")] = 0
    note: Line = ""
    mail: Email = "a@example.net"
    currency: Currency = "EUR"


@pytest.mark.parametrize(
    ("text", "micros"), [("1", 1_000_000), ("1.2345", 1_234_500), ("-5", -5_000_000), ("0.00", 0)]
)
def test_money_is_a_decimal_string(text: str, micros: int) -> None:
    """And comes back as one."""
    model = Priced.model_validate({"price": text})
    assert model.price == micros
    assert Priced.model_validate_json(model.model_dump_json()) == model


@pytest.mark.parametrize(
    "value",
    [1, 1.5, True, None, "", "1,5", "1e2", "١", "5.0001", "1.23456", "0x1", " 1", "--1", "+1", "9" * 500, []],
)
def test_what_is_no_exact_amount_is_refused(value: Any) -> None:
    """A float may already have lost a cent; too many decimals would be rounded by somebody."""
    with pytest.raises(ValidationError):
        Priced.model_validate({"price": value})


@pytest.mark.parametrize(
    "mail",
    [
        "a@b",
        "a b@example.net",
        "a@example.net\nBcc: x@y.zz",
        "<a@example.net>",
        "a@@example.net",
        "a@exa mple.net",
        "a@example..net",
        "a@-example.net",
        ".a@example.net",
        "a..b@example.net",
        "a.@example.net",
        f"{'a' * 65}@example.net",
    ],
)
def test_an_address_is_one_and_cannot_carry_a_header(mail: str) -> None:
    """It is written into mails, and a mail server refuses them all for one that is none."""
    with pytest.raises(ValidationError):
        Priced.model_validate({"mail": mail})


@pytest.mark.parametrize("hidden", ["\x00", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff", "\n"])
def test_a_text_has_nothing_that_is_not_seen_but_acts(hidden: str) -> None:
    """Line ends forge log lines and headers; a turned direction makes one client's name read as another's."""
    with pytest.raises(ValidationError):
        Priced.model_validate({"note": f"Casa{hidden}Garcia"})
    assert Priced.model_validate({"note": "Casa García \u05d0\u05d1 \U0001f3e0"}).note.startswith("Casa")


@pytest.mark.parametrize("code", ["BTC", "XXX", "XTS", "XAU", "DEM", "eur", "EU", "EURO"])
def test_money_is_in_a_currency_that_somebody_pays_with(code: str) -> None:
    """A slip of the pen cannot be mended once money moved: the currency is frozen then."""
    with pytest.raises(ValidationError):
        Priced.model_validate({"currency": code})
    assert Priced.model_validate({"currency": "XOF"}).currency == "XOF"


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "foo"}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        (["c"], {"a": "b"}, {"a": "b"}),
        ({"a": "b"}, ["c"], ["c"]),
    ],
)
def test_merge_patch_follows_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    """Cases of the RFC's appendix A."""
    assert merge_patch(target, patch) == result


def test_texts_that_cannot_be_stored_are_named_by_their_path() -> None:
    """Postgres refuses NUL and half surrogates with an error that names nothing."""
    body = {"a": "fine", "b": [{"c": "x\x00"}, {"c": "y"}], "d": {"e": "\ud800"}}
    assert [e.field for e in unstorable(body)] == ["b.0.c", "d.e"]
