"""Media relay sets and application server sets: what the platform runs, and brands are given to use.

Edges are told a relay set by its name and one application server by its name (contracts section 4), so names
are chosen once. The sets `default` come with the platform and stay (model-system 1.21).
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from landline.chassis.problems import Conflict
from landline.chassis.resources import ApiModel, Change, Resource, Rights, row_columns
from landline.chassis.resources.field_types import Description, unique_items
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Column, Table, Text

from provisioning.api.schema import METADATA

DEFAULT_MEDIA_RELAY_SET = UUID("00000000-0000-7000-8000-00000000d001")
DEFAULT_APPLICATION_SERVER_SET = UUID("00000000-0000-7000-8000-00000000d002")

PlainName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", max_length=63)]

RELAY_TABLE = Table(
    "media_relay_sets",
    METADATA,
    *row_columns(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
)
APPLICATION_TABLE = Table(
    "application_server_sets",
    METADATA,
    *row_columns(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("servers", ARRAY(Text), nullable=False),
)


class MediaRelaySetFields(ApiModel):
    """A group of media relays; which sockets it has is the edge's own configuration."""

    name: PlainName = Field(description="unique on the platform")
    description: Description = Field("", description="free text for people")


class ApplicationServerSetFields(ApiModel):
    """Servers that play, record and answer; a client's `distribution` says which of them takes its calls."""

    name: PlainName = Field(description="unique on the platform")
    description: Description = Field("", description="free text for people")
    servers: Annotated[list[PlainName], Field(min_length=1, max_length=50), AfterValidator(unique_items)] = (
        Field(description="by the names that edges know them by; `static` always takes the first")
    )


async def _keep_default(change: Change) -> None:
    """Clients and brands made without naming a set use it."""
    if change.action == "d" and change.new["id"] in (DEFAULT_MEDIA_RELAY_SET, DEFAULT_APPLICATION_SERVER_SET):
        raise Conflict("default_set", "the set `default` comes with the platform and stays")


def _resource(name: str, entity: str, table: Table, fields: type[ApiModel], about: str) -> Resource:
    return Resource(
        name=name,
        entity=entity,
        table=table,
        fields=fields,
        tenancy="platform",
        brand_column=None,
        rights=Rights(platform="crud", brand="", client=""),
        create_only=frozenset({"name"}),
        filters=("name",),
        sorts=("name",),
        unique={f"{table.name}_name_key": "name"},
        rules=(_keep_default,),
        stream=streams.CONFIG,
        about=about,
    )


MEDIA_RELAY_SETS = _resource(
    "media-relay-sets",
    "media_relay_set",
    RELAY_TABLE,
    MediaRelaySetFields,
    "Groups of media relays. The platform says which a brand may use, and which of those a client uses.",
)
APPLICATION_SERVER_SETS = _resource(
    "application-server-sets",
    "application_server_set",
    APPLICATION_TABLE,
    ApplicationServerSetFields,
    "Groups of application servers: announcements, voicemail, faxes.",
)
