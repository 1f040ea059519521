"""A new version of a rate deck: its file, its event, and the switch to it, in one short transaction."""

from __future__ import annotations

from dataclasses import dataclass

from landline.contracts import streams
from landline.contracts.billing.events import TariffPublished
from landline.kernel.clock import utc

from billing.app import events
from billing.app.connection import Connection

_SWITCH = """
update rate_decks
   set published_version = $2, rows = $3, published_at = $4, updated_at = $4, version = version + 1
 where id = $1 and published_version = $2 - 1
returning brand_id
"""

_KEEP = """
insert into deck_versions (deck_id, version, brand_id, rows, sha256, file, published_at)
values ($1, $2, $3, $4, $5, $6, $7)
"""


class DeckChangedMeanwhile(RuntimeError):
    """Somebody else published a version of the deck since this one was begun, or the deck is gone."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A deck's next version: what to publish."""

    deck_id: str
    version: int
    rows: int
    sha256: str
    file: bytes


async def publish_deck(conn: Connection, new: NewVersion, now_ms: int) -> None:
    """Switch the deck to the version and tell the `rates` stream. Raises DeckChangedMeanwhile."""
    brand_id = await conn.fetchval(_SWITCH, new.deck_id, new.version, new.rows, utc(now_ms))
    if brand_id is None:
        raise DeckChangedMeanwhile(new.deck_id)
    await conn.execute(_KEEP, new.deck_id, new.version, brand_id, new.rows, new.sha256, new.file, utc(now_ms))
    event = TariffPublished(deck_id=new.deck_id, version=new.version, rows=new.rows, sha256=new.sha256)
    await events.send(conn, [events.sealed(streams.RATES, event, now_ms, brand_id=str(brand_id))])
