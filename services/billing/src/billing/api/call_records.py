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
from pydantic import Field, create_model
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

    id: str = Field(description="the call id that the admission answered: `<partition>-<uuidv7>`")
    direction: str = Field(description="outbound (a client calls) or inbound (a client is called)")
    endpoint_type: str = Field(description="what it ends at: device, fax or voicemail")
    caller: str = Field(description="who called, in E.164; anonymous when the number is withheld")
    callee: str = Field(description="who was called, in E.164")
    billing_method: str = Field(
        description="the client's at admission: postpaid, prepaid, pseudoprepaid or none"
    )
    currency: str = Field(description="ISO 4217; of price, unbilled_amount and cost")
    timezone: str = Field(description="the client's at admission (IANA); days of spend_by_day are its days")
    started_at: datetime = Field(
        description="when it was answered; of an unanswered call, when it was admitted"
    )
    admitted_at: datetime = Field(description="when call-control allowed it")
    answered_at: datetime | None = Field(description="null: nobody answered")
    ended_at: datetime = Field(description="when it was over")
    duration_s: int = Field(
        description="billed seconds: whole ones from the answer to the end, at least 1; 0 unanswered"
    )
    price: str | None = Field(description="what the ledger was charged; null: no tariff applied")
    price_check: str = Field(
        description="the charge against the pinned tariff: equal, differs, unreadable, unpriced, or capped"
        " (an overrun was not billed)"
    )
    unbilled_s: int = Field(description="seconds talked beyond what could be held: never charged")
    unbilled_amount: str = Field(description="what those seconds would have cost")
    spend_by_day: dict[str, int] = Field(
        description="the price by the client's local days, in micros (1,000,000 = 1.00)"
    )
    cost: str | None = Field(description="what it costs the brand: 0 of a call on the net; null: not known")
    rating_plan_id: UUID | None = Field(description="the plan that priced it")
    rating_profile_id: UUID | None = Field(description="the profile that gave the client this plan")
    rate_deck_id: UUID | None = Field(description="the deck with the price")
    rate_deck_version: int | None = Field(description="the deck's version, pinned at admission")
    prefix: str | None = Field(description="the prefix of the deck that matched")
    destination: str | None = Field(description="that prefix's name")
    device_id: UUID | None = Field(description="the client's device that called or answered")
    ddi_id: UUID | None = Field(description="the number shown (outbound) or called (inbound)")
    carrier_id: UUID | None = Field(description="the carrier that took it")
    server_id: UUID | None = Field(description="that carrier's server")
    attempts: list[dict[str, Any]] = Field(description="servers tried, in order, with the SIP code of each")
    cause: str = Field(
        description="why it ended, such as normal, busy, no_answer, cancelled, failed, lost, credit, hung_up"
    )
    ended_by: str = Field(description="who ended it: caller, callee, system or edge")
    sip_code: int | None = Field(description="the final SIP code, where the edge told one")
    sip_call_id: str | None = Field(description="the Call-ID header at the edge")
    edge_id: UUID | None = Field(description="the SIP edge that carried it")
    outage: bool = Field(description="decided by the outage policy while counters were away")
    withheld_caller: str | None = Field(description="the number behind an anonymous caller")
    parent_call_id: str | None = Field(description="the call of the same dialog that this one went on from")
    on_net: bool = Field(description="between two devices of the platform: no carrier")
    corrected: bool = Field(description="closed as lost first, then reported after all")
    invoice_id: UUID | None = Field(description="the invoice that it stands on, once it does")


# A word that Python keeps for itself.
_CLASS: Any = {"class": (str, Field(description="normal, emergency or special"))}
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
