"""Admitting a call: facts, the pure decision, then one script that takes slot and money (architecture 2)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple, Protocol

from landline.contracts.call_control.events import CallFacts, CallRejected
from landline.contracts.envelope import seal
from landline.kernel.clock import Clock
from landline.kernel.ids import CallId
from msgspec import structs

from call_control.app.answers import (
    CHALLENGE,
    allow_answer,
    completed,
    deny_answer,
    inbound_answer,
)
from call_control.app.counted_denials import ReadsUsage, denial_of, first_denial
from call_control.app.gather_facts import GatherFacts
from call_control.app.take_hold import Admits, admit_with_hold
from call_control.domain.admission import Case, Challenge, judge, trace
from call_control.domain.admission.case import FaxTarget, ServiceAsked, Target, VoicemailTarget
from call_control.domain.admission.outage import tolerated
from call_control.domain.admission.presentation import asks_privacy
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial
from call_control.domain.facts import Facts
from call_control.domain.lease import first_bound_s
from call_control.domain.live_call import LiveCall, State, Terms
from call_control.domain.media_place import DEFAULT, application_server
from call_control.domain.rejection import subject_of
from call_control.domain.replies import NewCall, RejectReply, Status

PRODUCER: Final = "call-control"
NO_BRAND_PARTITION: Final = 0
"""Where denials are kept that no brand could be found for."""

IssueTicket = Callable[[CallFacts, Terms], str]


class AttemptReused(Exception):
    """The attempt was another call's: its answer would connect this one to the wrong place."""


class CallOver(Exception):
    """The attempt's call has ended: asking again can't bring it back."""


class AdmissionStore(Admits, ReadsUsage, Protocol):
    """`adapters.call_store.CallStore`, as far as an admission needs it."""

    async def read_call(self, call_id: str) -> LiveCall | None: ...
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
    ) -> RejectReply: ...


class Answer(NamedTuple):
    """The JSON for the edge, and what it says: allow | deny | challenge, for metrics."""

    body: bytes
    decision: str
    reason: str = ""


class Connects(Protocol):
    """`app.admit_legs.AdmitLegs`: calls that come in, and those that may lead to further ones."""

    async def __call__(self, first: Case, edge_id: str) -> Answer: ...


class Serves(Protocol):
    """`app.serve_code.ServeCode`."""

    async def __call__(self, case: Case, asked: ServiceAsked, edge_id: str) -> Answer | Denial: ...


class AdmitCall:
    """One use case of an edge's `POST /calls`. Share one per process."""

    def __init__(
        self,
        gather: GatherFacts,
        store: AdmissionStore,
        clock: Clock,
        issue_ticket: IssueTicket,
        outage: type[Exception] | tuple[type[Exception], ...],
        legs: Connects,
        serve: Serves,
    ) -> None:
        """`outage`: the errors that mean counters can't be reached. `legs`: takes over what is not alone.
        `serve`: does what service codes ask for."""
        self._gather = gather
        self._store = store
        self._clock = clock
        self._issue_ticket = issue_ticket
        self._outage = outage
        self._random = Random()
        self._legs = legs
        self._serve = serve

    async def __call__(self, request: CallRequest, edge_id: str) -> Answer:
        """The answer, the same for a repeated attempt. Raises CallOver, CallBusy, or an outage error."""
        now_ms = self._clock.now_ms()
        facts = self._gather.known(request) or await self._gather(request)
        case = Case(request, facts, now_ms, self._random)
        refusal = judge(case)
        if refusal is None and (facts.inbound or case.on_net):
            return await self._legs(case, edge_id)
        if refusal is None:
            return await self._commit(case, edge_id)
        if isinstance(refusal, Challenge):
            return Answer(CHALLENGE, "challenge")
        if isinstance(refusal, ServiceAsked):
            served = await self._serve(case, refusal, edge_id)
            return served if isinstance(served, Answer) else await self._reject(case, served, edge_id)
        return await self._reject(case, await first_denial(self._store, case, refusal, self._outage), edge_id)

    async def _commit(self, case: Case, edge_id: str) -> Answer:
        new = new_call(case, edge_id)
        try:
            reply = await admit_with_hold(self._store, new, case.now_ms)
        except self._outage:
            if not tolerated(case):
                raise
            return without_counters(case, new, self._issue_ticket)
        if reply.status is Status.ADMITTED and reply.call is None:
            ticket = self._issue_ticket(new.facts, new.terms)
            return Answer(completed(new.answer, ticket, bound_s(case, reply.payable_micros)), "allow")
        if reply.status in (Status.ADMITTED, Status.DUPLICATE, Status.CALL_OVER):
            return self._repeated(case, reply.call, reply.denial)
        return await self._reject(case, denial_of(reply, new.floor_micros, case.facts.inbound), edge_id)

    def _repeated(self, case: Case, call: LiveCall | None, denial: bytes | None) -> Answer:
        """What the first asking was answered. Raises AttemptReused for another call's attempt."""
        if call is not None:
            refuse_reuse(case, call.facts)
        if denial is not None:
            return Answer(denial, "deny", "repeated")
        if call is None or call.state is State.ENDED:
            raise CallOver
        ticket = self._issue_ticket(call.facts, call.terms)
        return Answer(completed(call.answer, ticket, first_bound_s(call)), "allow", "repeated")

    async def _reject(self, case: Case, denial: Denial, edge_id: str) -> Answer:
        """Keep the denial for its attempt, and tell of it."""
        attempt_id = case.request.attempt_id
        body = deny_answer(denial, attempt_id, server_of(case.facts, attempt_id))
        try:
            reply = await rejected(self._store, case, denial, edge_id, body)
        except self._outage:
            return Answer(body, "deny", denial.code)  # as true as ever; only nobody can be told of it now
        if reply.status is Status.DUPLICATE:
            call = await self._store.read_call(reply.call_id) if reply.call_id else None
            return self._repeated(case, call, reply.denial)
        return Answer(body, "deny", denial.code)


def without_counters(case: Case, new: NewCall, issue_ticket: IssueTicket) -> Answer:
    """The allow of a call that Redis does not know of: its ticket settles it later."""
    ticket = issue_ticket(structs.replace(new.facts, outage=True), new.terms)
    return Answer(completed(new.answer, ticket, case.cap_s), "allow", "outage")


def bound_s(case: Case, payable_micros: int | None) -> int:
    if case.priced is None or payable_micros is None:
        return case.cap_s
    return case.priced.bound_s(case.now_ms, payable_micros, case.cap_s)


def refuse_reuse(case: Case, known: CallFacts) -> None:
    """Raises AttemptReused when what is asked now is not what this attempt asked for."""
    callee, device = getattr(case, "callee", None), case.facts.device
    asked, first = case.request.sip_call_id, known.sip_call_id
    if (
        (asked and first and asked != first)
        or (callee is not None and callee != known.callee)
        or (not case.facts.inbound and device is not None and known.device_id not in (None, device.id))
    ):
        raise AttemptReused


async def rejected(
    store: AdmissionStore, case: Case, denial: Denial, edge_id: str, body: bytes
) -> RejectReply:
    """Keep the denial for its attempt, count it, tell of it with its trace (promise 3)."""
    request, facts = case.request, case.facts
    partition = facts.brand.partition if facts.brand is not None else NO_BRAND_PARTITION
    client_id = facts.client.id if facts.client is not None else None
    return await store.reject(
        partition,
        edge_id,
        request.attempt_id,
        subject_of(client_id, request.source_ip),
        body,
        rejected_event(case, denial),
        case.now_ms,
        stranger=client_id is None,
    )


def new_call(
    case: Case, edge_id: str, parent_call_id: str | None = None, *, answered: bool = True
) -> NewCall:
    """What the script is to find room for. `answered`: the call's own answer is the whole answer."""
    facts = call_facts(case, edge_id, parent_call_id)
    answer = (inbound_answer if case.facts.inbound else allow_answer)(case, facts.call_id)
    hold = case.hold
    return NewCall(
        facts=facts,
        attempt_id=case.request.attempt_id,
        terms=case.terms,
        answer=answer if answered else b"",
        brand_max_calls=case.brand_max_calls,
        client_max_calls=case.client_max_calls,
        device_max_calls=line_limit(case),
        device_per_minute=case.device_per_minute,
        client_per_minute=case.client_per_minute,
        hold_micros=hold.hold_micros,
        floor_micros=hold.floor_micros,
        covered_s=hold.covered_s,
    )


def line_limit(case: Case) -> int | None:
    """How many received calls its device may have, 0 for any number; None for a call that takes no line of
    a device."""
    rings = case.facts.inbound and bool(case.targets) and isinstance(case.targets[0], Target)
    return case.device.max_calls if rings else None


def call_facts(case: Case, edge_id: str, parent_call_id: str | None = None) -> CallFacts:
    """What never changes about the call from here on."""
    client = case.client
    device = case.facts.device if case.facts.inbound else case.device
    return CallFacts(
        call_id=str(CallId.new(case.brand.partition, case.now_ms)),
        brand_id=case.brand.id,
        client_id=client.id,
        direction="inbound" if case.facts.inbound else "outbound",
        caller=case.shown,
        callee=case.callee,
        billing_method=client.billing_method,
        currency=client.currency,
        timezone=client.timezone,
        admitted_at_ms=case.now_ms,
        device_id=device.id or None if device is not None else None,
        ddi_id=case.ddi.id if case.ddi is not None else None,
        endpoint_type=endpoint_of(case),
        sip_call_id=case.request.sip_call_id,
        edge_id=edge_id,
        tariff=case.pinned,
        daily_limited=case.terms.limit_micros is not None,
        lease_s=case.facts.lease_s,
        cap_s=case.cap_s,
        class_=case.call_class,
        outage=case.outage,
        withheld=case.withhold,
        parent_call_id=parent_call_id,
        hops=hops_of(case),
        on_net=case.arrival.on_net if case.facts.inbound else case.on_net,
    )


def hops_of(case: Case) -> int:
    """How often the call was forwarded so far, by us or, as its Diversion headers say, before it came in."""
    if case.facts.forwarded is not None:
        return case.facts.forwarded.hops
    before = case.request.diversion if case.facts.inbound else None
    return sum(each.counter or 1 for each in before or ())


def endpoint_of(case: Case) -> str:
    """What the call ends at: device | fax | voicemail."""
    target = case.targets[0] if case.facts.inbound and case.targets else None
    if isinstance(target, VoicemailTarget):
        return "voicemail"
    return "fax" if case.request.fax or isinstance(target, FaxTarget) else "device"


def server_of(facts: Facts, attempt_id: str) -> str:
    """Where announcements to this client's callers come from."""
    return (
        application_server(facts.brand, facts.client, attempt_id)
        if facts.brand is not None and facts.client is not None
        else DEFAULT
    )


def _hides_caller(case: Case) -> bool:
    """Whether the client that is told of it must not read who calls."""
    if case.facts.forwarded is not None:
        return case.facts.forwarded.withheld
    return case.facts.inbound and (asks_privacy(case) or getattr(case, "withhold", False))


def rejected_event(case: Case, denial: Denial) -> bytes:
    """`call.rejected.v1` with the trace, which is read off the case only now."""
    request, facts = case.request, case.facts
    lines = trace(case, denial)
    event = CallRejected(
        attempt_id=request.attempt_id,
        reason=denial.code,
        sip_code=denial.reason.sip_code,
        detail=denial.detail,
        at_ms=case.now_ms,
        direction="inbound" if facts.inbound else "outbound",
        source_ip=request.source_ip,
        device_id=facts.device.id if facts.device is not None else None,
        caller=getattr(case, "shown", None) or getattr(case, "caller", None),
        callee=getattr(case, "callee", None) or request.request_user,
        trace=[{"step": line.step, "outcome": line.outcome, "detail": line.detail} for line in lines],
        rule=lines[-1].step if lines else denial.step,
        limit=denial.limit,
        value=denial.value,
        remedy=denial.reason.remedy,
        withheld=_hides_caller(case),
    )
    return seal(
        event,
        producer=PRODUCER,
        now_ms=case.now_ms,
        brand_id=facts.brand.id if facts.brand is not None else None,
        client_id=facts.client.id if facts.client is not None else None,
    )
