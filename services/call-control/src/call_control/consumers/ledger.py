"""Consumer of `ledger`: the balance in Redis follows it, posting by posting (architecture section 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from landline.chassis.stream_consumer import NotYet
from landline.chassis.streams import Entry
from landline.contracts.billing.events import PostingMade

from call_control.adapters.read_model import ReadModel
from call_control.domain.replies import PostingReply, Status

GROUP = "call-control"
MOST_PAGES = 1_000

FetchPostings = Callable[[str, int], Awaitable[list[PostingMade]]]


class AppliesPostings(Protocol):
    """`adapters.postings.Postings`, as far as needed here."""

    async def apply(self, partition: int, posting: PostingMade) -> PostingReply: ...


class LedgerHandler:
    """Handler of the `ledger` stream."""

    def __init__(self, store: AppliesPostings, model: ReadModel, fetch: FetchPostings) -> None:
        self._store = store
        self._model = model
        self._fetch = fetch

    async def __call__(self, entries: list[Entry]) -> None:
        """Apply postings in stream order; one that came before its predecessors makes us fetch those."""
        for entry in entries:
            if entry.event.type == PostingMade.TYPE:
                await self._apply(entry.event.brand_id or "", entry.event.read(PostingMade))

    async def _apply(self, brand_id: str, posting: PostingMade) -> None:
        partition = await self._model.partition(brand_id)
        reply = await self._store.apply(partition, posting)
        if reply.status is Status.GAP:
            await self._fill(partition, posting, reply.applied_seq)

    async def _fill(self, partition: int, posting: PostingMade, applied: int) -> None:
        """Fetch what is missing from billing, page by page, up to this posting."""
        for _ in range(MOST_PAGES):
            missing = await self._fetch(posting.client_id, applied)
            for each in missing:
                await self._store.apply(partition, each)
                applied = max(applied, each.sequence)
            if applied >= posting.sequence:
                return
            if not missing:
                break
        raise NotYet(f"postings of {posting.client_id} after {applied} are not in billing's ledger yet")
