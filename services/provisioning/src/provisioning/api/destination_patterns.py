"""Destination patterns: the prefix of called numbers that a route matches (model-system 1.7)."""

from __future__ import annotations

from typing import Annotated

from landline.chassis.resources import ApiModel, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Description, Name
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Column, Table, Text

from provisioning.api.schema import METADATA

TABLE = Table(
    "destination_patterns",
    METADATA,
    *owned_by_brand(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("prefix", Text, nullable=False),
)


class DestinationPatternFields(ApiModel):
    """`+` alone matches every number."""

    name: Name = Field(description="what people call it")
    description: Description = Field("", description="free text for people")
    prefix: Annotated[str, Field(max_length=16, pattern=r"^\+[0-9]*$")] = Field(
        description="beginning of E.164 numbers; + alone is every number"
    )


DESTINATION_PATTERNS = Resource(
    name="destination-patterns",
    entity="destination_pattern",
    table=TABLE,
    fields=DestinationPatternFields,
    tenancy="brand",
    rights=Rights(client=""),
    filters=("name", "prefix"),
    sorts=("name", "prefix"),
    references={"brand_id": Reference("brands", "brand")},
    unique={
        "destination_patterns_brand_id_prefix_key": "prefix",
        "destination_patterns_brand_id_name_key": "name",
    },
    stream=streams.CONFIG,
    about="Prefixes of called numbers, for routes.",
)
