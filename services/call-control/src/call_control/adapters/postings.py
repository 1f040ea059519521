"""The balance in Redis follows the ledger (architecture section 3): postings one by one, or a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landline.chassis.redis import AutoBatch
from landline.contracts.billing.events import PostingMade

from call_control.adapters import scripts
from call_control.adapters.call_replies import posting_reply
from call_control.adapters.keys import keys_of
from call_control.adapters.reservations import Reservations
from call_control.adapters.settlement_arguments import correction_id
from call_control.domain.local_day import KEPT_AFTER_MS, named_day
from call_control.domain.replies import PostingReply, Status

SETTLED_MARK_MS = 7 * 86_400_000
_WESTMOST_MS = 12 * 3_600_000  # a day ends so long after the UTC day of the same name, at most


def charged_id(posting: PostingMade) -> str:
    """Which waiting charge a posting is: the call's, or its correction's (operation_id names that one).

    Any other posting that mentions a call (a re-rating, a refund) is no charge that waits here.
    """
    if posting.call_id is None:
        return ""
    if posting.operation_id == correction_id(posting.call_id):
        return posting.operation_id
    return posting.call_id if posting.kind == "charge" and posting.operation_id is None else ""


class Postings:
    """Applies the ledger to a client's balance. The partition is the brand's."""

    def __init__(self, batch: AutoBatch) -> None:
        self._batch = batch
        self._reservations = Reservations(batch)

    async def apply(self, partition: int, posting: PostingMade) -> PostingReply:
        """APPLIED, STALE (known already) or GAP: fetch the postings after applied_seq from billing first."""
        keys, this = keys_of(partition), charged_id(posting)
        names = [keys.client(posting.client_id), keys.unposted(posting.client_id), keys.settled(this or "-")]
        values = [posting.sequence, posting.balance_after_micros, this, SETTLED_MARK_MS]
        reply = posting_reply(await scripts.APPLY_POSTING.run(self._batch, names, values))
        if reply.status is not Status.GAP and posting.operation_id and posting.call_id is None:
            # The balance has it now. In between it counted twice: too little is safe, too much is not.
            await self._reservations.release(partition, posting.client_id, posting.operation_id)
        return reply

    async def set_balance(
        self,
        partition: int,
        client_id: str,
        sequence: int,
        balance_micros: int,
        posted: Sequence[str] = (),
        days: Mapping[str, int] | None = None,
        now_ms: int = 0,
        *,
        backwards: bool = False,
    ) -> PostingReply:
        """A snapshot's balance, forward only. `posted`: charges (call or correction ids) that the ledger has
        by that sequence; `days`: local date -> micros spent, for a Redis that has lost its counters.
        `backwards`: the ledger was restored from a backup, what it says counts whatever we have applied."""
        keys, kept = keys_of(partition), _kept_days(days or {}, now_ms)
        names = [keys.client(client_id), keys.unposted(client_id)]
        names += [keys.day(client_id, day) for day, _, _ in kept]
        names += [keys.settled(each) for each in posted]
        values: list[int | str] = [sequence, balance_micros, SETTLED_MARK_MS, int(backwards), len(kept)]
        for _, micros, ttl_ms in kept:
            values += (micros, ttl_ms)
        return posting_reply(await scripts.SET_BALANCE.run(self._batch, names, [*values, *posted]))

    async def unposted(self, partition: int, client_id: str) -> dict[str, int]:
        """Charges that wait for their posting: call id or correction id -> micros."""
        found = await self._batch.execute("HGETALL", keys_of(partition).unposted(client_id))
        return {name.decode(): int(micros) for name, micros in found.items()}


def _kept_days(days: Mapping[str, int], now_ms: int) -> list[tuple[str, int, int]]:
    """(date, micros, ttl) of the days whose counters are still kept, oldest first."""
    found = []
    for day in sorted(days):
        end_ms = named_day(day, "UTC").end_ms + _WESTMOST_MS + KEPT_AFTER_MS
        if end_ms > now_ms:
            found.append((day, days[day], end_ms - now_ms))
    return found
