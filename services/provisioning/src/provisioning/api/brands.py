"""Brands: the operators on the platform. Only the platform level writes them (domain section 2)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.problems import Conflict
from landline.chassis.resources import (
    ApiModel,
    Change,
    Reference,
    Resource,
    Rights,
    row_columns,
    update,
)
from landline.chassis.resources.field_types import (
    Country,
    Currency,
    E164Number,
    Language,
    Name,
    Timezone,
    unique_items,
)
from landline.contracts import streams
from landline.kernel.ids import PARTITIONS
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Boolean, Column, Integer, SmallInteger, Table, Text, Uuid, any_, func, select
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.api.field_types import Domain, InvoiceData, MaxCalls, MaxCallSeconds
from provisioning.api.notification_templates import TemplateIds
from provisioning.api.platform_sets import DEFAULT_APPLICATION_SERVER_SET, DEFAULT_MEDIA_RELAY_SET
from provisioning.api.risk_limits import BrandRiskFields, risk_columns
from provisioning.api.schema import METADATA

BrandFeature = Literal["faxes", "recordings", "voicemail", "billing", "invoices", "webhooks"]

TABLE = Table(
    "brands",
    METADATA,
    *row_columns(),
    Column("name", Text, nullable=False),
    Column("sip_domain", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("features", ARRAY(Text), nullable=False),
    Column("max_calls", Integer, nullable=False),
    Column("max_call_s", Integer),
    Column("language", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("invoice_data", JSONB, nullable=False),
    Column("recordings_quota_mb", Integer),
    Column("emergency_caller", Text),
    Column("reject_spoofed", Boolean, nullable=False),
    Column("media_relay_set_ids", ARRAY(Uuid), nullable=False),
    Column("application_server_set_ids", ARRAY(Uuid), nullable=False),
    Column("notification_template_ids", JSONB, nullable=False),
    *risk_columns(nullable=False),
    Column("partition", SmallInteger, nullable=False),
)


SetIds = Annotated[list[UUID], Field(min_length=1, max_length=50), AfterValidator(unique_items)]


class BrandFields(BrandRiskFields):
    """What can be written of a brand."""

    name: Name = Field(description="unique on the platform")
    sip_domain: Domain = Field(description="globally unique; what the brand's devices register at")
    enabled: bool = Field(True, description="false: calls and registrations of all its clients are refused")
    features: Annotated[list[BrandFeature], Field(max_length=6), AfterValidator(unique_items)] = Field(
        ["billing"], description="what its clients may be given; one that a client uses can't be removed"
    )
    max_calls: MaxCalls = 0
    max_call_s: MaxCallSeconds = None
    language: Language = Field("en", description="default of its clients, such as es or pt-BR")
    country: Country = Field(description="ISO 3166; default of its clients and numbers")
    timezone: Timezone = Field("UTC", description="IANA name; default of its clients")
    currency: Currency = Field("EUR", description="ISO 4217; default of its clients and carriers")
    invoice_data: InvoiceData = Field(InvoiceData(), description="who issues its invoices")
    recordings_quota_mb: Annotated[int, Field(ge=0, le=100_000_000)] | None = Field(
        None, description="room for recordings in megabytes; null: no limit"
    )
    emergency_caller: E164Number | None = Field(
        None, description="shown on emergency calls while call-control is away, when nobody knows the home's"
    )
    reject_spoofed: bool = Field(
        False, description="refuse calls from outside that show one of our own active numbers"
    )
    media_relay_set_ids: SetIds = Field(
        [DEFAULT_MEDIA_RELAY_SET], description="those it may use; the first is for clients that name none"
    )
    application_server_set_ids: SetIds = Field(
        [DEFAULT_APPLICATION_SERVER_SET], description="those it may use; the first is its clients' default"
    )
    notification_template_ids: TemplateIds = {}
    reset_credentials: bool = Field(
        False, description="with a new sip_domain: give all devices new passwords, shown once in the answer"
    )


class BrandReadOnly(ApiModel):
    """What is only read."""

    partition: int = Field(description="where the brand's live calls are counted, 0..63; chosen at creation")


async def _choose_partition(change: Change) -> None:
    """The least used one, so that brands spread over the nodes of a Redis Cluster (architecture 4)."""
    if change.action == "c":
        used = await change.tx.execute(select(TABLE.c.partition, func.count()).group_by(TABLE.c.partition))
        counts = {row[0]: row[1] for row in used}
        change.new["partition"] = min(range(PARTITIONS), key=lambda k: (counts.get(k, 0), k))


async def _keep_used_features(change: Change) -> None:
    """A feature that a client has cannot be taken from its brand."""
    if change.action != "u" or not change.differs("features") or change.old is None:
        return
    clients = change.resource.table_named("clients")
    for feature in sorted(set(change.old["features"]) - set(change.new["features"])):
        used = (
            any_(clients.c.features) == feature
            if feature != "billing"
            else clients.c.billing_method != "none"
        )
        count = await change.tx.scalar(
            select(func.count()).select_from(clients).where(clients.c.brand_id == change.old["id"], used)
        )
        if count:
            raise Conflict("feature_in_use", f"{feature}: still used by {count} clients")


async def _keep_used_sets(change: Change) -> None:
    """A set that a client uses cannot be taken from its brand."""
    if change.action != "u" or change.old is None:
        return
    clients = change.resource.table_named("clients")
    for kind in ("media_relay_set", "application_server_set"):
        for gone in sorted(set(change.old[f"{kind}_ids"]) - set(change.new[f"{kind}_ids"])):
            used = clients.c[f"{kind}_id"] == gone
            query = select(func.count()).select_from(clients)
            count = await change.tx.scalar(query.where(clients.c.brand_id == change.old["id"], used))
            if count:
                raise Conflict("set_in_use", f"{kind} {gone}: still used by {count} clients")


async def _credentials_follow_the_domain(change: Change) -> None:
    """Digest credentials contain the realm: with another domain none of the devices could register."""
    if change.action != "u" or not change.differs("sip_domain"):
        return
    devices = change.resource.table_named("devices")
    registering = select(func.count()).select_from(devices)
    count = await change.tx.scalar(
        registering.where(devices.c.brand_id == change.new["id"], devices.c.ha1.is_not(None))
    )
    given = change.given
    if count and not (isinstance(given, BrandFields) and given.reset_credentials):
        detail = f"{count} devices have passwords bound to the domain: send reset_credentials"
        raise Conflict("credentials_depend_on_domain", detail)


async def _new_credentials(change: Change) -> None:
    """New passwords for all devices that register, told once in this answer."""
    if change.action != "u" or change.old is None or change.old["sip_domain"] == change.new["sip_domain"]:
        return
    devices = change.registry.named("devices")
    own = devices.table.c.brand_id == change.new["id"]
    ids = await change.tx.execute(select(devices.table.c.id).where(own, devices.table.c.ha1.is_not(None)))
    told = []
    for device_id in ids.scalars().all():
        patch = {"reset_credentials": True}
        row, reveal = await update(change.tx, change.registry, devices, change.actor, device_id, patch)
        told.append({"device_id": str(device_id), "name": row["name"], **reveal})
    change.reveal["credentials"] = told


BRANDS = Resource(
    name="brands",
    entity="brand",
    table=TABLE,
    fields=BrandFields,
    read_only=BrandReadOnly,
    tenancy="platform",
    brand_column="id",
    rights=Rights(platform="crud", brand="r", client="r"),
    write_only=frozenset({"reset_credentials"}),
    hidden_from_client=frozenset(
        {
            "emergency_caller",
            "reject_spoofed",
            "invoice_data",
            "recordings_quota_mb",
            "partition",
            "max_calls",
            "media_relay_set_ids",
            "application_server_set_ids",
            "notification_template_ids",
        }
    ),
    filters=("name", "sip_domain", "enabled", "country", "currency", "features"),
    sorts=("name", "sip_domain"),
    references={
        "media_relay_set_ids": Reference("media_relay_sets", "media relay set"),
        "application_server_set_ids": Reference("application_server_sets", "application server set"),
    },
    unique={"brands_name_key": "name", "brands_sip_domain_key": "sip_domain"},
    rules=(_choose_partition, _keep_used_features, _keep_used_sets, _credentials_follow_the_domain),
    after=(_new_credentials,),
    stream=streams.CONFIG,
    about="Operators on the platform. The platform level writes; a brand and its clients read their own.",
)
