"""Special numbers (free, unrated) and emergency numbers, per country and brand (domain 4.12)."""

from __future__ import annotations

from typing import Annotated

from landline.chassis.resources import ApiModel, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Country, Description
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Column, Table, Text

from provisioning.api.schema import METADATA


class NumberFields(ApiModel):
    """A number as dialled (`112`) or in E.164; without a country it counts everywhere."""

    number: Annotated[str, Field(pattern=r"^\+?[0-9*#]{2,16}$", max_length=17)] = Field(
        description="as it is dialled, before any transformation"
    )
    country: Country | None = Field(
        None, description="ISO 3166; only for clients of that country; null: for all"
    )
    description: Description = Field("", description="free text for people")


def _table(name: str) -> Table:
    return Table(
        name,
        METADATA,
        *owned_by_brand(shared=True),
        Column("number", Text, nullable=False),
        Column("country", Text),
        Column("description", Text, nullable=False),
    )


def _resource(name: str, entity: str, about: str) -> Resource:
    table = _table(name.replace("-", "_"))
    return Resource(
        name=name,
        entity=entity,
        table=table,
        fields=NumberFields,
        tenancy="brand",
        shared=True,
        rights=Rights(platform="crud", brand="crud", client="r"),
        filters=("number", "country"),
        sorts=("number",),
        references={"brand_id": Reference("brands", "brand")},
        unique={f"{table.name}_owner_key": "number"},
        key=("number", "country"),
        stream=streams.CONFIG,
        about=about,
    )


SPECIAL_NUMBERS = _resource("special-numbers", "special_number", "Numbers that are free and never rated.")
EMERGENCY_NUMBERS = _resource("emergency-numbers", "emergency_number", "Numbers that are never refused.")
