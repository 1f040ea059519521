"""Residential devices: SIP accounts. The password is shown once and kept only as HA1 (domain section 2)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.problems import Conflict
from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, Row, owned_by_client
from landline.chassis.resources.field_types import Description, Language, unique_items
from landline.chassis.secrets import Keyring
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Boolean, Column, Integer, SmallInteger, Table, Text, Uuid

from provisioning.accounts.secrets import device_password_faults, generate_device_password, ha1_pair
from provisioning.api.field_types import Address, Domain, Port, Transport
from provisioning.api.risk_limits import PerMinute
from provisioning.api.schema import METADATA
from provisioning.domain.device_rules import device_refusals

TABLE = Table(
    "devices",
    METADATA,
    *owned_by_client(),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("direct_connectivity", Boolean, nullable=False),
    Column("transport", Text),
    Column("ip", Text),
    Column("port", Integer),
    Column("ruri_domain", Text),
    Column("trust_sdp", Boolean, nullable=False),
    Column("outgoing_ddi_id", Uuid),
    Column("language", Text),
    Column("transformation_set_id", Uuid),
    Column("codecs", ARRAY(Text), nullable=False),
    Column("from_domain", Text),
    Column("ddi_in", Boolean, nullable=False),
    Column("max_calls", SmallInteger, nullable=False),
    Column("max_calls_per_minute", Integer),
    Column("t38_passthrough", Boolean, nullable=False),
    Column("rtp_encryption", Boolean, nullable=False),
    Column("multi_contact", Boolean, nullable=False),
    Column("ha1", Text),
    Column("ha1_sha256", Text),
)

Codec = Literal["alaw", "ulaw", "gsm", "speex", "g722", "g726", "g729", "ilbc", "opus"]


class DeviceFields(ApiModel):
    """What can be written of a device. One that registers gets a password: the given one, or a new one."""

    name: Annotated[str, Field(min_length=1, max_length=65, pattern=r"^[a-zA-Z0-9_*]+$")] = Field(
        description="unique in the brand; the SIP user"
    )
    description: Description = Field("", description="free text for people")
    enabled: bool = Field(True, description="false: it can neither register nor call; emergency calls go on")
    direct_connectivity: bool = Field(False, description="known by its address, does not register")
    transport: Transport | None = Field(
        None, description="of a direct device, which needs one; null: it registers"
    )
    ip: Address | None = Field(
        None, description="of a direct device: where it calls from and is called at; null: by ruri_domain"
    )
    port: Port | None = Field(None, description="of a direct device, needed with ip; null: none")
    ruri_domain: Domain | None = Field(
        None, description="of a direct device: host of the URI that calls to it carry; null: its ip"
    )
    trust_sdp: bool = Field(
        False, description="of a direct device: its SDP names real addresses; false: it may be behind NAT"
    )
    outgoing_ddi_id: UUID | None = Field(None, description="null: the client's")
    language: Language | None = Field(None, description="null: the client's")
    transformation_set_id: UUID | None = Field(None, description="null: the client's")
    codecs: Annotated[
        list[Codec],
        Field(min_length=1, max_length=9, description="in order of preference"),
        AfterValidator(unique_items),
    ] = ["alaw"]
    from_domain: Domain | None = Field(None, description="null: the brand's SIP domain")
    ddi_in: bool = Field(False, description="the called DDI in the R-URI")
    max_calls: Annotated[int, Field(ge=0, le=100)] = Field(
        1, description="received calls at once, 0 = unlimited"
    )
    max_calls_per_minute: PerMinute | None = Field(None, description="placed calls; null: the client's")
    t38_passthrough: bool = Field(False, description="faxes pass as T.38")
    rtp_encryption: bool = Field(False, description="true: its media must be SRTP")
    multi_contact: bool = Field(True, description="true: all its registrations ring; false: only the latest")
    password: Annotated[str, Field(max_length=256)] | None = Field(
        None, description="SIP password; left out: made when needed; shown once by that write, never again"
    )
    reset_credentials: bool = Field(False, description="make a new password; needed to change the name")


async def _fit_connection(change: Change) -> None:
    if change.action != "d":
        for refusal in device_refusals(change.new):
            change.refuse(*refusal)


async def _credentials(change: Change) -> None:
    """Set, generate or drop the password. HA1 holds name and realm, so a new name needs a new password."""
    if change.action == "d":
        return
    given, new = change.given, change.new
    assert isinstance(given, DeviceFields)
    new.setdefault("ha1", None)
    new.setdefault("ha1_sha256", None)
    if given.password is not None:
        for fault in device_password_faults(given.password):
            change.refuse("password", *fault)
        _set_password(change, given.password, await _realm(change))
    elif given.reset_credentials or (new["ha1"] is None and not new["direct_connectivity"]):
        _set_password(change, generate_device_password(), await _realm(change))
    elif change.old is not None and change.differs("name") and new["ha1"] is not None:
        detail = "the password is bound to the name: send reset_credentials or a new password with it"
        raise Conflict("credentials_depend_on_name", detail)


async def _realm(change: Change) -> str:
    brand = await change.find("brands", change.new["brand_id"])
    assert brand is not None, "a device's brand is seen from every scope that may write it"
    return str(brand["sip_domain"])


def _set_password(change: Change, password: str, realm: str) -> None:
    if change.errors:
        return
    keyring, place = Keyring.of(change.actor.settings), f"device:{change.new['id']}"
    pair = ha1_pair(change.new["name"], realm, password)
    change.new |= {
        "ha1": keyring.seal(pair.md5_hex, place),
        "ha1_sha256": keyring.seal(pair.sha256_hex, place),
    }
    change.reveal["password"] = password


def _with_ha1(row: Row, data: Row) -> Row:
    return {**data, "ha1": row["ha1"], "ha1_sha256": row["ha1_sha256"]}


DEVICES = Resource(
    name="devices",
    entity="device",
    table=TABLE,
    fields=DeviceFields,
    tenancy="client",
    client_column="client_id",
    rights=Rights(platform="crud", brand="crud", client="ru"),
    client_edits=frozenset(DeviceFields.model_fields)
    - {"name", "direct_connectivity", "enabled", "trust_sdp"},
    write_only=frozenset({"password", "reset_credentials"}),
    secret_columns=frozenset({"ha1", "ha1_sha256"}),
    filters=(
        "name",
        "description",
        "enabled",
        "direct_connectivity",
        "ip",
        "outgoing_ddi_id",
        "transformation_set_id",
    ),
    sorts=("name",),
    references={
        "client_id": Reference("clients", "client"),
        "outgoing_ddi_id": Reference("ddis", "DDI of this client", same_client=True),
        "transformation_set_id": Reference("transformation_sets", "transformation set", shared=True),
    },
    unique={"devices_brand_id_name_key": "name"},
    key=("name",),
    rules=(_fit_connection, _credentials),
    publish=_with_ha1,
    stream=streams.CONFIG,
    about="SIP accounts. Answers to writes that set a password show it, once.",
)
