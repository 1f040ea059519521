"""DDI providers bring calls in, from their addresses (model-system 1.4)."""

from __future__ import annotations

from uuid import UUID

from landline.chassis.resources import ApiModel, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Description, Name
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Boolean, Column, Table, Text, Uuid

from provisioning.api.field_types import Network
from provisioning.api.schema import METADATA

PROVIDER_TABLE = Table(
    "ddi_providers",
    METADATA,
    *owned_by_brand(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("transformation_set_id", Uuid),
    Column("media_relay_set_id", Uuid),
)
ADDRESS_TABLE = Table(
    "ddi_provider_addresses",
    METADATA,
    *owned_by_brand(),
    Column("ddi_provider_id", Uuid, nullable=False),
    Column("network", Text, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("description", Text, nullable=False),
)


class DdiProviderFields(ApiModel):
    """What can be written of a DDI provider."""

    name: Name = Field(description="unique in the brand")
    description: Description = Field("", description="free text for people")
    enabled: bool = Field(True, description="false: calls from its addresses are refused")
    transformation_set_id: UUID | None = Field(
        None, description="how it writes numbers; null: E.164, with or without the plus"
    )
    media_relay_set_id: UUID | None = Field(None, description="the platform sets it; null: the client's")


class DdiProviderAddressFields(ApiModel):
    """An IPv4 or IPv6 address, or a network in CIDR form, that the provider's calls come from."""

    ddi_provider_id: UUID = Field(description="the provider whose address it is")
    network: Network = Field(description="IPv4 or IPv6 address, or a network in CIDR form")
    trusted: bool = Field(False, description="its P-Asserted-Identity is believed (RFC 3325)")
    description: Description = Field("", description="free text for people")


DDI_PROVIDERS = Resource(
    name="ddi-providers",
    entity="ddi_provider",
    table=PROVIDER_TABLE,
    fields=DdiProviderFields,
    tenancy="brand",
    rights=Rights(client=""),
    filters=("name", "enabled", "transformation_set_id"),
    sorts=("name",),
    references={
        "brand_id": Reference("brands", "brand"),
        "transformation_set_id": Reference("transformation_sets", "transformation set", shared=True),
        "media_relay_set_id": Reference("media_relay_sets", "media relay set"),
    },
    platform_edits=frozenset({"media_relay_set_id"}),
    unique={"ddi_providers_brand_id_name_key": "name"},
    stream=streams.CONFIG,
    about="Who brings calls in.",
)
DDI_PROVIDER_ADDRESSES = Resource(
    name="ddi-provider-addresses",
    entity="ddi_provider_address",
    table=ADDRESS_TABLE,
    fields=DdiProviderAddressFields,
    tenancy="brand",
    parent="ddi_provider_id",
    rights=Rights(client=""),
    create_only=frozenset({"ddi_provider_id"}),
    filters=("ddi_provider_id", "network", "trusted"),
    sorts=("network",),
    references={"ddi_provider_id": Reference("ddi_providers", "DDI provider", cascade=True)},
    unique={"ddi_provider_addresses_network_key": "network"},
    stream=streams.CONFIG,
    about="Where a DDI provider's calls come from; a call from any other address is refused.",
)
