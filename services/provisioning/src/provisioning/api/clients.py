"""Residential clients: all fields of domain section 2, with the rules that depend on their brand."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from landline.chassis.problems import Conflict
from landline.chassis.resources import (
    Change,
    Micros,
    MoneyText,
    Reference,
    Resource,
    Rights,
    owned_by_brand,
)
from landline.chassis.resources.field_types import (
    Country,
    Currency,
    Email,
    Language,
    Name,
    Timezone,
    unique_items,
)
from landline.contracts import streams
from pydantic import AfterValidator, Field
from sqlalchemy import ARRAY, Boolean, Column, Integer, SmallInteger, Table, Text, Uuid, func, select
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.adapters.peers import Peers
from provisioning.api.field_types import InvoiceData, MaxCalls, MaxCallSeconds
from provisioning.api.notification_templates import TemplateIds
from provisioning.api.risk_limits import (
    ClientRiskFields,
    OperatorLimits,
    operator_column,
    risk_columns,
    tighten_only,
)
from provisioning.api.schema import METADATA
from provisioning.domain.client_rules import client_refusals
from provisioning.domain.risk_limits import LIMITS

TABLE = Table(
    "clients",
    METADATA,
    *owned_by_brand(),
    Column("name", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("billing_method", Text, nullable=False),
    Column("features", ARRAY(Text), nullable=False),
    Column("language", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("transformation_set_id", Uuid),
    Column("max_calls", Integer, nullable=False),
    Column("max_call_s", Integer),
    Column("ip_filter", Boolean, nullable=False),
    Column("geoip_countries", ARRAY(Text), nullable=False),
    Column("max_daily_usage_micros", Micros),
    Column("daily_usage_alerts", ARRAY(SmallInteger), nullable=False),
    Column("daily_usage_emails", ARRAY(Text), nullable=False),
    Column("client_spend_cap_micros", Micros),
    Column("credit_limit_micros", Micros),
    Column("invoice_data", JSONB, nullable=False),
    Column("show_billing_details", Boolean, nullable=False),
    Column("outgoing_ddi_id", Uuid),
    Column("withhold_number", Boolean, nullable=False),
    Column("allow_recording_removal", Boolean, nullable=False),
    Column("outage_policy", Text, nullable=False),
    Column("distribution", Text, nullable=False),
    Column("media_relay_set_id", Uuid, nullable=False),
    Column("application_server_set_id", Uuid, nullable=False),
    Column("notification_template_ids", JSONB, nullable=False),
    *risk_columns(nullable=True),
    operator_column(),
)

DailyMoney = Annotated[int, MoneyText(decimals=2, least="0", most="999999.99")]
Percent = Annotated[int, Field(ge=1, le=100)]
ClientFeature = Literal["faxes", "recordings", "voicemail"]
_DEFAULTS_OF_BRAND = ("language", "country", "timezone", "currency")


class ClientFields(ClientRiskFields):
    """What can be written of a client. Language, country, timezone and currency default to the brand's."""

    name: Name = Field(description="unique in the brand")
    enabled: bool = Field(
        True, description="false: its calls and registrations are refused; emergency calls go on"
    )
    billing_method: Literal["postpaid", "prepaid", "pseudoprepaid", "none"] = Field(
        "postpaid",
        description="none is all there is without the brand's feature billing, and then the default",
    )
    features: Annotated[list[ClientFeature], Field(max_length=3), AfterValidator(unique_items)] = Field(
        [], description="only those that its brand has; one that a DDI still uses stays"
    )
    language: Language | None = Field(
        None, description="of its mails and announcements, such as es or pt-BR; default: the brand's"
    )
    country: Country | None = Field(
        None, description="ISO 3166, where its numbers and emergency calls belong; default: the brand's"
    )
    timezone: Timezone | None = Field(
        None, description="IANA name; its day for limits and times of calls; default: the brand's"
    )
    currency: Currency | None = Field(
        None, description="ISO 4217, of all its money; fixed once money moved; default: the brand's"
    )
    transformation_set_id: UUID | None = Field(
        None, description="how it dials and is shown numbers; null: they are taken as they are"
    )
    max_calls: MaxCalls = Field(0, description="calls in and out together, 0 = unlimited")
    max_call_s: MaxCallSeconds = None
    ip_filter: bool = Field(
        False, description="true: calls and registrations only from authorized sources or geoip_countries"
    )
    geoip_countries: Annotated[list[Country], Field(max_length=250), AfterValidator(unique_items)] = Field(
        [], description="ISO 3166, allowed as source when ip_filter is true; empty: none"
    )
    max_daily_usage: DailyMoney | None = Field(None, description="per local day; null = no limit")
    daily_usage_alerts: Annotated[list[Percent], Field(max_length=10), AfterValidator(unique_items)] = Field(
        [80, 100],
        description="percent of the daily limit at which a mail warns, once a day each",
    )
    daily_usage_emails: Annotated[list[Email], Field(max_length=20), AfterValidator(unique_items)] = Field(
        [], description="who gets those mails; empty: nobody; the client may edit it"
    )
    client_spend_cap: DailyMoney | None = Field(
        None, description="the client's own, lower daily limit, which it may edit; null: none"
    )
    credit_limit: Annotated[int, MoneyText(decimals=2)] | None = Field(
        None, description="of postpaid only: how far below zero the balance may go; null: no limit"
    )
    invoice_data: InvoiceData = Field(InvoiceData(), description="who its invoices are made out to")
    show_billing_details: bool = Field(
        False, description="false: prices, rating profiles and invoices are hidden from its people"
    )
    outgoing_ddi_id: UUID | None = Field(
        None, description="the number shown when nothing else gives one; null: none; the client may edit it"
    )
    withhold_number: bool = Field(
        False, description="call anonymously unless a call asks otherwise; the client may edit it"
    )
    allow_recording_removal: bool = Field(True, description="false: its people can't delete recordings")
    outage_policy: Literal["deny", "domestic", "allow"] = Field(
        "deny",
        description="of calls out while limits or rates are away: refuse, ordinary numbers at home, or allow",
    )
    distribution: Literal["hash", "round-robin", "static"] = Field(
        "hash",
        description="over the servers of its set: always the same by its id, by turns, or always the first",
    )
    media_relay_set_id: UUID | None = Field(None, description="one of the brand's; null: its first")
    application_server_set_id: UUID | None = Field(None, description="one of the brand's; null: its first")
    notification_template_ids: TemplateIds = {}


async def _default_to_brand(change: Change) -> None:
    if change.action == "d":
        return
    brand = await change.find("brands", change.new["brand_id"])
    if brand is None:
        change.refuse("brand_id", "not_found", "no such brand")
        return
    for column in _DEFAULTS_OF_BRAND:
        change.new[column] = change.new[column] or brand[column]
    if change.action == "c" and "billing_method" not in change.sent and "billing" not in brand["features"]:
        change.new["billing_method"] = "none"
    for kind in ("media_relay_set", "application_server_set"):
        change.new[f"{kind}_id"] = change.new[f"{kind}_id"] or brand[f"{kind}_ids"][0]
    change.new["daily_usage_alerts"] = sorted(change.new["daily_usage_alerts"])
    for refusal in client_refusals(change.new, dict(brand)):
        change.refuse(*refusal)


async def _keep_currency(change: Change) -> None:
    """The ledger and the calls on it count in it: once money moved, it stays. Only billing knows whether."""
    if change.action != "u" or not change.differs("currency") or change.errors:
        return
    peers, client_id = Peers(change.actor.settings), str(change.new["id"])
    if await peers.money_moved(client_id) or await peers.live_calls(client_id):
        change.refuse("currency", "currency_frozen", "money moved already: the currency stays")


async def _not_while_calls_live(change: Change) -> None:
    """A client that goes would leave calls that nobody is charged for."""
    if change.action == "d":
        live = await Peers(change.actor.settings).live_calls(str(change.new["id"]))
        if live:
            raise Conflict("calls_live", f"{live} calls are live: hang them up, or wait until they end")


async def _keep_used_features(change: Change) -> None:
    """Numbers that record or lead to a box need the feature: they would silently no longer do so."""
    if change.action != "u" or change.old is None:
        return
    ddis = change.resource.table_named("ddis").c
    uses = {
        "recordings": ddis.record != "none",
        "faxes": ddis.target == "fax",
        "voicemail": ddis.target == "voicemail",
    }
    for feature in sorted(set(change.old["features"]) - set(change.new["features"])):
        own = (ddis.client_id == change.new["id"], uses[feature])
        if count := await change.tx.scalar(select(func.count()).where(*own)):
            raise Conflict("feature_in_use", f"{feature}: {count} DDIs still use it")


_PLATFORM_DATA = frozenset({"distribution", "media_relay_set_id", "application_server_set_id"})

CLIENTS = Resource(
    name="clients",
    entity="client",
    table=TABLE,
    fields=ClientFields,
    read_only=OperatorLimits,
    tenancy="brand",
    client_column="id",
    rights=Rights(platform="crud", brand="crud", client="ru"),
    client_edits=frozenset(
        {"daily_usage_emails", "client_spend_cap", "outgoing_ddi_id", "withhold_number", *LIMITS}
    ),
    platform_edits=_PLATFORM_DATA,
    hidden_from_client=_PLATFORM_DATA | {"notification_template_ids"},
    finders={"name": "clients_containing"},
    filters=(
        "name",
        "enabled",
        "billing_method",
        "features",
        "country",
        "currency",
        "timezone",
        "language",
        "ip_filter",
        "max_calls",
        "max_daily_usage",
        "transformation_set_id",
        "media_relay_set_id",
        "application_server_set_id",
    ),
    sorts=("name", "max_calls"),
    references={
        "brand_id": Reference("brands", "brand"),
        "transformation_set_id": Reference("transformation_sets", "transformation set", shared=True),
        "outgoing_ddi_id": Reference("ddis", "DDI of this client", same_client=True),
        "media_relay_set_id": Reference("media_relay_sets", "media relay set"),
        "application_server_set_id": Reference("application_server_sets", "application server set"),
    },
    unique={"clients_brand_id_name_key": "name"},
    rules=(_default_to_brand, _keep_used_features, _keep_currency, _not_while_calls_live, tighten_only),
    stream=streams.CONFIG,
    about="Residential clients. The brand writes; a client reads itself and edits a few fields.",
)
