"""`GET calls`: the calls that live now, as far as the token may see; `GET clients/{id}/usage`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from landline.chassis.auth import Caller, Principal
from landline.chassis.csv_text import csv_line, wants_csv
from landline.chassis.problems import responses
from landline.chassis.resources.parameters import MOST_ROWS
from landline.kernel.clock import iso
from landline.kernel.money import decimal_string
from pydantic import BaseModel, Field

from call_control.api.details import prices_hidden
from call_control.api.filters import CallQuery, described, parse_query
from call_control.api.scope import of_client, sees
from call_control.api.services import Services, services_of
from call_control.app.list_calls import CallPage, cursor_text, list_calls
from call_control.domain.live_call import LiveCall
from call_control.domain.live_event import shown_caller

router = APIRouter(tags=["live calls"])
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class LiveCallOut(BaseModel):
    """A live call. Money as decimal strings; `held` is told to operators only, and a caller who withholds is
    anonymous to the called client."""

    call_id: Annotated[str, Field(description="Names the call everywhere.")]
    state: Annotated[str, Field(description="`admitted`, `ringing` or `answered`.")]
    direction: Annotated[str, Field(description="`outbound` or `inbound`.")]
    brand_id: Annotated[str, Field(description="UUID of the brand.")]
    client_id: Annotated[str, Field(description="UUID of the client whose call it is.")]
    device_id: Annotated[
        str | None, Field(description="UUID of the calling or called device; null where there is none.")
    ]
    ddi_id: Annotated[
        str | None, Field(description="UUID of the number shown or called; null where there is none.")
    ]
    caller: Annotated[str, Field(description="Number shown; `anonymous` to the called client when withheld.")]
    callee: Annotated[str, Field(description="Number called.")]
    billing_method: Annotated[str, Field(description="`prepaid`, `pseudoprepaid`, `postpaid` or `none`.")]
    admitted_at: Annotated[str, Field(description="ISO UTC.")]
    ringing_at: Annotated[str | None, Field(description="ISO UTC; null while it does not ring.")]
    answered_at: Annotated[str | None, Field(description="ISO UTC; null while it is not answered.")]
    held: Annotated[
        str | None, Field(description="Money held for it now, a decimal string; null to a client's people.")
    ]
    currency: Annotated[str, Field(description="ISO 4217, of `held`.")]
    edge_id: Annotated[str | None, Field(description="UUID of the edge that has it; null when not known.")]


class LiveCallPage(BaseModel):
    """A page of live calls, newest first. A page may be short and still have a `next_cursor`."""

    items: Annotated[list[LiveCallOut], Field(description="Live calls, the most recently admitted first.")]
    next_cursor: Annotated[str | None, Field(description="`cursor` of the next page; null after the last.")]
    total: Annotated[int | None, Field(description="How many the counters know; only with `count=true`.")] = (
        None
    )


@router.get(
    "/calls",
    name="list calls",
    response_model=LiveCallPage,
    responses={**_CSV, **responses(401, 403, 422)},
    openapi_extra={"parameters": described()},
)
async def get_calls(request: Request, caller: Caller) -> Response:
    """Live calls in the token's scope, the most recently admitted first."""
    caller.require("calls", "r")
    services, query = services_of(request), parse_query(request.query_params.multi_items())
    partitions = await _partitions(services, caller, query)
    if wants_csv(request.headers.get("accept", "")):
        named = {"Content-Disposition": 'attachment; filename="calls.csv"'}
        lines = _csv(services, caller, query, partitions)
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=named)
    page = await _page(services, caller, query, partitions)
    body = LiveCallPage(
        items=[live_call_out(call, caller) for call in page.calls],
        next_cursor=None if page.following is None else cursor_text(page.following),
    )
    if query.count:
        body.total = await _total(services, caller, query, partitions)
    return JSONResponse(body.model_dump(exclude={"total"} if body.total is None else None))


async def _partitions(services: Services, caller: Principal, query: CallQuery) -> list[int]:
    """Where calls of the scope can be; a client's are in its brand's."""
    brands = (await services.facts.directory()).brands
    brand_id, client_id = query.equal.get("brand_id"), query.equal.get("client_id")
    if client_id is not None:
        client = await services.facts.find_client(client_id)
        if client is None:
            return []
        brand_id = brand_id or client.brand_id
    asked = [each for each in brands if brand_id in (None, each) and caller.brand_id in (None, each)]
    return sorted({int(brands[each]["partition"]) for each in asked})


async def _page(services: Services, caller: Principal, query: CallQuery, partitions: list[int]) -> CallPage:
    def wanted(call: LiveCall) -> bool:
        return sees(caller, call) and query.wants(call, shown_caller(call.facts, caller.level == "client"))

    return await list_calls(services.store, partitions, wanted, query.limit, query.after, query.since_ms)


async def _total(services: Services, caller: Principal, query: CallQuery, partitions: list[int]) -> int:
    """From the counters: a client's, a brand's, or all there is."""
    client_id = query.equal.get("client_id") or caller.client_id
    brand_id = query.equal.get("brand_id") or caller.brand_id
    if not partitions:
        return 0
    if client_id is not None:
        client = await services.facts.find_client(client_id)
        known = (
            client is not None
            and brand_id in (None, client.brand_id)
            and caller.client_id in (None, client_id)
        )
        if client is None or not known:
            return 0
        now_ms = services.clock.now_ms()
        usage = await services.store.client_usage(partitions[0], client_id, client.timezone, now_ms)
        return usage.active_calls
    if brand_id is not None:
        return await services.facts.brand_active(partitions[0], brand_id)
    return await services.store.count_live(partitions)


async def _csv(
    services: Services, caller: Principal, query: CallQuery, partitions: list[int]
) -> AsyncIterator[str]:
    """The whole filtered list, page by page."""
    names = list(LiveCallOut.model_fields)
    yield csv_line(names)
    query = replace(query, limit=MOST_ROWS)
    while True:
        page = await _page(services, caller, query, partitions)
        rows = [live_call_out(call, caller).model_dump() for call in page.calls]
        yield "".join(csv_line([row[name] for name in names]) for row in rows)
        if page.following is None:
            return
        query = replace(query, after=page.following)


def live_call_out(call: LiveCall, caller: Principal) -> LiveCallOut:
    """A live call as REST shows it to this caller."""
    facts, as_client = call.facts, caller.level == "client"
    return LiveCallOut(
        call_id=call.call_id,
        state=call.state.value,
        direction=facts.direction,
        brand_id=facts.brand_id,
        client_id=facts.client_id,
        device_id=facts.device_id,
        ddi_id=facts.ddi_id,
        caller=shown_caller(facts, as_client),
        callee=facts.callee,
        billing_method=facts.billing_method,
        admitted_at=iso(facts.admitted_at_ms),
        ringing_at=_iso(call.ringing_ms),
        answered_at=_iso(call.answered_ms),
        held=None if as_client else decimal_string(call.held_micros),
        currency=facts.currency,
        edge_id=facts.edge_id,
    )


def _iso(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else iso(moment_ms)


class UsageOut(BaseModel):
    """`clients/{id}/usage` (contracts section 3). `rejected`: calls refused in this UTC day.

    What calls cost and what is left of the money: null to a client's people who see no billing details.
    """

    client_id: Annotated[str, Field(description="UUID of the client.")]
    active_calls: Annotated[int, Field(description="Calls now, ringing ones too.")]
    day: Annotated[str, Field(description="The client's local day, as `YYYY-MM-DD`.")]
    day_spend: Annotated[str | None, Field(description="Charges of ended calls of the day.")]
    day_held: Annotated[str | None, Field(description="Holds of live calls that count on the day.")]
    max_daily_usage: Annotated[str | None, Field(description="The limit in force; null: none.")]
    available: Annotated[str | None, Field(description="What new calls may hold.")]
    held: Annotated[str | None, Field(description="What live calls hold.")]
    settled: Annotated[str | None, Field(description="The balance as billing posted it last.")]
    unposted: Annotated[
        str | None, Field(description="Charges of ended calls that billing has not posted yet.")
    ]
    rejected: Annotated[int, Field(description="Calls refused in this UTC day.")]
    currency: Annotated[str, Field(description="ISO 4217, of all amounts, which are decimal strings.")]


@router.get(
    "/clients/{client_id}/usage", summary="Get a client's usage now", responses=responses(401, 403, 404)
)
async def usage(client_id: str, request: Request, caller: Caller) -> UsageOut:
    """A client's counters now, and those of its local day."""
    services = services_of(request)
    client, partition = await of_client(services, caller, client_id)
    found = await services.store.client_usage(partition, client_id, client.timezone, services.clock.now_ms())
    limit, hidden = client.terms.limit_micros, await prices_hidden(request, caller)

    def money(micros: int) -> str | None:
        return None if hidden else decimal_string(micros)

    return UsageOut(
        client_id=client_id,
        active_calls=found.active_calls,
        day=found.day,
        day_spend=money(found.day_spend_micros),
        day_held=money(found.day_held_micros),
        max_daily_usage=None if limit is None else decimal_string(limit),
        available=money(found.available_micros),
        held=money(found.held_micros),
        settled=money(found.settled_micros),
        unposted=money(found.unposted_micros),
        rejected=found.rejected,
        currency=client.currency,
    )
