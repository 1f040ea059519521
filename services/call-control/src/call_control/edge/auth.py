"""Which edge asks: a random key as Bearer, or HTTP Basic (edge name, key), as Kamailio sends it.

A key is 256 random bits, so its SHA-256 suffices. A key that was proved once is remembered as long as the
edges are as they were when it was: a disabled edge is out as soon as the change is seen.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable
from hmac import compare_digest
from typing import Protocol

from landline.chassis.auth import key_parts
from landline.chassis.problems import Unauthorized

from call_control.domain.facts import EdgeFacts

REMEMBERED = 1_000


class KnowsEdges(Protocol):
    """`adapters.facts_cache.Directory`: edges by the prefix of their key."""

    edges: dict[str, EdgeFacts]


class EdgeAuth:
    """Proves edges' keys."""

    def __init__(self, directory: Callable[[], Awaitable[KnowsEdges]]) -> None:
        self._directory = directory
        self._proved: dict[bytes, EdgeFacts] = {}
        self._proved_in: KnowsEdges | None = None

    async def __call__(self, headers: Iterable[tuple[bytes, bytes]]) -> EdgeFacts:
        """The edge of a request. Raises Unauthorized."""
        given = next((value for name, value in headers if name == b"authorization"), b"")
        directory = await self._directory()
        if directory is not self._proved_in:
            self._proved, self._proved_in = {}, directory
        known = self._proved.get(given)
        if known is not None:
            return known
        edge = _prove(given, directory)
        if len(self._proved) < REMEMBERED:
            self._proved[given] = edge
        return edge


def _prove(given: bytes, directory: KnowsEdges) -> EdgeFacts:
    name, key = _credentials(given)
    parts = key_parts(key)
    edge = directory.edges.get(parts.prefix) if parts is not None else None
    if parts is None or edge is None or not compare_digest(parts.sha256, edge.key_sha256.lower()):
        raise Unauthorized("a valid edge key is needed")
    if not edge.enabled or (name and name != edge.name):
        raise Unauthorized("a valid edge key is needed")
    return edge


def _credentials(given: bytes) -> tuple[str, str]:
    """Name (Basic only) and key of an Authorization header; empty when it is neither (RFC 7617, RFC 6750)."""
    scheme, _, rest = given.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return "", rest.strip()
    if scheme.lower() == "basic":
        try:
            name, _, key = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return name, key
    return "", ""
