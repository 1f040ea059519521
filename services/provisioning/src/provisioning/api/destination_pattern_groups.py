"""Groups of destination patterns, so that one route serves many prefixes (model-system 1.7)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from landline.chassis.resources import ApiModel, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Description, Name, unique_items
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Column, Table, Text, Uuid

from provisioning.api.schema import METADATA

TABLE = Table(
    "destination_pattern_groups",
    METADATA,
    *owned_by_brand(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("destination_pattern_ids", ARRAY(Uuid), nullable=False),
)


class DestinationPatternGroupFields(ApiModel):
    """A number is of the group when it is of one of its patterns."""

    name: Name = Field(description="unique in the brand")
    description: Description = Field("", description="free text for people")
    destination_pattern_ids: Annotated[
        list[UUID], Field(min_length=1, max_length=1000), AfterValidator(unique_items)
    ] = Field(description="the patterns in it, at least one")


DESTINATION_PATTERN_GROUPS = Resource(
    name="destination-pattern-groups",
    entity="destination_pattern_group",
    table=TABLE,
    fields=DestinationPatternGroupFields,
    tenancy="brand",
    rights=Rights(client=""),
    filters=("name",),
    sorts=("name",),
    references={
        "brand_id": Reference("brands", "brand"),
        "destination_pattern_ids": Reference("destination_patterns", "destination pattern"),
    },
    unique={"destination_pattern_groups_brand_id_name_key": "name"},
    stream=streams.CONFIG,
    about="Several destination patterns under one name, for routes.",
)
