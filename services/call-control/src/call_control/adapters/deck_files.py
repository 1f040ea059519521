"""Rate decks on this host: fetched once from billing, checked, then mapped by every process."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from landline.rating.deck_file import Deck
from landline.rating.errors import DeckDamaged

FETCH_TIMEOUT_S = 60.0
LOCK_WAIT_S = 120.0


class DeckFiles:
    """`<data>/rates/<deck>-<version>.deck`: the name says its content, so a file there never changes."""

    def __init__(self, folder: Path, base_url: str, internal_key: Callable[[], str]) -> None:
        self._folder = folder
        self._base_url = base_url
        self._internal_key = internal_key
        self._open: dict[Path, Deck] = {}

    def path(self, deck_id: str, version: int) -> Path:
        """Where a version of a deck is or will be."""
        return self._folder / f"{deck_id}-{version}.deck"

    async def opened(self, deck_id: str, version: int, sha256: str) -> Deck:
        """The deck, mapped; fetched first when this host lacks it.

        Raises httpx.HTTPError when billing can't be reached, DeckDamaged when something else came.
        """
        path = self.path(deck_id, version)
        known = self._open.get(path)
        if known is None:
            if not path.exists():
                await self.fetch(deck_id, version, sha256)
            known = self._open[path] = await asyncio.to_thread(Deck.open, path)
        return known

    def keep_only(self, wanted: set[tuple[str, int]]) -> None:
        """Forget decks of other versions. Their maps close when no call prices by them any more."""
        paths = {self.path(*each) for each in wanted}
        for path in set(self._open) - paths:
            del self._open[path]

    async def fetch(self, deck_id: str, version: int, sha256: str) -> None:
        """Fetch once per host: whoever has the lock writes, the others find the file when they get it."""
        path = self.path(deck_id, version)
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        async with asyncio.timeout(LOCK_WAIT_S):
            with await asyncio.to_thread(_locked, path.with_suffix(".lock")) as _:
                if not path.exists():
                    content = await self._download(deck_id, version)
                    await asyncio.to_thread(_check_and_write, path, content, sha256)

    async def _download(self, deck_id: str, version: int) -> bytes:
        url = f"{self._base_url}/api/billing/v1/internal/decks/{deck_id}/{version}"
        headers = {"Authorization": f"Bearer {self._internal_key()}"}
        # Certificates are read only where they are needed: that alone would stop all calls for 30 ms.
        secure = url.startswith("https:")
        async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, verify=secure) as client:
            reply = await client.get(url, headers=headers)
        reply.raise_for_status()
        return reply.content


@contextmanager
def _held(file: Any) -> Iterator[None]:
    try:
        yield
    finally:
        file.close()  # closing releases the lock


def _locked(path: Path) -> Any:
    file = path.open("a+b")
    fcntl.flock(file, fcntl.LOCK_EX)
    return _held(file)


def _check_and_write(path: Path, content: bytes, sha256: str) -> None:
    if hashlib.sha256(content).hexdigest() != sha256.lower():
        raise DeckDamaged(f"{path.stem} is not what was published")
    _write_whole(path, content)


def _write_whole(path: Path, content: bytes) -> None:
    """A reader sees the whole file or none, also after a power cut."""
    descriptor, temporary = tempfile.mkstemp(prefix=path.name, suffix=".tmp", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
