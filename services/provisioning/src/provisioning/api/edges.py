"""Edges: SIP proxies of ours. Each has a key of its own, shown once, kept as SHA-256 (domain section 3)."""

from __future__ import annotations

from typing import Annotated

from landline.chassis.resources import ApiModel, Resource, Rights, row_columns
from landline.chassis.resources.field_types import Description
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import ARRAY, Boolean, Column, Table, Text

from provisioning.api.field_types import Network
from provisioning.api.random_keys import KeyReadOnly, key_columns, mint_key, with_hash
from provisioning.api.schema import METADATA

TABLE = Table(
    "edges",
    METADATA,
    *row_columns(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("control_url", Text),
    Column("networks", ARRAY(Text), nullable=False),
    *key_columns(),
)


class EdgeFields(ApiModel):
    """What can be written of an edge. Creating it answers its key, once."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = Field(
        description="unique on the platform"
    )
    description: Description = Field("", description="free text for people")
    enabled: bool = Field(True, description="false: its key is refused")
    control_url: Annotated[str, Field(max_length=300, pattern=r"^https?://[^\s]+$")] | None = Field(
        None, description="where commands reach it at once (JSON-RPC)"
    )
    networks: Annotated[list[Network], Field(max_length=20)] = Field(
        [],
        description="from where its key may be used; empty: from anywhere. Behind a proxy: what it forwards",
    )
    reset_key: bool = Field(False, description="make a new key; the old one stops within a second")


EDGES = Resource(
    name="edges",
    entity="edge",
    table=TABLE,
    fields=EdgeFields,
    read_only=KeyReadOnly,
    tenancy="platform",
    brand_column=None,
    rights=Rights(platform="crud", brand="", client=""),
    write_only=frozenset({"reset_key"}),
    secret_columns=frozenset({"key_sha256"}),
    filters=("name", "enabled", "last_used_at"),
    sorts=("name",),
    unique={"edges_name_key": "name"},
    rules=(mint_key,),
    publish=with_hash,
    stream=streams.CONFIG,
    about="SIP proxies that ask for admissions.",
)
