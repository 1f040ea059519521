"""The words' variables for a daily usage mail."""

from __future__ import annotations

from notifier.domain.formats import day, locale_of, money
from notifier.domain.kinds import Variables
from notifier.domain.people import Brand, Client


def variables(
    *,
    day_iso: str,
    threshold: int,
    limit_micros: int,
    spend_micros: int,
    currency: str,
    client: Client,
    brand: Brand,
) -> Variables:
    """Amounts in micros of `currency`, written in the client's language and country."""
    locale = locale_of(client.language or brand.language, client.country or brand.country)
    return {
        "client_name": client.name,
        "brand_name": brand.name,
        "threshold": threshold,
        "reached": threshold >= 100,
        "limit": money(limit_micros, currency, locale),
        "spend": money(spend_micros, currency, locale),
        "currency": currency,
        "day": day(day_iso, locale),
    }
