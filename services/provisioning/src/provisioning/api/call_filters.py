"""Call filters: what happens to a call from outside before it reaches a DDI's target (model-system 1.9)."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_client
from landline.chassis.resources.field_types import Description, E164Number, Line, Timezone, unique_items
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Boolean, Column, Date, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.api.schema import METADATA
from provisioning.domain.filter_rules import filter_refusals

TABLE = Table(
    "call_filters",
    METADATA,
    *owned_by_client(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("block_list_ids", ARRAY(Uuid), nullable=False),
    Column("allow_list_ids", ARRAY(Uuid), nullable=False),
    Column("allow_only", Boolean, nullable=False),
    Column("reject_anonymous", Boolean, nullable=False),
    Column("schedule", JSONB, nullable=False),
    Column("closed_on", ARRAY(Date), nullable=False),
    Column("timezone", Text),
    Column("out_of_schedule", Text, nullable=False),
    Column("unconditional_forward", Boolean, nullable=False),
    Column("forward_target", Text),
    Column("forward_number", Text),
    Column("forward_device_id", Uuid),
)

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["09:00"])]
EndOfTime = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", examples=["18:30"])]
Lists = Annotated[list[UUID], Field(max_length=20), AfterValidator(unique_items)]


class Opening(ApiModel):
    """When calls are let through: `start` to `end` of these days, over midnight when end is not later."""

    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7), AfterValidator(unique_items)] = (
        Field(description="days on which it begins")
    )
    start: TimeOfDay = Field("00:00", description="local time")
    end: EndOfTime = Field(
        "24:00", description="local time, up to which calls pass; not later than start: on the next day"
    )


class CallFilterFields(ApiModel):
    """What can be written of a filter. Asked in this order: block lists, anonymous callers, allow lists,
    schedule, unconditional forward; whoever is on an allow list passes the last two."""

    name: Annotated[Line, Field(min_length=1, max_length=50)] = Field(description="unique in the client")
    description: Description = Field("", description="free text for people")
    block_list_ids: Lists = Field([], description="match lists whose numbers are rejected first")
    allow_list_ids: Lists = Field(
        [], description="match lists whose numbers pass schedule and unconditional forward"
    )
    allow_only: bool = Field(False, description="whoever is on no allow list is rejected")
    reject_anonymous: bool = Field(False, description="true: callers who withhold their number are rejected")
    schedule: Annotated[list[Opening], Field(max_length=50)] = Field([], description="empty: always open")
    closed_on: Annotated[list[date], Field(max_length=400), AfterValidator(unique_items)] = Field(
        [], description="whole days that are closed whatever the schedule says"
    )
    timezone: Timezone | None = Field(None, description="of the schedule; null: the client's")
    out_of_schedule: Literal["reject", "forward"] = Field(
        "reject", description="what happens to calls while closed"
    )
    unconditional_forward: bool = Field(
        False, description="true: calls that pass the rest go to forward_target, always"
    )
    forward_target: Literal["number", "voicemail"] | None = Field(
        None, description="where both forwards lead; null: nowhere, as nothing is forwarded"
    )
    forward_number: E164Number | None = Field(
        None, description="E.164, of forward_target number and only there"
    )
    forward_device_id: UUID | None = Field(None, description="the device whose voicemail box takes the call")


async def _fit(change: Change) -> None:
    if change.action != "d":
        for refusal in filter_refusals(change.new):
            change.refuse(*refusal)


async def _lists_of_this_client(change: Change) -> None:
    """A client's own lists, or those of its brand: another client's would tell of its friends and foes."""
    if change.action == "d":
        return
    for field in ("block_list_ids", "allow_list_ids"):
        for list_id in change.new[field]:
            row = await change.find("match_lists", list_id)
            if row is not None and row["client_id"] not in (None, change.new["client_id"]):
                change.refuse(field, "not_found", "no such match list")


async def needs_voicemail(change: Change, field: str) -> None:
    """A voicemail box as target needs the feature."""
    client = await change.find("clients", change.new["client_id"])
    if client is not None and "voicemail" not in client["features"]:
        change.refuse(field, "feature_not_in_client", "the client has no voicemail")


async def _voicemail_only_with_its_feature(change: Change) -> None:
    if change.action != "d" and change.new["forward_target"] == "voicemail":
        await needs_voicemail(change, "forward_target")


CALL_FILTERS = Resource(
    name="call-filters",
    entity="call_filter",
    table=TABLE,
    fields=CallFilterFields,
    tenancy="client",
    client_column="client_id",
    rights=Rights(client="crud"),
    client_edits=None,
    filters=("name", "block_list_ids", "allow_list_ids", "unconditional_forward"),
    sorts=("name",),
    references={
        "client_id": Reference("clients", "client", cascade=True),
        "block_list_ids": Reference("match_lists", "match list"),
        "allow_list_ids": Reference("match_lists", "match list"),
        "forward_device_id": Reference("devices", "device of this client", same_client=True),
    },
    unique={"call_filters_client_id_name_key": "name"},
    rules=(_fit, _lists_of_this_client, _voicemail_only_with_its_feature),
    stream=streams.CONFIG,
    about="Who may call a number, and when; a DDI names the filter that it uses.",
)
