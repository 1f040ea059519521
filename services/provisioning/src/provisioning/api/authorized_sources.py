"""Authorized sources: addresses and networks a client may call from (domain section 4.4)."""

from __future__ import annotations

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_client
from landline.chassis.resources.field_types import Description
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Column, Table, Text, select

from provisioning.api.field_types import Network
from provisioning.api.schema import METADATA
from provisioning.domain.addresses import overlaps

TABLE = Table(
    "authorized_sources",
    METADATA,
    *owned_by_client(),
    Column("network", Text, nullable=False),
    Column("description", Text, nullable=False),
)


class AuthorizedSourceFields(ApiModel):
    """An IPv4 or IPv6 address, or a network in CIDR form."""

    network: Network = Field(description="from where the client may call while its ip_filter is true")
    description: Description = Field("", description="free text for people")


SHOWN_OVERLAPS = 20


async def _tell_overlaps(change: Change) -> None:
    """A network inside another one changes nothing; whoever removes one of them should know of the other."""
    if change.action == "d" or not change.differs("network"):
        return
    own = (TABLE.c.client_id == change.new["client_id"], TABLE.c.id != change.new["id"])
    rows = (await change.tx.execute(select(TABLE.c.id, TABLE.c.network).where(*own))).all()
    found = overlaps(change.new["network"], [(str(row.id), row.network) for row in rows])
    change.reveal["warnings"] = [
        {"code": "overlaps", "field": "network", "id": i, "network": network, "message": how}
        for i, network, how in found[:SHOWN_OVERLAPS]
    ]


async def _tell_filter_off(change: Change) -> None:
    """Sources do nothing while the client's filter is off."""
    if change.action != "c":
        return
    client = await change.find("clients", change.new["client_id"])
    if client is not None and not client["ip_filter"]:
        message = "the client's ip_filter is off: calls may come from anywhere"
        change.reveal["warnings"].append({"code": "filter_off", "field": "client_id", "message": message})


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
    after=(_tell_overlaps, _tell_filter_off),
    stream=streams.CONFIG,
    about="Where a client with ip_filter may call from. Answers to writes warn of networks that overlap.",
)
