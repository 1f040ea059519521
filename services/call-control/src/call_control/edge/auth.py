"""Which edge asks: a random key as Bearer, or HTTP Basic (edge name, key), as Kamailio sends it.

A key is 256 random bits, so its SHA-256 suffices. A key that was proved once is remembered as long as the
edges are as they were when it was: a disabled edge is out as soon as the change is seen.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Protocol

import structlog
from landline.chassis.auth import key_parts
from landline.chassis.problems import Unauthorized
from prometheus_client import Counter
from starlette.types import Scope

from call_control.domain.admission.source_filter import allowed_by
from call_control.domain.facts import EdgeFacts

REMEMBERED = 1_000
ELSEWHERE = Counter("landline_edge_keys_elsewhere_total", "Edge keys used from a foreign address", ["edge"])
log = structlog.get_logger(__name__)


class KnowsEdges(Protocol):
    """`adapters.facts_cache.Directory`: edges by the prefix of their key."""

    edges: dict[str, EdgeFacts]


class EdgeAuth:
    """Proves edges' keys. `note` hears the id of each edge that was proved: it must not cost anything."""

    def __init__(
        self, directory: Callable[[], Awaitable[KnowsEdges]], note: Callable[[str], None] = lambda _id: None
    ) -> None:
        self._directory, self._note = directory, note
        self._proved: dict[bytes, EdgeFacts] = {}
        self._proved_in: KnowsEdges | None = None

    async def __call__(self, scope: Scope) -> EdgeFacts:
        """The edge of a request. Raises Unauthorized, also for a key that is used from elsewhere."""
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        directory = await self._directory()
        if directory is not self._proved_in:
            self._proved, self._proved_in = {}, directory
        known = self._proved.get(given)
        if known is None:
            known = _prove(given, directory)
            if len(self._proved) < REMEMBERED:
                self._proved[given] = known
        if known.networks:
            _at_home(known, scope)
        self._note(known.id)
        return known


def _prove(given: bytes, directory: KnowsEdges) -> EdgeFacts:
    name, key = _credentials(given)
    parts = key_parts(key)
    edge = directory.edges.get(parts.prefix) if parts is not None else None
    if parts is None or edge is None or not compare_digest(parts.sha256, edge.key_sha256.lower()):
        raise Unauthorized("a valid edge key is needed")
    if not edge.enabled or (name and name != edge.name):
        raise Unauthorized("a valid edge key is needed")
    return edge


def _at_home(edge: EdgeFacts, scope: Scope) -> None:
    """A key that was copied from an edge's disk must not open calls from the thief's own machine."""
    source = (scope.get("client") or ("",))[0]
    try:
        here = allowed_by(source, edge.networks)
    except ValueError:
        here = None
    if here is None:
        ELSEWHERE.labels(edge.name).inc()
        log.warning("an edge's key is used from elsewhere", edge=edge.name, source=source)
        raise Unauthorized("this edge key may not be used from this address")


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
