"""`GET rejections`: every call that was refused, and why (promise 3). Clients see their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from landline.chassis.resources import ApiModel, Registry, Resource, Rights, resource_router

from call_control.adapters.tables import REJECTIONS


class NothingToWrite(ApiModel):
    """Rejections are written by the admission alone."""


class RejectionRead(ApiModel):
    """A refused call. `rule`: the step that refused; `limit` and `value`: its figures where it has some;
    `remedy`: what to do about it; `trace`: every step's outcome. `caller` of who withholds: anonymous."""

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
router = resource_router(Registry("call-control", (RESOURCE,)), RESOURCE)
