"""The order of the rules, and the one loop that runs them.

A step is a pair of functions: `judge` fills the case or refuses, `explain` says afterwards what it found.
A new rule is one line in STEPS. Explaining costs nothing until somebody asks (`trace`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from call_control.domain.admission import (
    arrival,
    barring,
    call_filter,
    caps,
    dialled,
    forwarded,
    identity,
    money,
    numbers,
    on_net,
    presentation,
    rate,
    routing,
    service_asked,
    source_filter,
    targets,
)
from call_control.domain.admission.case import Case, Challenge, ServiceAsked
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial
from call_control.domain.facts import Facts

Refusal = Denial | Challenge | ServiceAsked
"""Why a call is not a candidate; a service code is no refusal, but ends the decision too."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule: `judge` returns None to go on; `explain` is asked only of a case that passed it."""

    name: str
    judge: Callable[[Case], Refusal | None]
    explain: Callable[[Case], str]


STEPS: tuple[Step, ...] = (
    Step("identity", identity.judge, identity.explain),  # section 4.2: who is calling
    Step("dialled", dialled.judge, dialled.explain),  # 4.3: emergency and special numbers
    Step("enabled", identity.judge_enabled, identity.explain_enabled),  # 4.2, after 4.3: 4.12 skips it
    Step("source_filter", source_filter.judge, source_filter.explain),  # 4.4
    Step("service", service_asked.judge, service_asked.explain),  # 5: star codes, once the caller is let in
    Step("numbers", numbers.judge, numbers.explain),  # 4.5, and 4.3 again on the E.164 number
    Step("presentation", presentation.judge, presentation.explain),  # 4.6
    Step("barring", barring.judge, barring.explain),  # 4.7: what is barred, too risky or too dear
    Step("on_net", on_net.judge, on_net.explain),  # 4.8
    Step("routes", routing.judge, routing.explain),  # 4.9
    Step("rate", rate.judge, rate.explain),  # 4.10
    Step("caps", caps.judge, caps.explain),  # 4.13: refuses nothing, and 4.11 needs its figure
    Step("money", money.judge, money.explain),  # 4.11: what the script must find room for
)


INBOUND_STEPS: tuple[Step, ...] = (
    Step("provider", arrival.judge_provider, arrival.explain_provider),  # section 5: by its source address
    Step("number", arrival.judge_number, arrival.explain_number),
    Step("enabled", arrival.judge_enabled, arrival.explain_enabled),
    Step("caller", arrival.judge_caller, arrival.explain_caller),
    Step("spoofed", call_filter.judge_spoofed, call_filter.explain_spoofed),
    Step("filter", call_filter.judge_filter, call_filter.explain_filter),
    Step("target", targets.judge_target, targets.explain_target),
    Step("caps", caps.judge, caps.explain),
    Step("room", arrival.judge_room, arrival.explain_room),
)


_OF_FORWARDED = {
    "identity": Step("forward", forwarded.judge, forwarded.explain),
    "presentation": Step("presentation", forwarded.judge_presentation, forwarded.explain_presentation),
}
FORWARDED_STEPS: tuple[Step, ...] = tuple(
    # The source filter guards the devices of a client: a forwarded call comes from somebody else's. And no
    # forward, nor a 302, can dial a service code.
    _OF_FORWARDED.get(step.name, step)
    for step in STEPS
    if step.name not in ("source_filter", "service")
)


def steps_of(case: Case) -> tuple[Step, ...]:
    """The rules of the call's direction; a forwarded leg passes all of section 4 that can concern it."""
    if case.facts.forwarded is not None:
        return FORWARDED_STEPS
    return INBOUND_STEPS if case.facts.inbound else STEPS


@dataclass(frozen=True, slots=True)
class TraceLine:
    """What one step found: outcome is `continue`, `deny`, `challenge` or `service`."""

    step: str
    outcome: str
    detail: str


def judge(case: Case) -> Refusal | None:
    """Run the steps over the case; the first refusal wins and names its step."""
    for step in steps_of(case):
        refusal = step.judge(case)
        if refusal is not None:
            return replace(refusal, step=step.name) if isinstance(refusal, Denial) else refusal
    return None


def decide(request: CallRequest, facts: Facts, now_ms: int, random: Random) -> Case | Refusal:
    """The decision on a call, but for counters: a candidate (the filled case) or a refusal."""
    case = Case(request, facts, now_ms, random)
    return judge(case) or case


def trace(case: Case, refusal: Refusal | None = None) -> list[TraceLine]:
    """Every step's outcome in order, up to the one that refused; the script's denials come after all."""
    stopped_at = _stopped_at(refusal)
    lines = []
    for step in steps_of(case):
        if step.name == stopped_at:
            lines.append(TraceLine(step.name, outcome_of(refusal), _reason_of(refusal)))
            break
        lines.append(TraceLine(step.name, "continue", step.explain(case)))
    if stopped_at == "":
        lines.append(TraceLine("counters", "deny", _reason_of(refusal)))
    return lines


def outcome_of(refusal: Refusal | None) -> str:
    """allow | deny | challenge | service."""
    if refusal is None:
        return "allow"
    if isinstance(refusal, Challenge):
        return "challenge"
    return "service" if isinstance(refusal, ServiceAsked) else "deny"


def _stopped_at(refusal: Refusal | None) -> str | None:
    if isinstance(refusal, Denial):
        return refusal.step
    if isinstance(refusal, ServiceAsked):
        return "service"
    return STEPS[0].name if isinstance(refusal, Challenge) else None


def _reason_of(refusal: Refusal | None) -> str:
    if isinstance(refusal, Denial):
        return f"{refusal.code}: {refusal.detail}"
    return refusal.detail if refusal is not None else ""
