"""Would this call be allowed now, at what price, by which route, and why: the same pipeline, dry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from landline.rating.errors import NoRate
from landline.rating.price import price_micros

from call_control.app.admit_call import line_limit
from call_control.app.counted_denials import denial_of, speed_of
from call_control.domain.admission import Case, judge, trace
from call_control.domain.admission.pipeline import Refusal, TraceLine
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial
from call_control.domain.facts import Facts
from call_control.domain.lease import outer_bound_s
from call_control.domain.replies import AdmitReply, ClientUsage, Status


@dataclass(frozen=True, slots=True)
class Simulation:
    """The case as decided, what refused it if anything did, and the price (micros) of the duration asked."""

    case: Case
    refusal: Refusal | None
    trace: list[TraceLine]
    max_duration_s: int | None = None
    price_micros: int | None = None


def simulate(request: CallRequest, facts: Facts, at_ms: int) -> tuple[Case, Refusal | None]:
    """The pipeline's part. Chance is fixed, so that asking twice answers twice the same."""
    case = Case(request, facts, at_ms, Random(0))
    return case, judge(case)


def refused(case: Case, refusal: Refusal) -> Simulation:
    """A call that the pipeline refuses."""
    return Simulation(case, refusal, trace(case, refusal))


def with_counters(case: Case, usage: ClientUsage, brand_active: int, duration_s: int | None) -> Simulation:
    """What the admission script would say of a candidate, from counters that were only read."""
    free, room = _free(case, usage), _room(case, usage)
    reply = _counted(case, usage, brand_active, free, room)
    if reply is not None:
        denial = denial_of(reply, case.hold.floor_micros, case.facts.inbound)
        return Simulation(case, denial, trace(case, denial))
    tariff = case.priced.tariff if case.priced is not None else None
    bounds = [bound for bound in (free, room) if bound is not None]
    longest = outer_bound_s(tariff, case.now_ms, min(bounds, default=None), case.cap_s)
    lines = [*trace(case), TraceLine("counters", "continue", _room_words(usage))]
    return Simulation(case, None, lines, longest, _price(case, duration_s))


def beside(usage: ClientUsage, case: Case, before: Sequence[Case]) -> ClientUsage:
    """The client's counters with the calls of its own that come before this one in the dialog."""
    own = [each for each in before if each.client.id == case.client.id]
    held = sum(each.hold.hold_micros for each in own)
    return replace(
        usage,
        active_calls=usage.active_calls + len(own),
        held_micros=usage.held_micros + held,
        day_held_micros=usage.day_held_micros + held,
    )


def with_legs(found: Simulation, cases: Sequence[Case], refusal: Denial | None) -> Simulation:
    """The first call's simulation with what its legs would find; `refusal`: of the last one."""
    first = cases[0]
    lines = list(found.trace)
    if first is not found.case:  # no number of ours after all: judged again, and out by a carrier
        lines = trace(first, refusal if len(cases) == 1 else None)
    for number, case in enumerate(cases[1:], 1):
        mine = refusal if case is cases[-1] else None
        lines += [
            TraceLine(f"leg {number}: {line.step}", line.outcome, line.detail) for line in trace(case, mine)
        ]
    return replace(found, case=first, refusal=refusal, trace=lines)


def _counted(
    case: Case, usage: ClientUsage, brand_active: int, free: int | None, room: int | None
) -> AdmitReply | None:
    """The scripts' refusal, in their order: speed, hour, brand, client, device, day, balance."""
    floor = case.hold.floor_micros
    fast = speed_of(case, usage, floor, case.terms.hour_limit_micros)
    if fast is not None:
        return fast
    if 0 < case.brand_max_calls <= brand_active:
        return AdmitReply(Status.MAX_CALLS_BRAND, limit=case.brand_max_calls, active=brand_active)
    if 0 < case.client_max_calls <= usage.active_calls:
        return AdmitReply(Status.MAX_CALLS_CLIENT, limit=case.client_max_calls, active=usage.active_calls)
    lines = line_limit(case)
    if lines is not None and 0 < lines <= (taken := usage.device_lines.get(case.device.id, 0)):
        return AdmitReply(Status.MAX_CALLS_DEVICE, limit=lines, active=taken)
    if room is not None and floor > room:
        spent, held = usage.day_spend_micros, usage.day_held_micros
        limit = case.terms.limit_micros or 0
        return AdmitReply(Status.DAILY_LIMIT, limit=limit, spend_micros=spent, held_micros=held)
    if free is not None and floor > free:
        return AdmitReply(Status.NO_CREDIT, available_micros=free)
    return None


def _free(case: Case, usage: ClientUsage) -> int | None:
    """What the balance can give; None is unlimited."""
    terms = case.terms
    if terms.rule == "none" or (terms.rule == "postpaid" and terms.credit_micros is None):
        return None
    return usage.available_micros + (terms.credit_micros or 0)


def _room(case: Case, usage: ClientUsage) -> int | None:
    limit = case.terms.limit_micros
    return None if limit is None else limit - usage.day_spend_micros - usage.day_held_micros


def _room_words(usage: ClientUsage) -> str:
    return f"client has {usage.active_calls} live calls"


def _price(case: Case, duration_s: int | None) -> int | None:
    if case.priced is None or duration_s is None:
        return None
    try:
        return price_micros(case.priced.tariff, case.now_ms / 1000, duration_s)
    except NoRate:  # the plan does not cover so long a call
        return None
