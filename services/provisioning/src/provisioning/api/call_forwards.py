"""Call forwards of a device: at once, when busy, unanswered or not registered (model-system 1.11)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_client
from landline.chassis.resources.field_types import E164Number
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Boolean, Column, SmallInteger, Table, Text, Uuid

from provisioning.api.call_filters import needs_voicemail
from provisioning.api.schema import METADATA
from provisioning.domain.filter_rules import DEFAULT_TIMEOUT_S, MOST_TIMEOUT_S, forward_refusals

TABLE = Table(
    "call_forwards",
    METADATA,
    *owned_by_client(),
    Column("device_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("target", Text),
    Column("number", Text),
    Column("voicemail_device_id", Uuid),
    Column("no_answer_timeout_s", SmallInteger),
)

ForwardKind = Literal["unconditional", "busy", "no_answer", "not_registered"]


class CallForwardFields(ApiModel):
    """What can be written of a forward. Of the enabled ones a device has one of each kind at most."""

    device_id: UUID = Field(description="the device whose calls are forwarded; fixed at creation")
    kind: ForwardKind = Field(description="when it forwards")
    enabled: bool = Field(True, description="false: kept for later")
    target: Literal["number", "voicemail"] | None = Field(
        "number", description="null, only for no_answer: the device rings so long, and nothing follows"
    )
    number: E164Number | None = Field(
        None, description="E.164, of target number and only there; the client pays the forwarded call"
    )
    voicemail_device_id: UUID | None = Field(None, description="whose voicemail box; null: the device's own")
    no_answer_timeout_s: Annotated[int, Field(ge=1, le=MOST_TIMEOUT_S)] | None = Field(
        None, description=f"only of no_answer, {DEFAULT_TIMEOUT_S} when left out"
    )


async def _fit(change: Change) -> None:
    if change.action == "d":
        return
    new = change.new
    for refusal in forward_refusals(new):
        change.refuse(*refusal)
    if new["kind"] == "no_answer" and new["no_answer_timeout_s"] is None:
        new["no_answer_timeout_s"] = DEFAULT_TIMEOUT_S
    if new["voicemail_device_id"] == new["device_id"]:
        new["voicemail_device_id"] = None  # else a device would hold back its own deletion
    if new["target"] == "voicemail":
        await needs_voicemail(change, "target")


CALL_FORWARDS = Resource(
    name="call-forwards",
    entity="call_forward",
    table=TABLE,
    fields=CallForwardFields,
    tenancy="client",
    client_column="client_id",
    rights=Rights(client="crud"),
    client_edits=None,
    create_only=frozenset({"device_id"}),
    filters=("device_id", "kind", "enabled", "target", "number"),
    sorts=("kind",),
    references={
        "client_id": Reference("clients", "client", cascade=True),
        "device_id": Reference("devices", "device of this client", same_client=True, cascade=True),
        "voicemail_device_id": Reference("devices", "device of this client", same_client=True),
    },
    unique={"call_forwards_device_kind_key": "kind"},
    rules=(_fit,),
    stream=streams.CONFIG,
    about="Where a device's calls go when it does not take them.",
)
