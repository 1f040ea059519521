"""Call records: list, one, CSV. Clients see no cost and no carrier; without billing details no price."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from landline.chassis.auth import Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import NotFound, responses
from landline.chassis.resources import ApiModel, Registry, Rights, allowed, resource_router
from landline.chassis.resources.scope import in_scope
from landline.chassis.resources.wire import read_schema, to_wire
from landline.chassis.resources.writing import etag
from landline.kernel.ids import CallId, NotACallId
from pydantic import create_model
from sqlalchemy import ColumnElement, select

from billing.adapters.tables import CALL_RECORDS
from billing.api.details import DetailsOf, PricedResource
from billing.domain.call_record import uuid_time


class NothingToWrite(ApiModel):
    """Records are written when calls end."""


class _CallRecord(ApiModel):
    """A call that has ended. `price` null: unpriced. `spend_by_day`: local date -> micros.

    `caller` of who withholds: anonymous; `withheld_caller` is for operators. `parent_call_id`: the call of
    the same dialog that this one went on from, a forward or the called side of an on-net call.
    """

    id: str
    direction: str
    endpoint_type: str
    caller: str
    callee: str
    billing_method: str
    currency: str
    timezone: str
    started_at: datetime
    admitted_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    duration_s: int
    price: str | None
    price_check: str
    unbilled_s: int
    unbilled_amount: str
    spend_by_day: dict[str, int]
    cost: str | None
    rating_plan_id: UUID | None
    rating_profile_id: UUID | None
    rate_deck_id: UUID | None
    rate_deck_version: int | None
    prefix: str | None
    destination: str | None
    device_id: UUID | None
    ddi_id: UUID | None
    carrier_id: UUID | None
    server_id: UUID | None
    attempts: list[dict[str, Any]]
    cause: str
    ended_by: str
    sip_code: int | None
    sip_call_id: str | None
    edge_id: UUID | None
    outage: bool
    withheld_caller: str | None
    parent_call_id: str | None
    on_net: bool
    corrected: bool
    invoice_id: UUID | None


_CLASS: Any = {"class": (str, ...)}  # a word that Python keeps for itself
CallRecordRead: type[ApiModel] = create_model("CallRecordRead", __base__=_CallRecord, **_CLASS)

PRICES = frozenset({"price", "unbilled_amount", "spend_by_day", "rating_plan_id", "rating_profile_id"})
OPERATORS_ONLY = frozenset(
    {
        "cost",
        "carrier_id",
        "server_id",
        "attempts",
        "edge_id",
        "price_check",
        "rate_deck_id",
        "rate_deck_version",
        "prefix",
        "sip_call_id",
        "withheld_caller",
    }
)

RECORD = PricedResource(
    name="call-records",
    entity="call_record",
    table=CALL_RECORDS,
    fields=NothingToWrite,
    read_only=CallRecordRead,
    tenancy="client",
    client_column="client_id",
    rights=Rights("r", "r", "r"),
    hidden_from_client=OPERATORS_ONLY,
    priced=PRICES,
    filters=(
        "direction",
        "endpoint_type",
        "caller",
        "callee",
        "class",
        "billing_method",
        "currency",
        "started_at",
        "ended_at",
        "duration_s",
        "price",
        "price_check",
        "unbilled_s",
        "prefix",
        "destination",
        "device_id",
        "ddi_id",
        "carrier_id",
        "server_id",
        "cause",
        "ended_by",
        "sip_code",
        "sip_call_id",
        "outage",
        "withheld_caller",
        "parent_call_id",
        "on_net",
        "corrected",
        "invoice_id",
    ),
    sorts=("started_at", "duration_s", "price"),
    default_sort="-started_at",
    about="Every call that was admitted, answered or not, once it has ended.",
)


def records_router(registry: Registry) -> APIRouter:
    """The records' routes; whoever may not see prices gets none."""
    kit = resource_router(registry, RECORD)
    kit.routes = [route for route in kit.routes if getattr(route, "path", "") == "/call-records"]
    router = APIRouter(dependencies=[Depends(DetailsOf())])
    router.include_router(kit)
    router.include_router(one)
    return router


one = APIRouter(tags=["call-records"])


@one.get(
    "/call-records/{call_id}",
    name="get call_record",
    response_model=read_schema(RECORD),
    responses=responses(401, 403, 404),
)
async def get_record(
    call_id: str, request: Request, caller: Annotated[Principal, allowed(RECORD, "r")]
) -> Response:
    """One call record, by the call's id."""
    db: Database = request.app.state.db
    async with db.transaction(Scope.of(caller)) as tx:
        found = await tx.execute(select(CALL_RECORDS).where(*_is(call_id), *in_scope(RECORD, caller)))
        row = found.mappings().first()
    if row is None:
        raise NotFound("no such call record")
    return JSONResponse(to_wire(RECORD, dict(row), caller), headers={"ETag": etag(dict(row))})


def _is(call_id: str) -> list[ColumnElement[bool]]:
    """The record's key; the time inside the id leads to its partition."""
    try:
        moment = uuid_time(CallId.parse(call_id).uuid)
    except NotACallId:
        raise NotFound("no such call record") from None
    return [CALL_RECORDS.c.id == call_id, CALL_RECORDS.c.id_time == moment]
