"""`POST simulate`: the decision on a call that is not made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from landline.chassis.auth import Principal, right
from landline.chassis.idempotency import READ_HEADERS, Answer, once_reading
from landline.chassis.problems import NotFound, responses
from landline.kernel.money import decimal_string
from msgspec import Meta

from call_control.api.scope import operator
from call_control.api.services import Services, services_of
from call_control.app.admit_call import server_of
from call_control.app.answers import Deny, deny_of
from call_control.app.counted_denials import first_denial
from call_control.app.plan_legs import Chain, PlanLegs
from call_control.app.simulate import Simulation, beside, refused, simulate, with_counters, with_legs
from call_control.domain.admission.case import Case, Leg
from call_control.domain.admission.pipeline import outcome_of
from call_control.domain.admission.request import CallRequest, UuidText
from call_control.domain.denials import Denial
from call_control.edge.reading import BodyReader, check_call_request, moment_ms

router = APIRouter(tags=["simulation"])
NO_ATTEMPT = "00000000-0000-0000-0000-000000000000"


class SimulateRequest(CallRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /calls`, and what to price: a duration, a moment (default: now)."""

    attempt_id: Annotated[UuidText, Meta(description="May be left out: nothing is admitted.")] = NO_ATTEMPT
    sip_call_id: Annotated[str, Meta(max_length=256, description="May be left out.")] = ""
    duration_s: Annotated[
        Annotated[int, Meta(ge=0, le=86_400)] | None,
        Meta(description="Seconds of conversation to price; null: no price is asked for."),
    ] = None
    at: Annotated[
        str | float | int | None,
        Meta(
            description="The moment to decide for: ISO 8601 with a zone, or epoch seconds with a "
            "fraction; null: now."
        ),
    ] = None


class Step(msgspec.Struct, frozen=True):
    """One line of the trace."""

    step: str
    outcome: str
    detail: str


class SimulateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decision, why, and the price (decimal string) of `duration_s`."""

    decision: str
    denial: Deny | None
    trace: list[Step]
    client_id: str | None
    device_id: str | None
    ddi_id: str | None
    caller: str | None
    callee: str | None
    withhold: bool | None
    call_class: str | None
    max_duration_s: int | None
    routes: tuple[Leg, ...]
    tariff: Any | None
    price: str | None
    currency: str | None


_reader = BodyReader(SimulateRequest)
_encode = msgspec.json.Encoder().encode


@router.post(
    "/simulate",
    responses=responses(401, 403, 404, 409, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SimulateRequest"}}},
        },
        **READ_HEADERS,
    },
)
async def simulate_call(
    request: Request, caller: Annotated[Principal, Depends(right("simulate", "r"))]
) -> Response:
    """Would this call be allowed, at what price, by which route, and why. Changes nothing."""
    operator(caller)
    asked: SimulateRequest = _reader.read(await request.body())
    return await once_reading(request, caller, lambda: _simulated(services_of(request), caller, asked))


async def _simulated(services: Services, caller: Principal, asked: SimulateRequest) -> Answer:
    asked = check_call_request(asked)
    at_ms = services.clock.now_ms() if asked.at is None else moment_ms(asked.at)
    facts = await services.gather(asked)
    if caller.brand_id is not None and (facts.brand is None or facts.brand.id != caller.brand_id):
        raise NotFound("no brand of yours has this SIP domain")
    case, refusal = simulate(asked, facts, at_ms)
    if isinstance(refusal, Denial):
        refusal = await first_denial(services.store, case, refusal, ())
    found = refused(case, refusal) if refusal is not None else await _counted(services, case, asked)
    if found.refusal is None and (facts.inbound or case.on_net):
        found = await _with_legs(services, found, asked)
    return Answer(200, msgspec.json.decode(_encode(_answer(found, asked))))


async def _with_legs(services: Services, found: Simulation, asked: SimulateRequest) -> Simulation:
    """What the call would lead to: the called side, a forward. Each needs room beside those before it."""
    chain = Chain([found.case])
    await PlanLegs(services.arrivals)(chain)
    cases, refusal = chain.cases, chain.refusal
    for number in range(1, len(cases) if refusal is None else 0):
        counted = (await _counted(services, cases[number], asked, cases[:number])).refusal
        if isinstance(counted, Denial):
            cases, refusal = cases[: number + 1], counted
            break
    return with_legs(found, cases, refusal)


async def _counted(
    services: Services, case: Case, asked: SimulateRequest, before: Sequence[Case] = ()
) -> Simulation:
    """By the counters as they would be once the calls `before` it, of the same dialog, were admitted."""
    client, partition = case.client, case.brand.partition
    usage = await services.store.client_usage(partition, client.id, client.timezone, case.now_ms)
    brand_active = await services.facts.brand_active(partition, case.brand.id)
    brand_active += sum(each.brand.id == case.brand.id for each in before)
    return with_counters(case, beside(usage, case, before), brand_active, asked.duration_s)


def _answer(found: Simulation, asked: SimulateRequest) -> SimulateAnswer:
    case, refusal = found.case, found.refusal
    facts = case.facts
    pinned = getattr(case, "pinned", None)
    price = found.price_micros
    ddi = getattr(case, "ddi", None)
    return SimulateAnswer(
        decision=outcome_of(refusal),
        denial=deny_of(refusal, asked.attempt_id, server_of(facts, asked.attempt_id))
        if isinstance(refusal, Denial)
        else None,
        trace=[Step(line.step, line.outcome, line.detail) for line in found.trace],
        client_id=facts.client.id if facts.client is not None else None,
        device_id=facts.device.id if facts.device is not None else None,
        ddi_id=ddi.id if ddi is not None else None,
        caller=getattr(case, "shown", None),
        callee=getattr(case, "callee", None),
        withhold=getattr(case, "withhold", None),
        call_class=getattr(case, "call_class", None),
        max_duration_s=found.max_duration_s,
        routes=getattr(case, "legs", ()) if refusal is None else (),
        tariff=msgspec.Raw(pinned.encode()) if pinned is not None else None,
        price=None if price is None else decimal_string(price),
        currency=facts.client.currency if facts.client is not None else None,
    )
