"""`GET /edges/peers` and `GET /edges/fallback`: what edges load every minute and keep on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from starlette.types import Receive, Scope, Send

from call_control.adapters.facts_cache import FactsCache
from call_control.app.edge_files import Fallback, Peers, fallback_of, peers_of
from call_control.domain.facts import BrandFacts
from call_control.edge.auth import EdgeAuth
from call_control.edge.endpoint import Endpoint, json_answer
from call_control.edge.reading import read_body

_encode = msgspec.json.Encoder().encode


class FileEndpoint(Endpoint):
    """One of the two, by what makes its content."""

    def __init__(self, auth: EdgeAuth, content: Callable[[], Awaitable[Peers | Fallback]]) -> None:
        self._auth = auth
        self._content = content

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """200 with the whole content and its version."""
        await self._auth(scope)
        await read_body(receive)
        await json_answer(send, _encode(await self._content()))


class EdgeFiles:
    """Contents from the facts in memory; read anew when they changed."""

    def __init__(self, facts: FactsCache) -> None:
        self._facts = facts

    async def peers(self) -> Peers:
        """Of all brands."""
        return peers_of(await self._brands(), (await self._facts.directory()).addresses)

    async def fallback(self) -> Fallback:
        """Of all brands."""
        return fallback_of(await self._brands())

    async def _brands(self) -> list[BrandFacts]:
        directory = await self._facts.directory()
        found = await asyncio.gather(*(self._facts.brand(brand_id) for brand_id in directory.brands))
        return [brand for brand in found if brand is not None]
