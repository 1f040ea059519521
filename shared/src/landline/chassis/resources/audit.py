"""The audit log: who changed what, for whom, from where and why; written with the change or not at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Column, DateTime, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.logging import MASK
from landline.chassis.resources.declaration import Actor, Resource, Rights
from landline.chassis.resources.field_types import ApiModel
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7

AUDIT_LOG = Table(
    "audit_log",
    MetaData(),
    Column("id", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("request_id", Text, nullable=False),
    Column("admin_id", Text),
    Column("username", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("impersonator_id", Text),
    Column("brand_id", Uuid),
    Column("client_id", Uuid),
    Column("resource", Text, nullable=False),
    Column("entity_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("changes", JSONB, nullable=False),
    Column("reason", Text),
    Column("address", Text),
)

Changes = dict[str, dict[str, Any]]


async def record(
    tx: AsyncConnection,
    actor: Actor,
    *,
    resource: str,
    entity_id: str,
    action: str,
    changes: Changes,
    brand_id: UUID | None = None,
    client_id: UUID | None = None,
) -> None:
    """Write one entry in the transaction of the change. `changes`: field -> {"before", "after"} as JSON."""
    who = actor.principal
    entry = {
        "id": uuid7(),
        "created_at": utc(actor.now_ms),
        "request_id": actor.request_id,
        "admin_id": who.admin_id or who.key_id,
        "username": who.username,
        "level": who.level,
        "impersonator_id": who.impersonator_id,
        "brand_id": brand_id,
        "client_id": client_id,
        "resource": resource,
        "entity_id": entity_id,
        "action": action,
        "changes": changes,
        "reason": actor.reason,
        "address": actor.address,
    }
    await tx.execute(AUDIT_LOG.insert().values(entry))


def masked(before: Any, after: Any) -> dict[str, Any]:
    """A secret's change: that it changed, never from what to what."""
    return {"before": None if before is None else MASK, "after": None if after is None else MASK}


class AuditEntry(ApiModel):
    """What an entry shows besides its id and moment."""

    brand_id: UUID | None = Field(description="the brand concerned; null: the platform")
    client_id: UUID | None = Field(description="the client concerned, if one is")
    request_id: str = Field(description="X-Request-Id of the request, as in the logs")
    admin_id: str | None = Field(description="the admin's id, or the API key's")
    username: str = Field(description="who did it, by name")
    level: str = Field(description="as what: platform, brand, client or system")
    impersonator_id: str | None = Field(
        description="the admin behind it, who acted as a brand or client below"
    )
    resource: str = Field(description="the kind of row, as in addresses")
    entity_id: str = Field(description="which row")
    action: str = Field(description="create, update, delete, or what was done (login, unlink, resend ...)")
    changes: dict[str, Any] = Field(
        description='field -> {"before", "after"}; of secrets only that they changed'
    )
    reason: str | None = Field(description="X-Reason of the request")
    address: str | None = Field(description="from where it was asked")


class _NoFields(ApiModel):
    """Nothing of it can be written."""


AUDIT_RESOURCE = Resource(
    name="audit-log",
    entity="audit_entry",
    table=AUDIT_LOG,
    fields=_NoFields,
    read_only=AuditEntry,
    tenancy="brand",
    client_column="client_id",
    rights=Rights(platform="r", brand="r", client=""),
    filters=(
        "admin_id",
        "username",
        "level",
        "impersonator_id",
        "resource",
        "entity_id",
        "action",
        "request_id",
        "reason",
        "address",
    ),
    default_sort="-created_at",
    about=(
        "Every write of this service: who, for whom, what changed, from where and why. "
        "Each service keeps its own; the shape is the same."
    ),
)
