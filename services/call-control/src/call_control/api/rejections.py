"""`GET rejections`: every call that was refused, and why (promise 3). Clients see their own."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from landline.chassis.auth import Principal
from landline.chassis.resources import ApiModel, Registry, Resource, Rights, Row, resource_router
from pydantic import Field

from call_control.adapters.tables import REJECTIONS
from call_control.api.details import find_out, hidden_here
from call_control.domain.rejection import as_client_sees


class NothingToWrite(ApiModel):
    """Rejections are written by the admission alone."""


class RejectionRead(ApiModel):
    """A refused call. `rule`: the step that refused; `limit` and `value`: its figures where it has some;
    `remedy`: what to do about it; `trace`: every step's outcome. `caller` of who withholds: anonymous.

    A client's people are told the details of the refusing step only: the others name carriers and plans.
    Those who see no billing details are told no figures of money.
    """

    brand_id: Annotated[UUID | None, Field(description="UUID; null when no brand was recognised.")]
    client_id: Annotated[UUID | None, Field(description="UUID; null when no client was recognised.")]
    reason: Annotated[str, Field(description="Machine code, such as `max_calls_reached`.")]
    sip_code: Annotated[int, Field(description="Status that the caller got.")]
    rule: Annotated[str, Field(description="The step that refused; `counters` for limits and money.")]
    limit: Annotated[
        str | None,
        Field(description="The limit that was met; null where the reason has none, or it may not be seen."),
    ]
    value: Annotated[str | None, Field(description="What met it; null as `limit`.")]
    detail: Annotated[str, Field(description="The particulars in words.")]
    remedy: Annotated[str, Field(description="What to do about it.")]
    direction: Annotated[str, Field(description="`outbound` or `inbound`.")]
    source_ip: Annotated[
        str | None, Field(description="Address that the call came from; null when not told.")
    ]
    device_id: Annotated[UUID | None, Field(description="UUID; null when no device was recognised.")]
    caller: Annotated[
        str | None, Field(description="Number of the caller; `anonymous` when withheld, null when not known.")
    ]
    withheld_caller: Annotated[
        str | None, Field(description="Number of a caller who withholds, to operators only; else null.")
    ]
    callee: Annotated[str | None, Field(description="Number called; null when it was none.")]
    attempt_id: Annotated[str, Field(description="The edge's id of the attempt.")]
    trace: Annotated[
        list[dict[str, Any]], Field(description="Each step's `step`, `outcome` and `detail`, in order.")
    ]


def _shown_to(row: Row, principal: Principal) -> Row:
    """A refusal tells its figures, which may be money. Needs `find_out` among the dependencies."""
    return as_client_sees(row, hidden_here()) if principal.level == "client" else row


RESOURCE = Resource(
    name="rejections",
    entity="rejection",
    table=REJECTIONS,
    fields=NothingToWrite,
    read_only=RejectionRead,
    tenancy="client",
    client_column="client_id",
    rights=Rights("r", "r", "r"),
    hidden_from_client=frozenset({"withheld_caller"}),
    shown_to=_shown_to,
    filters=(
        "reason",
        "sip_code",
        "rule",
        "direction",
        "source_ip",
        "device_id",
        "caller",
        "callee",
        "attempt_id",
    ),
    default_sort="-created_at",
    about=(
        "Calls that were refused, of the last 30 days. At most 1,000 a day of each client (or source, where "
        "no client was found) are kept; the others are only counted: `rejected` of `clients/{id}/usage`."
    ),
)
router = APIRouter(dependencies=[Depends(find_out)])
router.include_router(resource_router(Registry("call-control", (RESOURCE,)), RESOURCE))
