"""`GET calls`: the calls that live now, as far as the token may see; `POST calls/{id}/hangup`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from landline.chassis.auth import Caller
from landline.chassis.problems import Conflict, NotFound, responses
from landline.kernel.clock import iso
from landline.kernel.ids import CallId, NotACallId
from landline.kernel.money import decimal_string
from pydantic import BaseModel

from call_control.api.scope import of_client, sees
from call_control.api.services import services_of
from call_control.app.hang_up import HangUpRefused, hang_up
from call_control.domain.live_call import LiveCall

router = APIRouter(tags=["live calls"])
PAGE = 50


class LiveCallOut(BaseModel):
    """A live call. Money as decimal strings; what a client must not see of its operator is left out."""

    call_id: str
    state: str
    direction: str
    brand_id: str
    client_id: str
    device_id: str | None
    ddi_id: str | None
    caller: str
    callee: str
    billing_method: str
    admitted_at: str
    ringing_at: str | None
    answered_at: str | None
    held: str
    currency: str
    edge_id: str | None


class LiveCallPage(BaseModel):
    """A page of live calls, newest first."""

    items: list[LiveCallOut]
    next_cursor: str | None


@router.get("/calls", responses=responses(401, 403, 422))
async def list_calls(
    request: Request,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=500)] = PAGE,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
    brand_id: Annotated[str | None, Query(max_length=64)] = None,
    client_id: Annotated[str | None, Query(max_length=64)] = None,
) -> LiveCallPage:
    """Live calls in the token's scope, the most recently admitted first."""
    caller.require("calls", "r")
    services = services_of(request)
    directory = await services.facts.directory()
    brand_ids = [
        each for each in directory.brands if brand_id in (None, each) and caller.brand_id in (None, each)
    ]
    partitions = sorted({int(directory.brands[each]["partition"]) for each in brand_ids})
    calls = await services.store.live_calls(partitions, limit=MOST_LIVE)
    seen = [call for call in calls if sees(caller, call) and client_id in (None, call.facts.client_id)]
    seen = [call for call in seen if brand_id in (None, call.facts.brand_id)]
    seen.sort(key=_order, reverse=True)
    if cursor is not None:
        seen = [call for call in seen if _order(call) < cursor]
    page = seen[:limit]
    following = _order(page[-1]) if len(seen) > limit else None
    return LiveCallPage(items=[live_call_out(call) for call in page], next_cursor=following)


MOST_LIVE = 10_000


def _order(call: LiveCall) -> str:
    """UUIDv7 sorts by the moment of admission."""
    return CallId.parse(call.call_id).uuid


def live_call_out(call: LiveCall) -> LiveCallOut:
    """A live call as REST shows it."""
    facts = call.facts
    return LiveCallOut(
        call_id=call.call_id,
        state=call.state.value,
        direction=facts.direction,
        brand_id=facts.brand_id,
        client_id=facts.client_id,
        device_id=facts.device_id,
        ddi_id=facts.ddi_id,
        caller=facts.caller,
        callee=facts.callee,
        billing_method=facts.billing_method,
        admitted_at=iso(facts.admitted_at_ms),
        ringing_at=_iso(call.ringing_ms),
        answered_at=_iso(call.answered_ms),
        held=decimal_string(call.held_micros),
        currency=facts.currency,
        edge_id=facts.edge_id,
    )


def _iso(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else iso(moment_ms)


class UsageOut(BaseModel):
    """`clients/{id}/usage` (contracts section 3). `rejected`: calls refused in this UTC day."""

    client_id: str
    active_calls: int
    day: str
    day_spend: str
    day_held: str
    max_daily_usage: str | None
    available: str
    held: str
    settled: str
    unposted: str
    rejected: int
    currency: str


@router.get("/clients/{client_id}/usage", responses=responses(401, 403, 404))
async def usage(client_id: str, request: Request, caller: Caller) -> UsageOut:
    """A client's counters now, and those of its local day."""
    services = services_of(request)
    client, partition = await of_client(services, caller, client_id)
    found = await services.store.client_usage(partition, client_id, client.timezone, services.clock.now_ms())
    limit = client.terms.limit_micros
    return UsageOut(
        client_id=client_id,
        active_calls=found.active_calls,
        day=found.day,
        day_spend=decimal_string(found.day_spend_micros),
        day_held=decimal_string(found.day_held_micros),
        max_daily_usage=None if limit is None else decimal_string(limit),
        available=decimal_string(found.available_micros),
        held=decimal_string(found.held_micros),
        settled=decimal_string(found.settled_micros),
        unposted=decimal_string(found.unposted_micros),
        rejected=found.rejected,
        currency=client.currency,
    )


@router.post("/calls/{call_id}/hangup", status_code=202, responses=responses(401, 403, 404, 409))
async def hangup(call_id: str, request: Request, caller: Caller) -> Response:
    """Have the edge end a call: at its control address at once where it has one, else by its heartbeat."""
    caller.require("calls", "d")
    services = services_of(request)
    try:
        call: Any = await services.store.read_call(call_id)
    except NotACallId:
        call = None
    if call is None or not sees(caller, call):
        raise NotFound("no such call")
    try:
        await hang_up(services.store, call, services.clock.now_ms())
    except HangUpRefused as error:
        raise Conflict(error.code, str(error)) from None
    return Response(status_code=202)
