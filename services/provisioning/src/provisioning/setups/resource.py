"""What a client setup asks for, and what is kept of it: the part that billing still has to do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from landline.chassis.resources import ApiModel, Micros, MoneyText, Resource, Rights, owned_by_client
from landline.chassis.resources.field_types import E164Number
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Column, DateTime, Integer, Table, Text, Uuid

from provisioning.api.authorized_sources import AuthorizedSourceFields
from provisioning.api.clients import ClientFields
from provisioning.api.ddis import DdiFields
from provisioning.api.devices import DeviceFields
from provisioning.api.schema import METADATA

MOST_PARTS = 100

TABLE = Table(
    "client_setups",
    METADATA,
    *owned_by_client(),
    Column("state", Text, nullable=False),
    Column("rating_plan_id", Uuid),
    Column("activation_time", DateTime(timezone=True), nullable=False),
    Column("rating_profile_id", Uuid),
    Column("opening_balance_micros", Micros),
    Column("operation_id", Text),
    Column("problem", Text),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", DateTime(timezone=True), nullable=False),
)


class SetupDdi(DdiFields):
    """A number of the new client: one of the brand's pool, or a new one."""

    device: Annotated[str, Field(max_length=65)] | None = Field(
        None, description="the name of the device, of those set up here, that it rings; sets the target"
    )


class ClientSetupFields(ApiModel):
    """One home, whole. `client` takes the fields of `POST clients`, the lists those of their resources."""

    brand_id: UUID | None = Field(
        None, description="the platform level says for which brand; others leave it out"
    )
    client: ClientFields = Field(description="the client to make")
    devices: Annotated[list[DeviceFields], Field(max_length=MOST_PARTS)] = Field(
        [], description="its devices; a password left out is made"
    )
    ddis: Annotated[list[SetupDdi], Field(max_length=MOST_PARTS)] = Field([], description="its numbers")
    authorized_sources: Annotated[list[AuthorizedSourceFields], Field(max_length=MOST_PARTS)] = Field(
        [], description="addresses and networks it may call from"
    )
    outgoing_number: E164Number | None = Field(
        None, description="of `ddis`: the number the client shows; default: the first"
    )
    rating_plan_id: UUID | None = Field(
        None, description="billing's: what calls cost from activation_time on"
    )
    activation_time: AwareDatetime | None = Field(None, description="default: now")
    opening_balance: Annotated[int, MoneyText(least="0.000001", most="10000000")] | None = Field(
        None, description="the first money, posted once"
    )


class ClientSetupRead(ApiModel):
    """How billing's part stands. pending: it is tried again, by itself and by a repeated request."""

    state: Literal["pending", "done", "failed"] = Field(description="how billing's part stands")
    rating_plan_id: UUID | None = Field(description="the plan asked for; null: none")
    activation_time: datetime = Field(description="from when the plan counts")
    rating_profile_id: UUID | None = Field(description="the profile that was made; null: not yet, or none")
    opening_balance: str | None = Field(description="the first money; null: none")
    operation_id: str | None = Field(description="of the posting of the opening balance")
    problem: str | None = Field(description="why it is not done")
    attempts: int = Field(description="tries so far")


class NothingToWrite(ApiModel):
    """Setups are made by `POST client-setups`."""


class ClientSetupDone(BaseModel):
    """What was made. Passwords are shown here, and to the same Idempotency-Key for a day: not again."""

    id: UUID | None = Field(description="null in a dry run")
    dry_run: bool = Field(description="true: nothing was kept")
    client: dict[str, Any] = Field(description="the client's row")
    devices: list[dict[str, Any]] = Field(description="rows of its devices, with new passwords, shown once")
    ddis: list[dict[str, Any]] = Field(description="rows of its numbers")
    authorized_sources: list[dict[str, Any]] = Field(description="rows of its sources")
    billing: dict[str, Any] | None = Field(description="the setup's own row: how billing's part stands")


CLIENT_SETUPS = Resource(
    name="client-setups",
    entity="client_setup",
    table=TABLE,
    fields=NothingToWrite,
    read_only=ClientSetupRead,
    tenancy="client",
    client_column="client_id",
    rights=Rights("r", "r", ""),
    filters=("state", "rating_plan_id"),
    default_sort="-created_at",
    about="Clients set up in one call, and how far billing's part of each is.",
)
