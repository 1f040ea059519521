"""Which calls a call leads to: the called side of an on-net call, the leg of a forward, and so on.

Everything is decided before anything is admitted: a chain of cases, the last of which says where the SIP
dialog goes (`legs` of a carrier, or `targets`), or why it goes nowhere.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from msgspec.structs import replace

from call_control.app.gather_arrival import Arrived
from call_control.domain.admission import Case, judge
from call_control.domain.admission.arrival import ANONYMOUS
from call_control.domain.admission.request import CallRequest, Diversion
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import Facts, nobody
from call_control.domain.forwarding import REASONS, Diverted, Forwarded


class FindsNumbers(Protocol):
    """`app.gather_arrival.GatherArrival`, as far as needed here."""

    async def on_platform(self, number: str) -> Arrived | None: ...


@dataclass(slots=True)
class Way:
    """What a chain has come through: numbers that must not be met again, forwards taken."""

    seen: set[str] = field(default_factory=set)
    hops: int = 0


@dataclass(slots=True)
class Chain:
    """Cases in the order of their calls; `refusal` is of the last one."""

    cases: list[Case]
    refusal: Denial | None = None
    way: Way = field(default_factory=Way)

    @property
    def last(self) -> Case:
        """Where it ends."""
        return self.cases[-1]


class PlanLegs:
    """Share one per process."""

    def __init__(self, numbers: FindsNumbers) -> None:
        self._numbers = numbers
        self._random = Random()

    async def __call__(self, chain: Chain) -> None:
        """Add what the last case leads to, until a carrier, a target or a refusal ends it.

        Raises redis errors.
        """
        while chain.refusal is None:
            last = chain.last
            if last.facts.inbound:
                chain.way.seen.add(last.callee)
                if last.diverted is None:
                    return
                self._forward(chain, last, last.diverted)
            elif last.on_net:
                await self._arrive(chain, last)
            else:
                return

    def _forward(self, chain: Chain, last: Case, diverted: Diverted) -> None:
        chain.way.hops += 1
        request = forwarded_request(last, diverted, len(chain.cases))
        facts = replace(
            last.facts,
            inbound=False,
            arrival=None,
            forwarded=forwarded_by(last, diverted, chain.way.hops),
        )
        case = Case(request, facts, last.now_ms, self._random)
        refusal = judge(case)
        assert refusal is None or isinstance(refusal, Denial)
        if refusal is None and case.callee in chain.way.seen:
            loop = deny("forward_loop", f"{case.callee} was called by this call before")
            refusal = dataclasses.replace(loop, step="forward")
        chain.cases.append(case)
        chain.refusal = refusal

    async def _arrive(self, chain: Chain, last: Case) -> None:
        """The called side; or, where the number turns out not to be ours, the way out after all."""
        found = await self._numbers.on_platform(last.callee)
        if found is None:
            again = Case(last.request, replace(last.facts, perhaps_ours=nobody), last.now_ms, self._random)
            refusal = judge(again)
            assert refusal is None or isinstance(refusal, Denial)
            chain.cases[-1], chain.refusal = again, refusal
            return
        request = arriving_request(last, len(chain.cases))
        facts = Facts(
            domain=None,
            brand=found.brand,
            client=found.client,
            device=found.device,
            from_names_other=False,
            rates=last.facts.rates,
            country_of=last.facts.country_of,
            lease_s=last.facts.lease_s,
            inbound=True,
            arrival=found.arrival,
            perhaps_ours=last.facts.perhaps_ours,
        )
        case = Case(request, facts, last.now_ms, self._random)
        refusal = judge(case)
        assert refusal is None or isinstance(refusal, Denial)
        chain.cases.append(case)
        chain.refusal = refusal


def forwarded_by(last: Case, diverted: Diverted, hops: int) -> Forwarded:
    """How the leg comes about: by which number, for whom."""
    assert last.ddi is not None
    return Forwarded(last.ddi.id, last.ddi.number, last.caller, last.withhold, diverted.reason, hops)


def forwarded_request(last: Case, diverted: Diverted, number: int) -> CallRequest:
    """What a forwarding number asks for, as if its edge had asked: an attempt of its own, no one's digest."""
    return replace(
        last.request,
        attempt_id=f"{base_of(last.request.attempt_id)}/{number}",
        direction="outbound",
        request_user=diverted.number,
        auth_user=None,
        auth_realm=None,
        from_display=None,
        asserted_identity=None,
        preferred_identity=None,
        remote_party_id=None,
        diversion=None,
    )


def arriving_request(last: Case, number: int) -> CallRequest:
    """What the called side is asked: the caller as the outbound side shows it."""
    way = last.facts.forwarded
    shown = last.shown if last.shown != ANONYMOUS else None
    diversion = [Diversion(number=way.ddi, reason=REASONS.get(way.reason), counter=way.hops)] if way else None
    return replace(
        last.request,
        attempt_id=f"{base_of(last.request.attempt_id)}/{number}",
        direction="inbound",
        request_user=last.callee,
        auth_user=None,
        auth_realm=None,
        from_user=shown or ANONYMOUS,
        from_domain=None,
        from_display=None,
        asserted_identity=shown,
        preferred_identity=None,
        remote_party_id=None,
        diversion=diversion,
        privacy="id" if last.withhold else None,
    )


def base_of(attempt_id: str) -> str:
    """The attempt that the edge knows, of the attempts of a chain."""
    return attempt_id.partition("/")[0]
