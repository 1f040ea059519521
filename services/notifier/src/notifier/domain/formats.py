"""Money and days as a client reads them, by Unicode CLDR (babel)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from notifier.domain.contents import FALLBACK_LANGUAGE


def locale_of(language: str, country: str | None = None) -> Locale:
    """es + MX -> es_MX, where pesos are written the Mexican way; an unknown language reads as English."""
    tag = language.replace("_", "-")
    regional = [f"{tag}-{country}"] if country and "-" not in tag else []
    for candidate in (*regional, tag, tag.partition("-")[0], FALLBACK_LANGUAGE):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise UnknownLocaleError(FALLBACK_LANGUAGE)


def money(micros: int, currency: str, locale: Locale) -> str:
    """10_000_000, EUR, es -> `10,00 €`, in the currency's own decimals."""
    return str(format_currency(Decimal(micros).scaleb(-6), currency, locale=locale))


def day(iso_day: str, locale: Locale) -> str:
    """2026-11-22, es -> `22 de noviembre de 2026`."""
    return str(format_date(date.fromisoformat(iso_day), format="long", locale=locale))
