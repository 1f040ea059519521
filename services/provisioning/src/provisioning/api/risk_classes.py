"""Risk classes of destinations: premium, satellite and other ranges where calls are dear (4.7).

The platform's list is ready-made from public numbering data (`provisioning.ready_made`); a brand's row for
the same prefix replaces it, also with `normal`.
"""

from __future__ import annotations

from typing import Annotated

from landline.chassis.resources import ApiModel, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Country, Description
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Column, Table, Text

from provisioning.api.risk_limits import RiskClass
from provisioning.api.schema import METADATA

TABLE = Table(
    "risk_classes",
    METADATA,
    *owned_by_brand(shared=True),
    Column("prefix", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("country", Text),
    Column("description", Text, nullable=False),
    Column("source", Text, nullable=False),
)


class RiskClassFields(ApiModel):
    """The longest prefix that begins a number decides; what no row covers is normal."""

    prefix: Annotated[str, Field(max_length=16, pattern=r"^\+[1-9][0-9]{0,14}$")] = Field(
        description="beginning of E.164 numbers; the longest one counts"
    )
    risk: RiskClass = Field(
        description="the kind of destination; a client calls only the kinds it is allowed"
    )
    country: Country | None = Field(
        None,
        description="a special_rate range of that country's own callers: for all others it is high_risk",
    )
    description: Description = Field("", description="free text for people")
    source: Description = Field("", description="who says so: a numbering plan, a regulator, you")


RISK_CLASSES = Resource(
    name="risk-classes",
    entity="risk_class",
    table=TABLE,
    fields=RiskClassFields,
    tenancy="brand",
    shared=True,
    rights=Rights(platform="crud", brand="crud", client="r"),
    filters=("prefix", "risk", "country", "source"),
    sorts=("prefix",),
    references={"brand_id": Reference("brands", "brand")},
    unique={"risk_classes_owner_key": "prefix"},
    stream=streams.CONFIG,
    about="Which destinations are dear or risky. Rows without a brand are the platform's, for all.",
)
