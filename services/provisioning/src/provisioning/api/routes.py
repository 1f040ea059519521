"""Outgoing routes: which carriers take which calls, in which order (domain 4.9, model-system 1.6)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import E164Number, unique_items
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Boolean, Column, SmallInteger, Table, Text, Uuid, func, select

from provisioning.api.schema import METADATA
from provisioning.domain.route_rules import route_refusals

TABLE = Table(
    "routes",
    METADATA,
    *owned_by_brand(),
    Column("client_id", Uuid),
    Column("enabled", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("destination_pattern_id", Uuid),
    Column("destination_pattern_group_id", Uuid),
    Column("carrier_id", Uuid),
    Column("carrier_ids", ARRAY(Uuid), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("weight", SmallInteger, nullable=False),
    Column("stopper", Boolean, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("force_clid", Text),
    Column("disable_diversion", Boolean, nullable=False),
)


class RouteFields(ApiModel):
    """static: one carrier_id; lcr: carrier_ids, cheapest first for each call; block: no carrier."""

    client_id: UUID | None = Field(None, description="null: for all clients of the brand")
    enabled: bool = Field(True, description="false: calls pass it by")
    kind: Literal["pattern", "group", "fax", "emergency"] = Field(
        "pattern",
        description="which calls it takes: to a pattern, to a group of patterns, faxes, or emergency calls",
    )
    mode: Literal["static", "lcr", "block"] = Field(
        "static",
        description="one carrier, the cheapest of several, or refuse; emergency calls are never blocked",
    )
    destination_pattern_id: UUID | None = Field(None, description="needed by kind pattern")
    destination_pattern_group_id: UUID | None = Field(None, description="needed by kind group")
    carrier_id: UUID | None = Field(None, description="needed by mode static, and only there")
    carrier_ids: Annotated[list[UUID], Field(max_length=20), AfterValidator(unique_items)] = Field(
        [], description="needed by mode lcr, and only there"
    )
    priority: Annotated[int, Field(ge=0, le=254, description="lower first")] = 1
    weight: Annotated[int, Field(ge=1, le=20, description="share among equal priorities")] = 1
    stopper: bool = Field(False, description="no later priority is tried after this one")
    prefix: Annotated[str, Field(max_length=25, pattern=r"^[0-9+*#]*$")] = Field(
        "", description="put before the number as the carrier writes it; only mode static"
    )
    force_clid: E164Number | None = Field(
        None, description="number shown instead of the caller's; only mode static; null: the caller's"
    )
    disable_diversion: bool = Field(
        False, description="no Diversion header; a forwarded call shows the number that forwards"
    )


async def _fit_the_mode(change: Change) -> None:
    if change.action == "d":
        return
    if change.new["mode"] == "block":
        change.new["stopper"] = True
    for refusal in route_refusals(change.new):
        change.refuse(*refusal)


async def _carriers_have_servers(change: Change) -> None:
    """A carrier without a server would swallow the calls sent to it."""
    if change.action == "d":
        return
    servers = change.resource.table_named("carrier_servers")
    fields = [
        ("carrier_id", change.new["carrier_id"]),
        *(("carrier_ids", c) for c in change.new["carrier_ids"]),
    ]
    for field, carrier_id in fields:
        if carrier_id is not None:
            count = select(func.count()).select_from(servers).where(servers.c.carrier_id == carrier_id)
            if not await change.tx.scalar(count):
                change.refuse(field, "carrier_without_server", "this carrier has no server yet")


ROUTES = Resource(
    name="routes",
    entity="route",
    table=TABLE,
    fields=RouteFields,
    tenancy="brand",
    rights=Rights(client=""),
    filters=(
        "client_id",
        "enabled",
        "kind",
        "mode",
        "destination_pattern_id",
        "destination_pattern_group_id",
        "carrier_id",
        "priority",
    ),
    sorts=("priority", "weight"),
    references={
        "client_id": Reference("clients", "client"),
        "destination_pattern_id": Reference("destination_patterns", "destination pattern"),
        "destination_pattern_group_id": Reference("destination_pattern_groups", "destination pattern group"),
        "carrier_id": Reference("carriers", "carrier"),
        "carrier_ids": Reference("carriers", "carrier"),
    },
    key=(
        "client_id",
        "kind",
        "destination_pattern_id",
        "destination_pattern_group_id",
        "priority",
        "mode",
        "carrier_id",
        "carrier_ids",
    ),
    rules=(_fit_the_mode, _carriers_have_servers),
    stream=streams.CONFIG,
    about="Which carriers take which calls.",
)
