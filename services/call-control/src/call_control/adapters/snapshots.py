"""Snapshots of provisioning and billing, by which the read model is built from nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from landline.contracts.billing.events import PostingMade

from call_control.domain.drift import Books

PROVISIONING = "/api/provisioning/v1/internal/snapshot"
BILLING = "/api/billing/v1/internal/snapshot"
POSTINGS = "/api/billing/v1/internal/postings"
RECONCILE = "/api/billing/v1/internal/reconcile"
CLIENTS_AT_ONCE = 100
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_line = msgspec.json.Decoder(dict[str, Any])
_postings = msgspec.json.Decoder(dict[str, list[PostingMade]])


class SnapshotCutShort(ConnectionError):
    """The last line did not come, or counts other rows than came: read it again."""


class Peers:
    """The internal interfaces of the other services, for cold starts and for gaps."""

    def __init__(self, base_url: str, internal_key: Callable[[], str]) -> None:
        self._base_url = base_url.rstrip("/")
        self._internal_key = internal_key

    @asynccontextmanager
    async def snapshot(
        self, path: str
    ) -> AsyncIterator[tuple[dict[str, Any], AsyncIterator[dict[str, Any]]]]:
        """The first line (`position`), and the rows; SnapshotCutShort when the end is missing.

        Raises httpx.HTTPError when the service can't be reached or refuses.
        """
        async with self._client() as client, client.stream("GET", path) as reply:
            reply.raise_for_status()
            lines = reply.aiter_lines()
            try:
                head = _line.decode(await anext(lines))
            except StopAsyncIteration:
                raise SnapshotCutShort(path) from None
            yield head, _rows(path, lines)

    async def postings(self, client_id: str, after: int) -> list[PostingMade]:
        """The postings of a client with a sequence above `after`, in order; a page of them."""
        async with self._client() as client:
            reply = await client.get(POSTINGS, params={"client_id": client_id, "after": after})
        reply.raise_for_status()
        return _postings.decode(reply.content)["items"]

    async def ledger(self, client_ids: Sequence[str]) -> dict[str, Books]:
        """What billing says of these clients now; those without an account are left out."""
        found: dict[str, Books] = {}
        async with self._client() as client:
            for start in range(0, len(client_ids), CLIENTS_AT_ONCE):
                some = ",".join(client_ids[start : start + CLIENTS_AT_ONCE])
                reply = await client.get(RECONCILE, params={"client_ids": some})
                reply.raise_for_status()
                for row in reply.json()["items"]:
                    found[row["client_id"]] = Books(row["sequence"], row["balance_micros"], row["days"])
        return found

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._internal_key()}"}
        return httpx.AsyncClient(base_url=self._base_url, headers=headers, timeout=TIMEOUT)


async def _rows(path: str, lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    count = 0
    async for line in lines:
        row = _line.decode(line)
        if row.get("complete"):
            if row.get("rows") != count:
                raise SnapshotCutShort(f"{path}: {count} rows of {row.get('rows')}")
            return
        count += 1
        yield row
    raise SnapshotCutShort(path)
