"""`GET rejections`: every call that was refused, and why (promise 3). Clients see their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from landline.chassis.auth import Principal
from landline.chassis.resources import ApiModel, Registry, Resource, Rights, Row, resource_router

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

    brand_id: UUID | None
    client_id: UUID | None
    reason: str
    sip_code: int
    rule: str
    limit: str | None
    value: str | None
    detail: str
    remedy: str
    direction: str
    source_ip: str | None
    device_id: UUID | None
    caller: str | None
    withheld_caller: str | None
    callee: str | None
    attempt_id: str
    trace: list[dict[str, Any]]


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
