"""`POST /calls/{id}/failed`: the target of a call from outside did not take it. What is next: a forward, a
voicemail box, or nothing more (domain.md section 5)."""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple, Protocol

from landline.kernel.clock import Clock
from landline.kernel.numbers import is_e164

from call_control.app.admit_call import Answer, server_of
from call_control.app.answers import completed, deny_answer, inbound_answer
from call_control.app.plan_legs import Chain, Way
from call_control.domain.admission import Case
from call_control.domain.admission.arrival import UNPRICED
from call_control.domain.admission.caps import CAP_S
from call_control.domain.admission.numbers import user_of
from call_control.domain.admission.request import CallRequest
from call_control.domain.admission.targets import go_on
from call_control.domain.denials import deny
from call_control.domain.facts import Arrival, BrandFacts, ClientFacts, CountryOf, DdiProvider, Facts
from call_control.domain.forwarding import Diverted
from call_control.domain.lease import FirstHold
from call_control.domain.live_call import LiveCall, State
from call_control.domain.rates import RateBook

ALIVE: Final = DdiProvider(id="", name="a call that lives")
NOWHERE: Final = "0.0.0.0"
MOST_UP: Final = 16
_KINDS: Final = {486: "busy", 600: "busy", 603: "busy", 408: "no_answer", 480: "no_answer", 487: "no_answer"}
"""Which forward a final answer of a device asks for; any other says that it is not there."""


_DENIALS: Final = {each: each for each in ("busy", "no_answer", "not_registered", "forward_failed")}


class NotHere(LookupError):
    """No such call, or none that rings at a target."""


class AlreadyTalking(Exception):
    """It was answered: nothing has failed."""


class TooLate(Exception):
    """It is over."""


class Failure(NamedTuple):
    """What the edge says: which target, how it answered (0: not at all), where a 302 points."""

    target: str
    sip_code: int
    redirect_to: str | None = None


class KnowsParties(Protocol):
    """`adapters.facts_cache.FactsCache`, as far as needed here."""

    async def brand(self, brand_id: str) -> BrandFacts | None: ...
    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None: ...
    async def rates(self) -> RateBook: ...
    def perhaps_ours(self, number: str) -> bool: ...


class GoesOn(Protocol):
    """`app.admit_legs.AdmitLegs`."""

    async def onward(self, chain: Chain, begun: LiveCall, edge_id: str) -> Answer: ...
    def alone(self, call: LiveCall) -> tuple[str, int]: ...


class RingingCalls(Protocol):
    """`adapters.call_store.CallStore`, as far as needed here."""

    async def read_call(self, call_id: str) -> LiveCall | None: ...
    async def leave_device(self, call: LiveCall) -> object: ...


class MoveOn:
    """Share one per process."""

    def __init__(
        self,
        parties: KnowsParties,
        calls: RingingCalls,
        legs: GoesOn,
        country_of: CountryOf,
        lease_s: int,
        clock: Clock,
    ) -> None:
        self._parties = parties
        self._calls = calls
        self._legs = legs
        self._country_of = country_of
        self._lease_s = lease_s
        self._clock = clock
        self._random = Random()

    async def __call__(self, call_id: str, failure: Failure, edge_id: str) -> Answer:
        """The next targets, a forward, or a denial; asked again, the same.

        Raises NotHere, AlreadyTalking, TooLate, CallBusy, or an outage error.
        """
        call = await self._ringing(call_id)
        kind = "deflection" if failure.redirect_to else _KINDS.get(failure.sip_code, "not_registered")
        case = await self._case(call, kind)
        device = case.facts.device
        number = user_of(failure.redirect_to) if failure.redirect_to else ""
        if number:
            case.diverted = Diverted("deflection", number)
        elif device is None or not go_on(case, device, kind):
            return self._denied(case, kind, failure)
        if await self._went_elsewhere(call, case):
            return self._denied(case, "forward_failed", failure)
        await self._calls.leave_device(call)
        if case.diverted is None:
            ticket, bound_s = self._legs.alone(call)
            return Answer(completed(inbound_answer(case, call.call_id), ticket, bound_s), "allow", kind)
        way = await self._way(call)
        return await self._legs.onward(Chain([case], way=way), call, edge_id)

    async def _went_elsewhere(self, call: LiveCall, case: Case) -> bool:
        """It was forwarded before, for another failure: one forward is tried, and that one failed."""
        first = await self._calls.read_call(call.legs[0]) if call.legs else None
        return first is not None and not first.attempt_id.startswith(f"{case.request.attempt_id}/")

    async def _ringing(self, call_id: str) -> LiveCall:
        """The call, or the called side of an on-net one, that rings somewhere."""
        call = await self._calls.read_call(call_id)
        for _ in range(MOST_UP):
            if call is None:
                raise NotHere(call_id)
            if call.state is State.ENDED:
                raise TooLate(call_id)
            if call.facts.direction == "inbound":
                break
            call = await self._calls.read_call(call.legs[0]) if call.legs else None
        if call is None:
            raise NotHere(call_id)
        if call.state is State.ANSWERED:
            raise AlreadyTalking(call_id)
        return call

    async def _case(self, call: LiveCall, kind: str) -> Case:
        """The call as its admission left it."""
        facts = call.facts
        brand = await self._parties.brand(facts.brand_id)
        client = await self._parties.client(facts.brand_id, facts.client_id)
        ddi = client.ddis_by_id.get(facts.ddi_id or "") if client is not None else None
        if brand is None or client is None or ddi is None:
            raise NotHere(call.call_id)
        device = client.devices_by_id.get(facts.device_id or "")
        request = CallRequest(
            attempt_id=f"{call.call_id}:{kind}",
            sip_call_id=facts.sip_call_id or "",
            source_ip=NOWHERE,
            request_user=facts.callee,
            direction="inbound",
        )
        now_ms = self._clock.now_ms()
        arrival = Arrival(ALIVE, True, facts.callee, client.id, ddi, on_net=facts.on_net)
        gathered = Facts(
            domain=None,
            brand=brand,
            client=client,
            device=device,
            from_names_other=False,
            rates=await self._parties.rates(),
            country_of=self._country_of,
            lease_s=self._lease_s,
            inbound=True,
            arrival=arrival,
            perhaps_ours=self._parties.perhaps_ours,
        )
        case = Case(request, gathered, now_ms, self._random)
        case.brand, case.client, case.ddi, case.arrival = brand, client, ddi, arrival
        case.callee, case.shown, case.withhold = facts.callee, facts.caller, facts.withheld
        case.caller = facts.caller if is_e164(facts.caller) else ""
        case.shown_by, case.call_class, case.cap_s = "live call", "normal", facts.cap_s or CAP_S
        case.diverted, case.targets, case.filtered_by = None, (), "passed before"
        case.terms, case.hold, case.priced, case.pinned = UNPRICED, FirstHold(0, 0, 0), None, None
        if device is not None:
            case.device = device
        return case

    async def _way(self, call: LiveCall) -> Way:
        """The numbers and forwards that led here: up from call to call."""
        way, at = Way(), call
        for _ in range(MOST_UP):
            way.seen.add(at.facts.callee)
            way.hops = max(way.hops, at.facts.hops)
            parent = at.facts.parent_call_id
            above = await self._calls.read_call(parent) if parent is not None else None
            if above is None:
                break
            at = above
        return way

    def _denied(self, case: Case, kind: str, failure: Failure) -> Answer:
        """Nothing more to try: the caller hears what the device said."""
        code = "declined" if failure.sip_code == 603 else _DENIALS.get(kind, "not_registered")
        denial = deny(code, f"{failure.target} answered {failure.sip_code or 'nothing'}")
        attempt_id = case.request.attempt_id
        body = deny_answer(denial, attempt_id, server_of(case.facts, attempt_id))
        return Answer(body, "deny", denial.code)
