"""Carriers take calls out; carrier servers are their SIP addresses (model-system 1.5)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.problems import Conflict
from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, Row, owned_by_brand
from landline.chassis.resources.field_types import Currency, Description, Line, Name
from landline.chassis.secrets import Keyring
from landline.contracts import streams
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Boolean, Column, Integer, Table, Text, Uuid, any_, func, or_, select

from provisioning.api.field_types import Domain, Host, Port, SipUser, Transport
from provisioning.api.schema import METADATA

CARRIER_TABLE = Table(
    "carriers",
    METADATA,
    *owned_by_brand(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("transformation_set_id", Uuid),
    Column("calculate_cost", Boolean, nullable=False),
    Column("currency", Text, nullable=False),
    Column("media_relay_set_id", Uuid),
)
SERVER_TABLE = Table(
    "carrier_servers",
    METADATA,
    *owned_by_brand(),
    Column("carrier_id", Uuid, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer),
    Column("uri_scheme", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("outbound_proxy", Text),
    Column("send_pai", Boolean, nullable=False),
    Column("send_rpid", Boolean, nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("from_user", Text),
    Column("from_domain", Text),
    Column("auth_user", Text),
    Column("auth_realm", Text),
    Column("auth_ha1", Text),
)


class CarrierFields(ApiModel):
    """What can be written of a carrier."""

    name: Name = Field(description="unique in the brand")
    description: Description = Field("", description="free text for people")
    enabled: bool = Field(True, description="false: no route uses it")
    transformation_set_id: UUID | None = Field(
        None, description="how it wants numbers written; null: as they are, in E.164"
    )
    calculate_cost: bool = Field(
        False, description="work out what its calls cost the brand; needs the brand's feature billing"
    )
    currency: Currency | None = Field(None, description="of what it charges us; default: the brand's")
    media_relay_set_id: UUID | None = Field(None, description="the platform sets it; null: the client's")


class CarrierServerFields(ApiModel):
    """What can be written of a server. The password is kept only as HA1, encrypted, and never shown."""

    carrier_id: UUID = Field(description="the carrier whose server it is")
    enabled: bool = Field(True, description="false: no call is sent to it")
    host: Host = Field(description="host name, IPv4 or IPv6 address, without port")
    port: Port | None = Field(None, description="null: by the transport, or DNS (RFC 3263)")
    uri_scheme: Literal["sip", "sips"] = Field(
        "sip", description="sips asks for TLS on every hop, and refuses transport udp"
    )
    transport: Transport = Field("udp", description="how SIP reaches it")
    outbound_proxy: Annotated[str, Field(max_length=200, pattern=r"^sips?:[A-Za-z0-9.:;=\[\]-]+$")] | None = (
        Field(None, description="SIP URI that requests go through; null: straight to host")
    )
    send_pai: bool = Field(True, description="tell it the caller in P-Asserted-Identity")
    send_rpid: bool = Field(False, description="tell it the caller in Remote-Party-ID")
    trusted: bool = Field(
        False, description="identities of callers who withhold may be told to it (RFC 3325)"
    )
    from_user: SipUser | None = Field(None, description="user part of From; null: the number shown")
    from_domain: Domain | None = Field(None, description="host part of From; null: ours")
    auth_user: SipUser | None = Field(
        None, description="user name for its digest challenges; null: it asks for none"
    )
    auth_realm: Annotated[Line, Field(min_length=1, max_length=190, pattern=r'^[^:"]+$')] | None = Field(
        None, description="realm of its challenges; goes together with auth_user"
    )
    auth_password: Annotated[Line, Field(min_length=1, max_length=64)] | None = Field(
        None, description="needed with a new auth_user or auth_realm; never shown"
    )

    @model_validator(mode="after")
    def _user_and_realm(self) -> CarrierServerFields:
        if (self.auth_user is None) != (self.auth_realm is None):
            raise PydanticCustomError("auth_incomplete", "auth_user and auth_realm go together")
        return self


async def _currency_of_brand(change: Change) -> None:
    if change.action == "d":
        return
    brand = await change.find("brands", change.new["brand_id"])
    if brand is None:
        change.refuse("brand_id", "not_found", "no such brand")
        return
    change.new["currency"] = change.new["currency"] or brand["currency"]
    if change.new["calculate_cost"] and "billing" not in brand["features"]:
        change.refuse("calculate_cost", "billing_not_in_brand", "the brand has no billing")


async def _sips_over_something_safe(change: Change) -> None:
    """RFC 3261 section 26.2.2: a sips URI asks for TLS on every hop, which UDP has not."""
    if change.action != "d" and (change.new["uri_scheme"], change.new["transport"]) == ("sips", "udp"):
        change.refuse("transport", "not_for_scheme", "sips needs tls (or tcp, which then is TLS)")


async def _keep_auth_as_ha1(change: Change) -> None:
    """HA1 = MD5(user:realm:password), RFC 7616 3.4.2: a new user or realm needs the password again."""
    if change.action == "d":
        return
    given = change.given
    assert isinstance(given, CarrierServerFields)
    if given.auth_user is None:
        change.new["auth_ha1"] = None
    elif given.auth_password is not None:
        text = f"{given.auth_user}:{given.auth_realm}:{given.auth_password}"
        ha1 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        place = f"carrier_server:{change.new['id']}"
        change.new["auth_ha1"] = Keyring.of(change.actor.settings).seal(ha1, place)
    elif change.differs("auth_user") or change.differs("auth_realm"):
        change.refuse("auth_password", "required", "needed with a new auth_user or auth_realm")


async def _keep_last_server(change: Change) -> None:
    """A route to a carrier without servers would refuse every call; a sibling must be left."""
    if change.action != "d":
        return
    carrier_id, routes = change.new["carrier_id"], change.resource.table_named("routes")
    used = or_(routes.c.carrier_id == carrier_id, any_(routes.c.carrier_ids) == carrier_id)
    servers = select(func.count()).select_from(SERVER_TABLE).where(SERVER_TABLE.c.carrier_id == carrier_id)
    in_routes = await change.tx.scalar(select(func.count()).select_from(routes).where(used))
    if in_routes and await change.tx.scalar(servers) == 1:
        raise Conflict("last_server", f"the last server of a carrier that {in_routes} routes use")


def _with_ha1(row: Row, data: Row) -> Row:
    return {**data, "auth_ha1": row["auth_ha1"]}


CARRIERS = Resource(
    name="carriers",
    entity="carrier",
    table=CARRIER_TABLE,
    fields=CarrierFields,
    tenancy="brand",
    rights=Rights(client=""),
    filters=("name", "enabled", "transformation_set_id", "calculate_cost", "currency"),
    sorts=("name",),
    references={
        "brand_id": Reference("brands", "brand"),
        "transformation_set_id": Reference("transformation_sets", "transformation set", shared=True),
        "media_relay_set_id": Reference("media_relay_sets", "media relay set"),
    },
    platform_edits=frozenset({"media_relay_set_id"}),
    unique={"carriers_brand_id_name_key": "name"},
    rules=(_currency_of_brand,),
    stream=streams.CONFIG,
    about="Who takes calls out.",
)
CARRIER_SERVERS = Resource(
    name="carrier-servers",
    entity="carrier_server",
    table=SERVER_TABLE,
    fields=CarrierServerFields,
    tenancy="brand",
    parent="carrier_id",
    rights=Rights(client=""),
    create_only=frozenset({"carrier_id"}),
    write_only=frozenset({"auth_password"}),
    secret_columns=frozenset({"auth_ha1"}),
    filters=("carrier_id", "enabled", "host", "transport", "trusted"),
    sorts=("host",),
    references={"carrier_id": Reference("carriers", "carrier")},
    unique={"carrier_servers_address_key": "host"},
    key=("carrier_id", "host", "port", "transport"),
    rules=(_sips_over_something_safe, _keep_auth_as_ha1, _keep_last_server),
    publish=_with_ha1,
    stream=streams.CONFIG,
    about="A carrier's SIP addresses, tried in the order of the routes.",
)
