"""CallStore: the live calls and the money of one Redis, as typed functions over the Lua scripts.

    store = CallStore(batch); await load_all(redis)
    reply = await store.admit(new, now_ms)                    -> AdmitReply
    reply = await store.reject(partition, edge_id, attempt_id, subject, denial, event, now_ms) -> RejectReply
    call  = await store.read_call(call_id)                    -> LiveCall | None
    reply = await store.ring(call, ringing_ms, due_ms, now_ms)  -> Reply
    reply = await store.answer(call, answered_ms, begun, server_id, now_ms)
    reply = await store.extend(call, extend, now_ms)
    reply = await store.defer(call, due_ms)
    reply = await store.touch(call_id, edge_id, taken_ms)      -> TouchReply
    reply = await store.end(call, outcome, now_ms, ...)        store.correct(call, outcome, now_ms, ...)
    reads: live_calls, due_calls, calls_of_edge, client_usage; money: apply_posting, set_balance (Postings)

Every change carries the `rev` that was read: CONFLICT means read again (app/ does, at most five times).
Every method goes through the batch: one round trip, shared with whatever else the process does in that turn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from landline.chassis.redis import AutoBatch
from landline.chassis.redis_memory import RedisMemory
from landline.chassis.replication import NotReplicated
from landline.contracts.call_control.events import CallEnded, CallRinging
from landline.kernel.clock import utc
from landline.kernel.ids import CallId
from prometheus_client import Counter
from redis.exceptions import RedisError

from call_control.adapters import scripts
from call_control.adapters.call_arguments import (
    admission_arguments,
    answer_arguments,
    extend_arguments,
    reception_arguments,
)
from call_control.adapters.call_events import sealed
from call_control.adapters.call_reads import CallReads
from call_control.adapters.call_replies import admit_reply, reject_reply, reply, touch_reply
from call_control.adapters.keys import keys_of
from call_control.adapters.settlement_arguments import correction_arguments, end_arguments
from call_control.domain.lease import Begun, Extend
from call_control.domain.live_call import LiveCall, State
from call_control.domain.replies import AdmitReply, NewCall, RejectReply, Reply, Status, TouchReply

DENIAL_KEPT_MS = 30_000
REJECTIONS_TOLD_PER_DAY = 1_000
STRANGERS_TOLD_PER_DAY = 20_000
STRANGERS = "strangers"
SERVING_MS = 5_000
_SERVING = b"serving:"
_TWO_DAYS_MS = 172_800_000
CONFIRM_KEPT_MS = 1_000
NOT_REPLICATED = "not_replicated"
LEFT_OUT = Counter("landline_call_events_left_out_total", "Events not sent for want of memory", ["event"])


class CallStore(CallReads):
    """All changes of calls. Safe to share by all tasks of a process."""

    def __init__(self, batch: AutoBatch, memory: RedisMemory | None = None) -> None:
        """`memory`: says when events that nobody is owed must be left out."""
        super().__init__(batch)
        self._memory = memory

    async def admit(self, new: NewCall, now_ms: int) -> AdmitReply:
        """Create the call if every limit has room (admit_call.lua; receive_call.lua for one from outside).

        A repeated attempt: DUPLICATE with its call or denial, CALL_OVER when that call has ended; our own
        script repeated after a lost reply: ADMITTED.
        """
        if new.facts.direction == "inbound":
            script, (names, values) = scripts.RECEIVE, reception_arguments(new, now_ms)
        else:
            script, (names, values) = scripts.ADMIT, admission_arguments(new, now_ms)
        try:
            raw = await script.run(self.batch, names, values)
        except NotReplicated:
            await self._undo(new, now_ms)
            raise
        if raw[0] != b"DUPLICATE":
            return admit_reply(raw)
        return await self._duplicate(raw[1], new.facts.call_id)

    async def _undo(self, new: NewCall, now_ms: int) -> None:
        """An admission that no replica has must not be: a fail-over would forget it, without its ticket."""
        call = await self.read_call(new.facts.call_id)
        if call is not None:
            over = CallEnded(call=call.facts, ended_at_ms=now_ms, cause=NOT_REPLICATED, ended_by="system")
            with contextlib.suppress(RedisError):
                await self.end(call, over, now_ms)

    async def confirm(self, call_id: str) -> None:
        """What was written about this call before has reached the replicas, or NotReplicated."""
        if self.batch.replicas:
            key = keys_of(CallId.parse(call_id).partition).confirm
            await self.batch.execute("SET", key, "1", "PX", CONFIRM_KEPT_MS)

    async def _duplicate(self, known: bytes, mine: str) -> AdmitReply:
        kind, _, rest = known.partition(b":")
        if kind == b"deny":
            return AdmitReply(Status.DUPLICATE, denial=rest)
        call = await self.read_call(rest.decode())
        if call is None or call.state is State.ENDED:
            return AdmitReply(Status.CALL_OVER, call=call)
        await self.confirm(call.call_id)
        status = Status.ADMITTED if call.call_id == mine else Status.DUPLICATE
        return AdmitReply(status, payable_micros=call.payable_micros, call=call)

    async def begin_answer(self, partition: int, edge_id: str, attempt_id: str) -> bytes | None:
        """None: the attempt is ours to serve. Else what was answered; empty while another one serves it."""
        key = keys_of(partition).attempt(edge_id, attempt_id)
        if await self.batch.execute("SET", key, _SERVING, "NX", "PX", SERVING_MS):
            return None
        known: bytes = await self.batch.execute("GET", key) or b""
        kind, _, rest = known.partition(b":")
        return rest if kind == b"deny" else b""

    async def keep_answer(self, partition: int, edge_id: str, attempt_id: str, answer: bytes) -> None:
        """The attempt's answer for 30 s; an empty one sets the attempt free again."""
        key = keys_of(partition).attempt(edge_id, attempt_id)
        if answer:
            await self.batch.execute("SET", key, b"deny:" + answer, "PX", DENIAL_KEPT_MS)
        else:
            await self.batch.execute("DEL", key)

    async def link_legs(self, call_id: str, legs: Sequence[str], answer: bytes = b"") -> Status:
        """Calls that share the SIP dialog of this one; `answer`: what its edge was told, once it is whole.

        LINKED or UNKNOWN.
        """
        key = keys_of(CallId.parse(call_id).partition).call(call_id)
        raw = await scripts.LINK_LEGS.run(self.batch, [key], [" ".join(legs), answer])
        return Status(raw[0].decode())

    async def leave_device(self, call: LiveCall) -> Status:
        """It no longer rings there, and the device has its line again: LEFT, ALREADY or UNKNOWN."""
        keys = keys_of(call.partition)
        names = [keys.call(call.call_id), keys.client(call.facts.client_id)]
        raw = await scripts.LEAVE_DEVICE.run(self.batch, names, [call.state.value])
        return Status(raw[0].decode())

    async def reject(
        self,
        partition: int,
        edge_id: str | None,
        attempt_id: str,
        subject: str,
        denial: bytes,
        event: bytes,
        now_ms: int,
        *,
        stranger: bool = False,
    ) -> RejectReply:
        """Keep the denial for 30 s under its attempt and count it for `subject` (client id or source
        address); the sealed call.rejected.v1 leaves while the subject's UTC day has at most 1,000.

        `stranger`: no client's. All of a partition have 20,000 a day together: a scanner with a million
        addresses would else leave a key and its events of each for two days."""
        keys = keys_of(partition)
        day = utc(now_ms).date().isoformat()
        names = [
            keys.attempt(edge_id, attempt_id),
            keys.rejected(subject, day),
            keys.rejected(STRANGERS, day),
            keys.calls,
        ]
        told = self._unless_short(event, "rejected")
        most = STRANGERS_TOLD_PER_DAY if stranger else 0
        values = [denial, told, DENIAL_KEPT_MS, _TWO_DAYS_MS, REJECTIONS_TOLD_PER_DAY, most]
        return reject_reply(await scripts.REJECT.run(self.batch, names, values))

    async def ring(self, call: LiveCall, ringing_ms: int, due_ms: int, now_ms: int) -> Reply:
        """RINGING, ALREADY, CONFLICT or UNKNOWN."""
        keys = keys_of(call.partition)
        names = [keys.call(call.call_id), keys.due, keys.edge(call.facts.edge_id), keys.calls]
        event = self._unless_short(sealed(CallRinging(at_ms=ringing_ms), call.facts, now_ms), "ringing")
        values = [now_ms, call.call_id, call.rev, ringing_ms, due_ms, event]
        return reply(await scripts.RING.run(self.batch, names, values))

    def _unless_short(self, event: bytes, kind: str) -> bytes:
        """Nothing while Redis has hardly any memory left: what has no money in it goes first (3.3)."""
        if self._memory is None or not self._memory.short:
            return event
        LEFT_OUT.labels(kind).inc()
        return b""

    async def answer(
        self, call: LiveCall, answered_ms: int, begun: Begun, server_id: str | None, now_ms: int
    ) -> Reply:
        """The first lease begins: ANSWERED, SHORT (available, room), ALREADY, CONFLICT or UNKNOWN."""
        names, values = answer_arguments(call, answered_ms, begun, server_id, now_ms)
        return reply(await scripts.ANSWER.run(self.batch, names, values))

    async def extend(self, call: LiveCall, step: Extend, now_ms: int) -> Reply:
        """The next lease: EXTENDED, SHORT (available, room), ALREADY, CONFLICT or UNKNOWN."""
        names, values = extend_arguments(call, step, now_ms)
        return reply(await scripts.EXTEND.run(self.batch, names, values))

    async def defer(self, call: LiveCall, due_ms: int) -> Reply:
        """Look again at `due_ms`: DEFERRED, CONFLICT or UNKNOWN."""
        keys = keys_of(call.partition)
        values = [call.call_id, call.rev, due_ms]
        return reply(await scripts.DEFER.run(self.batch, [keys.call(call.call_id), keys.due], values))

    async def touch(self, call_id: str, edge_id: str, taken_ms: int) -> TouchReply:
        """The edge named the call in its list of `taken_ms`: LIVE, ENDED or UNKNOWN."""
        keys = keys_of(CallId.parse(call_id).partition)
        names = [keys.call(call_id), keys.edge(edge_id)]
        return touch_reply(await scripts.TOUCH.run(self.batch, names, [call_id, taken_ms]))

    async def end(
        self,
        call: LiveCall,
        outcome: CallEnded,
        now_ms: int,
        *,
        lost: bool = False,
        by_day: bool = False,
        forgotten: bool = False,
    ) -> Reply:
        """Settle: ENDED, SHORT (available, room), ALREADY_ENDED, CONFLICT or UNKNOWN.

        `by_day`: not all was charged because of the day's limit. `forgotten`: the call is known from its
        ticket only; it is settled without slots and holds to give back.
        """
        names, values = end_arguments(call, outcome, now_ms, lost, by_day, forgotten)
        return reply(await scripts.END.run(self.batch, names, values))

    async def correct(
        self, call: LiveCall, outcome: CallEnded, now_ms: int, *, by_day: bool = False
    ) -> Reply:
        """A lost call's real end, new totals in `outcome`: CORRECTED, SHORT, NOT_LOST, CONFLICT or
        UNKNOWN."""
        names, values = correction_arguments(call, outcome, now_ms, by_day)
        return reply(await scripts.CORRECT.run(self.batch, names, values))
