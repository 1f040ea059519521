"""Authorized sources: addresses and networks a client may call from (domain section 4.4)."""

from __future__ import annotations

from landline.chassis.resources import ApiModel, Reference, Resource, Rights, owned_by_client
from landline.chassis.resources.field_types import Description
from landline.contracts import streams
from sqlalchemy import Column, Table, Text

from provisioning.api.field_types import Network
from provisioning.api.schema import METADATA

TABLE = Table(
    "authorized_sources",
    METADATA,
    *owned_by_client(),
    Column("network", Text, nullable=False),
    Column("description", Text, nullable=False),
)


class AuthorizedSourceFields(ApiModel):
    """An IPv4 or IPv6 address, or a network in CIDR form."""

    network: Network
    description: Description = ""


AUTHORIZED_SOURCES = Resource(
    name="authorized-sources",
    entity="authorized_source",
    table=TABLE,
    fields=AuthorizedSourceFields,
    tenancy="client",
    client_column="client_id",
    rights=Rights(platform="crud", brand="crud", client="r"),
    filters=("network", "description"),
    sorts=("network",),
    references={"client_id": Reference("clients", "client", cascade=True)},
    unique={"authorized_sources_client_id_network_key": "network"},
    stream=streams.CONFIG,
    about="Where a client with ip_filter may call from.",
)
