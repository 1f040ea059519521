"""Service codes: what devices dial to set a forward, hear their voicemail, or hide their number once.

Every brand has the default codes; a row gives one service another code, or switches it off.
"""

from __future__ import annotations

from typing import Annotated

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_brand
from landline.contracts import streams
from landline.numbering.service_codes import DEFAULTS, Service
from pydantic import Field
from sqlalchemy import Boolean, Column, Table, Text, select

from provisioning.api.schema import METADATA

TABLE = Table(
    "service_codes",
    METADATA,
    *owned_by_brand(),
    Column("service", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
)


class ServiceCodeFields(ApiModel):
    """`code` is dialled before what it is about: *80600123123 forwards to that number."""

    service: Service = Field(description="what dialling the code does")
    code: Annotated[str, Field(max_length=4, pattern=r"^[*#][0-9]{1,3}$")] = Field(
        description="what is dialled: * or # and up to three digits"
    )
    enabled: bool = Field(True, description="false: the brand does not offer this service")


async def _one_meaning(change: Change) -> None:
    """Two services under one code: the phone would do the wrong thing, silently."""
    if change.action == "d":
        return
    new = change.new
    rows = await change.tx.execute(
        select(TABLE.c.service, TABLE.c.code, TABLE.c.enabled).where(
            TABLE.c.brand_id == new["brand_id"], TABLE.c.id != new["id"]
        )
    )
    others: dict[str, str | None] = dict(DEFAULTS)
    others |= {row.service: row.code if row.enabled else None for row in rows}
    others.pop(new["service"], None)
    if new["enabled"] and new["code"] in others.values():
        taken = next(service for service, code in others.items() if code == new["code"])
        change.refuse("code", "code_in_use", f"it means {taken}: give that another code first")


SERVICE_CODES = Resource(
    name="service-codes",
    entity="service_code",
    table=TABLE,
    fields=ServiceCodeFields,
    tenancy="brand",
    rights=Rights(client="r"),
    create_only=frozenset({"service"}),
    filters=("service", "code", "enabled"),
    sorts=("service", "code"),
    references={"brand_id": Reference("brands", "brand")},
    unique={"service_codes_brand_id_service_key": "service"},
    rules=(_one_meaning,),
    stream=streams.CONFIG,
    about="What devices dial for services; without a row the default code counts.",
)
