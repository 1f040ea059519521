"""Countries, currencies, time zones, languages: read-only lists, from the libraries that know them."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
from fastapi import APIRouter
from landline.chassis.auth import Caller
from landline.chassis.problems import responses
from pydantic import BaseModel

LANGUAGES = {
    "ca": "Català",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "eu": "Euskara",
    "fr": "Français",
    "it": "Italiano",
    "pt": "Português",
}
CURRENCIES = {
    "EUR": "Euro",
    "USD": "US dollar",
    "GBP": "Pound sterling",
    "CHF": "Swiss franc",
    "SEK": "Swedish krona",
    "NOK": "Norwegian krone",
    "DKK": "Danish krone",
    "PLN": "Polish zloty",
    "CZK": "Czech koruna",
    "RON": "Romanian leu",
    "HUF": "Hungarian forint",
    "BRL": "Brazilian real",
    "MXN": "Mexican peso",
    "COP": "Colombian peso",
    "CLP": "Chilean peso",
    "ARS": "Argentine peso",
    "PEN": "Peruvian sol",
    "CAD": "Canadian dollar",
    "AUD": "Australian dollar",
    "JPY": "Japanese yen",
    "INR": "Indian rupee",
    "MAD": "Moroccan dirham",
    "TRY": "Turkish lira",
    "ZAR": "South African rand",
}


class Item(BaseModel):
    """One entry of a fixed list."""

    code: str
    name: str
    calling_code: str | None = None


class Items(BaseModel):
    """A fixed list, whole."""

    items: list[Item]
    next_cursor: None = None


@cache
def _countries() -> list[dict[str, Any]]:
    return [
        {"code": region, "name": region, "calling_code": f"+{phonenumbers.country_code_for_region(region)}"}
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    ]


@cache
def _timezones() -> list[dict[str, Any]]:
    names = sorted(n for n in available_timezones() if "/" in n or n == "UTC")
    return [{"code": name, "name": name.replace("_", " ")} for name in names]


def _named(names: dict[str, str]) -> list[dict[str, Any]]:
    return [{"code": code, "name": name} for code, name in sorted(names.items())]


router = APIRouter(tags=["lists"], responses=responses(401))


@router.get("/countries", name="list countries", response_model=Items)
async def countries(_caller: Caller) -> dict[str, Any]:
    """Every country with telephone numbers, ISO 3166 alpha-2."""
    return {"items": _countries()}


@router.get("/currencies", name="list currencies", response_model=Items)
async def currencies(_caller: Caller) -> dict[str, Any]:
    """Common currencies, ISO 4217. Others can be used; nothing is ever converted."""
    return {"items": _named(CURRENCIES)}


@router.get("/timezones", name="list timezones", response_model=Items)
async def timezones(_caller: Caller) -> dict[str, Any]:
    """The zones of the IANA database."""
    return {"items": _timezones()}


@router.get("/languages", name="list languages", response_model=Items)
async def languages(_caller: Caller) -> dict[str, Any]:
    """Languages with built-in texts or announcements, BCP 47."""
    return {"items": _named(LANGUAGES)}
