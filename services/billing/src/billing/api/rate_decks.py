"""Rate decks, their rates, and the import of rate sheets."""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from landline.chassis.postgres import raw
from landline.chassis.resources import ApiModel, Change, Registry, Resource, Rights, resource_router
from landline.chassis.resources.field_types import Currency, Name
from landline.rating.deck_file import DeckMeta
from pydantic import Field
from sqlalchemy import text

from billing.adapters.deck_builder import write_file
from billing.adapters.tables import PUBLISHED_RATES, RATE_DECKS
from billing.app.publish_deck import NewVersion, publish_deck

OPERATORS = Rights("crud", "crud", "")


class DeckFields(ApiModel):
    """A rate deck: prefixes and their prices. Currency and kind of connect fee are fixed at creation."""

    name: Name = Field(description="unique in the brand")
    currency: Currency = Field(description="ISO 4217; fixed at creation")
    deductible_connect_fee: bool = Field(
        False, description="true: the connect fee is a minimum charge, max(connect_fee, usage)"
    )


class DeckRead(ApiModel):
    """What an import or a publication sets."""

    published_version: int = Field(description="the version in force")
    rows: int = Field(description="prefixes in the version in force")
    published_at: Any = Field(description="when that version came into force; null: none yet")


async def _publish_empty(change: Change) -> None:
    """A deck is published at once, empty: a plan may then name it, and every worker finds its file."""
    if change.action != "c":
        return
    row = change.new
    meta = DeckMeta(str(row["id"]), 1, row["currency"], row["deductible_connect_fee"], row["name"])
    file, sha256 = await asyncio.to_thread(_empty, meta)
    conn = await raw(change.tx)
    await publish_deck(conn, NewVersion(meta.deck_id, 1, 0, sha256, file), change.actor.now_ms)


async def _drop_rates(change: Change) -> None:
    if change.action == "d":
        await change.tx.execute(text("delete from rates where deck_id = :id"), {"id": change.new["id"]})


def _empty(meta: DeckMeta) -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory() as folder:
        return write_file(meta, [], Path(folder))


RATE_DECK = Resource(
    name="rate-decks",
    entity="rate_deck",
    table=RATE_DECKS,
    fields=DeckFields,
    read_only=DeckRead,
    tenancy="brand",
    rights=OPERATORS,
    create_only=frozenset({"currency", "deductible_connect_fee"}),
    filters=("name", "currency"),
    sorts=("name",),
    default_sort="name",
    unique={"rate_decks_brand_id_name_key": "name"},
    after=(_publish_empty, _drop_rates),
    about="Rates by prefix. They come by import; each import is the deck's next version.",
)


class NothingToWrite(ApiModel):
    """Rates come by import."""


class RateRead(ApiModel):
    """A rate in force. `tiers`: interval_start_s, rate in nanos a minute, increment_s, for each tier."""

    rate_deck_id: Any = Field(description="the deck whose rate it is")
    prefix: str = Field(description="E.164 numbers that begin so; the longest one counts")
    destination: str = Field(description="the prefix's name")
    connect_fee: str = Field(description="charged once, for an answered call")
    rate_per_minute: Decimal = Field(description="of the first tier, in the deck's currency")
    increment_s: int = Field(description="seconds that the first tier is charged in")
    tiers: list[int] = Field(
        description="interval_start_s, rate in nanos a minute, increment_s, for each tier"
    )


RATE = Resource(
    name="rates",
    entity="rate",
    table=PUBLISHED_RATES,
    fields=NothingToWrite,
    read_only=RateRead,
    tenancy="brand",
    rights=Rights("r", "r", ""),
    filters=("rate_deck_id", "prefix", "destination", "connect_fee", "increment_s"),
    sorts=("prefix", "destination"),
    default_sort="prefix",
    about="The rates in force of all decks; filter by rate_deck_id.",
)


def routers(registry: Registry) -> list[APIRouter]:
    """The decks' routes, and the list of rates (a rate has no address of its own)."""
    rates = resource_router(registry, RATE)
    rates.routes = [route for route in rates.routes if getattr(route, "path", "") == "/rates"]
    return [resource_router(registry, RATE_DECK), rates]
