"""Published rate decks, open for quotes: fetched from the database once, kept as files, mapped read-only."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from landline.chassis.postgres import Database, Scope
from landline.rating.deck_file import Deck
from landline.rating.lookup import RateDeck

MOST_OPEN = 32

_CURRENT = """
select v.deck_id::text, v.version, v.sha256 from rate_decks d
  join deck_versions v on v.deck_id = d.id and v.version = d.published_version where d.id = any($1::uuid[])
"""


class DeckCache:
    """The newest versions of decks. One per process; a deck changes with the next quote that asks for it."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._folder = folder
        self._open: OrderedDict[tuple[str, int], Deck] = OrderedDict()

    async def current(self, deck_ids: Iterable[str]) -> dict[str, RateDeck]:
        """The decks by id; those that do not exist are left out."""
        async with self._db.asyncpg(Scope.system()) as conn:
            rows = await conn.fetch(_CURRENT, list(set(deck_ids)))
        return {
            row["deck_id"]: await self._deck(row["deck_id"], row["version"], row["sha256"]) for row in rows
        }

    async def _deck(self, deck_id: str, version: int, sha256: str) -> Deck:
        known = self._open.get((deck_id, version))
        if known is None:
            known = await self._load(deck_id, version, sha256)
            for key in [key for key in self._open if key[0] == deck_id] + list(self._open)[: -MOST_OPEN + 1]:
                self._open.pop(key, None)  # not closed: a quote may still be reading it
            self._open[deck_id, version] = known
        self._open.move_to_end((deck_id, version))
        return known

    async def _load(self, deck_id: str, version: int, sha256: str) -> Deck:
        path = self._folder / f"{deck_id}-{version}.deck"
        if not path.exists():
            async with self._db.asyncpg(Scope.system()) as conn:
                content = await conn.fetchval(
                    "select file from deck_versions where deck_id = $1 and version = $2", deck_id, version
                )
            await asyncio.to_thread(_write_whole, path, content)
        return await asyncio.to_thread(Deck.open, path, sha256)


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.name.rpartition('-')[0]}-*.deck"):
        old.unlink(missing_ok=True)  # a map of it stays valid
    descriptor, temporary = tempfile.mkstemp(prefix=path.name, suffix=".tmp", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(temporary, path)
