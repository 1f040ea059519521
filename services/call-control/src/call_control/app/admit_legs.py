"""Admit a chain of calls: each in its own partition by its own script, in order; a refusal undoes what went
before by the end script (domain.md 4.8). A repeated attempt finds its calls again and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from landline.contracts.call_control.events import CallFacts

from call_control.app.admit_call import (
    AdmissionStore,
    Answer,
    CallOver,
    bound_s,
    hops_of,
    new_call,
    refuse_reuse,
    rejected,
    server_of,
    without_counters,
)
from call_control.app.answers import LegCall, completed, deny_answer, longest_s, onward_answer
from call_control.app.call_port import Calls
from call_control.app.counted_denials import denial_of, first_denial
from call_control.app.plan_legs import Chain, PlanLegs, Way
from call_control.app.record_end import EndReport, settle_call
from call_control.app.take_hold import admit_with_hold
from call_control.domain.admission import Case
from call_control.domain.admission.outage import tolerated
from call_control.domain.admission.targets import go_on
from call_control.domain.denials import Denial
from call_control.domain.lease import first_bound_s
from call_control.domain.live_call import LiveCall, State, Terms
from call_control.domain.replies import AdmitReply, NewCall, Status

IssueTicket = Callable[[CallFacts, Terms], str]


class LegStore(Calls, AdmissionStore, Protocol):
    """`adapters.call_store.CallStore`, as far as chains need it."""

    async def link_legs(self, call_id: str, legs: Sequence[str], answer: bytes = b"") -> Status: ...


class Live(NamedTuple):
    """A call of the dialog that lives: its ticket, and the edge's outer bound of it."""

    facts: CallFacts
    ticket: str
    bound_s: int


@dataclass(slots=True)
class Progress:
    """The calls that live so far; with `begun`, the first of them lived before the chain went on."""

    begun: bool = False
    live: list[Live] = field(default_factory=list)


class Refused(Exception):
    """The chain ends here: by this denial, of this case."""

    def __init__(self, case: Case, denial: Denial) -> None:
        super().__init__(denial.detail)
        self.case = case
        self.denial = denial


class AdmitLegs:
    """Share one per process."""

    def __init__(
        self,
        plan: PlanLegs,
        store: LegStore,
        issue_ticket: IssueTicket,
        outage: type[Exception] | tuple[type[Exception], ...],
    ) -> None:
        """`outage`: the errors that mean counters can't be reached."""
        self._outage = outage
        self._plan = plan
        self._store = store
        self._issue_ticket = issue_ticket

    async def __call__(self, first: Case, edge_id: str) -> Answer:
        """The answer to a call that comes in, or whose callee seems to be ours.

        Raises CallOver, CallBusy, or an outage error: what was admitted by then is found by the repeated
        attempt, or ended by the reaper.
        """
        way = Way(hops=hops_of(first))
        return await self._through(Chain([first], way=way), Progress(), edge_id)

    async def onward(self, chain: Chain, begun: LiveCall, edge_id: str) -> Answer:
        """The same from a call that lives: the first case is its, and is not admitted again."""
        return await self._through(chain, Progress(True, [self._alive(begun)]), edge_id)

    def alone(self, call: LiveCall) -> tuple[str, int]:
        """Ticket and bound of a call that goes on without another one."""
        alive = self._alive(call)
        return alive.ticket, alive.bound_s

    async def _through(self, chain: Chain, progress: Progress, edge_id: str) -> Answer:
        await self._plan(chain)
        try:
            at = len(progress.live)
            while at < len(chain.cases):
                known = await self._next(chain, at, progress, edge_id)
                if known is not None:
                    return known
                at += 1
        except Refused as refused:
            return await self._undone(chain, progress, refused, edge_id)
        return await self._answered(chain, progress)

    async def _next(self, chain: Chain, at: int, progress: Progress, edge_id: str) -> Answer | None:
        """Admit one call of the chain. An Answer: to a repeated attempt, or to a call without counters."""
        case = chain.cases[at]
        if chain.refusal is not None and case is chain.last:
            raise Refused(case, await first_denial(self._store, case, chain.refusal, self._outage))
        new = self._new(chain, case, progress, edge_id)
        try:
            reply = await admit_with_hold(self._store, new, case.now_ms)
        except self._outage:
            # The edge reports the first call of a dialog only: the others could not be settled without Redis.
            if len(chain.cases) > 1 or progress.live or not tolerated(case):
                raise
            return without_counters(case, new, self._issue_ticket)
        if reply.status is Status.MAX_CALLS_DEVICE:
            await self._busy(chain, at, reply)
            return await self._next(chain, at, progress, edge_id)
        if reply.call is not None or reply.denial is not None:
            if reply.call is not None and not progress.live:
                refuse_reuse(case, reply.call.facts)
            return self._repeated(reply, progress)
        if reply.status is Status.CALL_OVER:
            raise CallOver
        if reply.status is not Status.ADMITTED:
            raise Refused(case, denial_of(reply, new.floor_micros, case.facts.inbound))
        ticket = self._issue_ticket(new.facts, new.terms)
        progress.live.append(Live(new.facts, ticket, bound_s(case, reply.payable_micros)))
        return None

    async def _busy(self, chain: Chain, at: int, reply: AdmitReply) -> None:
        """The device has no line left: by its forward, which needs none, or refused."""
        case = chain.cases[at]
        device = case.facts.device
        if device is None or not go_on(case, device, "busy"):
            raise Refused(case, denial_of(reply, 0, inbound=True))
        del chain.cases[at + 1 :]
        chain.refusal = None
        await self._plan(chain)

    def _repeated(self, reply: AdmitReply, progress: Progress) -> Answer | None:
        """The first call knows what was answered; without that it was cut short, and the chain goes on."""
        call, is_first = reply.call, not progress.live
        if call is None:
            return Answer(reply.denial or b"", "deny", "repeated")
        if call.state is State.ENDED:
            if is_first and longest_s(call.answer) is None and call.answer:
                return Answer(call.answer, "deny", "repeated")
            raise CallOver
        alive = self._alive(call)
        if is_first and call.answer:
            bound = min(alive.bound_s, longest_s(call.answer) or alive.bound_s)
            return Answer(completed(call.answer, alive.ticket, bound), "allow", "repeated")
        progress.live.append(alive)
        return None

    def _alive(self, call: LiveCall) -> Live:
        return Live(call.facts, self._issue_ticket(call.facts, call.terms), first_bound_s(call))

    def _new(self, chain: Chain, case: Case, progress: Progress, edge_id: str) -> NewCall:
        parent = progress.live[-1].facts.call_id if progress.live else None
        alone = len(chain.cases) == 1
        return new_call(case, edge_id, parent_call_id=parent, answered=alone)

    async def _answered(self, chain: Chain, progress: Progress) -> Answer:
        """What the edge is told: where the last call goes, and the tickets of all."""
        first, *rest = progress.live
        most_s = min(each.bound_s for each in progress.live)
        legs = tuple(LegCall(each.facts.call_id, each.ticket) for each in rest)
        body = onward_answer(chain.cases[0], chain.last, first.facts.call_id, legs, most_s)
        if legs:
            ids = [leg.call_id for leg in legs]
            await self._store.link_legs(first.facts.call_id, ids, b"" if progress.begun else body)
        return Answer(completed(body, first.ticket, most_s), "allow")

    async def _undone(self, chain: Chain, progress: Progress, refused: Refused, edge_id: str) -> Answer:
        """End what was admitted for this, tell of the refusal (promise 3), and answer it."""
        case, denial = refused.case, refused.denial
        attempt_id = chain.cases[0].request.attempt_id
        body = deny_answer(denial, attempt_id, server_of(case.facts, attempt_id))
        ours = progress.live[1:] if progress.begun else progress.live
        for each in reversed(ours):
            answer = body if each is progress.live[0] else b""
            await self._end(each.facts, denial, answer, case.now_ms)
        try:
            await rejected(self._store, case, denial, edge_id, body)
        except self._outage:
            if ours:
                raise  # they were admitted: the repeated attempt finds and ends them
        return Answer(body, "deny", denial.code)

    async def _end(self, facts: CallFacts, denial: Denial, answer: bytes, now_ms: int) -> None:
        if answer:
            await self._store.link_legs(facts.call_id, (), answer)
        call = await self._store.read_call(facts.call_id)
        if call is None or call.state is State.ENDED:
            return
        cause = "onnet_refused" if facts.direction == "outbound" else "forward_refused"
        report = EndReport(ended_ms=now_ms, cause=cause, ended_by="system", sip_code=denial.reason.sip_code)
        await settle_call(self._store, call, report, now_ms)
