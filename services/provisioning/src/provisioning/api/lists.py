"""Countries, currencies, time zones, languages: read-only lists, by phonenumbers, Unicode CLDR, tzdata."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
from babel import Locale
from babel.numbers import get_currency_name, get_currency_precision, get_currency_symbol
from fastapi import APIRouter, Request, Response
from landline.chassis.auth import Caller
from landline.chassis.csv_text import MEDIA_TYPE
from landline.chassis.problems import responses
from pydantic import BaseModel

from provisioning.api.fixed_lists import answer, described

LANGUAGES = ("ca", "de", "en", "es", "eu", "fr", "it", "pt")
_CURRENCIES = (
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CRC CZK DKK DOP EGP EUR GBP GTQ HKD HUF IDR ILS INR ISK JPY KRW"
    " MAD MXN MYR NGN NOK NZD PEN PHP PLN PYG RON RSD SAR SEK SGD THB TND TRY TWD UAH USD UYU VND XAF XOF ZAR"
)
_ENGLISH = Locale("en")


class Item(BaseModel):
    """One entry of a fixed list."""

    code: str
    name: str
    calling_code: str | None = None
    symbol: str | None = None
    decimals: int | None = None


class Items(BaseModel):
    """A page of a fixed list; all of it without `limit`."""

    items: list[Item]
    next_cursor: str | None = None
    total: int | None = None


def country_name(code: str) -> str:
    """The English name of a country (Unicode CLDR); the code itself where there is none."""
    return str(_ENGLISH.territories.get(code, code))


@cache
def _countries() -> list[dict[str, Any]]:
    codes = sorted(phonenumbers.SUPPORTED_REGIONS)
    calling = {code: phonenumbers.country_code_for_region(code) for code in codes}
    return [{"code": c, "name": country_name(c), "calling_code": f"+{calling[c]}"} for c in codes]


@cache
def _currencies() -> list[dict[str, Any]]:
    return [
        {
            "code": code,
            "name": get_currency_name(code, locale=_ENGLISH),
            "symbol": get_currency_symbol(code, locale=_ENGLISH),
            "decimals": get_currency_precision(code),
        }
        for code in _CURRENCIES.split()
    ]


@cache
def _timezones() -> list[dict[str, Any]]:
    names = sorted(n for n in available_timezones() if "/" in n or n == "UTC")
    return [{"code": name, "name": name.replace("_", " ")} for name in names]


@cache
def _languages() -> list[dict[str, Any]]:
    return [{"code": code, "name": Locale(code).get_display_name() or code} for code in LANGUAGES]


router = APIRouter(tags=["lists"], responses=responses(401, 422))
_ASKED: dict[str, Any] = {
    "response_model": Items,
    "responses": {200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    "openapi_extra": {"parameters": described()},
}


@router.get("/countries", name="list countries", **_ASKED)
async def countries(request: Request, _caller: Caller) -> Response:
    """Every country with telephone numbers, ISO 3166 alpha-2."""
    return answer(request, _countries())


@router.get("/currencies", name="list currencies", **_ASKED)
async def currencies(request: Request, _caller: Caller) -> Response:
    """Common currencies, ISO 4217. Others can be used; nothing is ever converted."""
    return answer(request, _currencies())


@router.get("/timezones", name="list timezones", **_ASKED)
async def timezones(request: Request, _caller: Caller) -> Response:
    """The zones of the IANA database."""
    return answer(request, _timezones())


@router.get("/languages", name="list languages", **_ASKED)
async def languages(request: Request, _caller: Caller) -> Response:
    """Languages with built-in texts or announcements, BCP 47."""
    return answer(request, _languages())
