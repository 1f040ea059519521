"""Registrations at DDI providers that want one before they bring calls in (model-system 1.4)."""

from __future__ import annotations

import hashlib
from typing import Annotated
from uuid import UUID

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, Row, owned_by_brand
from landline.chassis.resources.field_types import Line
from landline.chassis.secrets import Keyring
from landline.contracts import streams
from pydantic import Field
from sqlalchemy import Boolean, Column, Integer, Table, Text, Uuid

from provisioning.api.field_types import Domain, SipUser
from provisioning.api.schema import METADATA

TABLE = Table(
    "ddi_provider_registrations",
    METADATA,
    *owned_by_brand(),
    Column("ddi_provider_id", Uuid, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("username", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("realm", Text),
    Column("auth_username", Text),
    Column("auth_ha1", Text),
    Column("auth_proxy", Text),
    Column("expires_s", Integer, nullable=False),
    Column("contact_username", Text),
)


class DdiProviderRegistrationFields(ApiModel):
    """What an edge registers as. The password is kept only as HA1, encrypted, and never shown."""

    ddi_provider_id: UUID = Field(description="the provider at which it registers")
    enabled: bool = Field(True, description="false: no edge registers it")
    username: SipUser = Field(description="the account at the provider; unique in its domain")
    domain: Domain = Field(description="the provider's SIP domain")
    realm: Annotated[Line, Field(min_length=1, max_length=190, pattern=r'^[^:"]+$')] | None = Field(
        None, description="of its challenges; null: the domain"
    )
    auth_username: SipUser | None = Field(None, description="null: username")
    auth_password: Annotated[Line, Field(min_length=1, max_length=64)] | None = Field(
        None, description="of the account; never shown"
    )
    auth_proxy: Annotated[str, Field(max_length=200, pattern=r"^sips?:[A-Za-z0-9.:;=\[\]-]+$")] | None = (
        Field(None, description="SIP URI that REGISTER goes through; null: by the domain")
    )
    expires_s: Annotated[int, Field(ge=60, le=86_400)] = Field(
        3600, description="seconds that a registration is asked for"
    )
    contact_username: SipUser | None = Field(
        None,
        description="user of our Contact, and the number called there, believed only from the registrar or "
        "from an address of the provider; null: a random one, believed from anywhere, and To says which "
        "number is called",
    )


async def _keep_auth_as_ha1(change: Change) -> None:
    """HA1 = MD5(user:realm:password), RFC 7616 3.4.2: a new user or realm needs the password again."""
    given, new = change.given, change.new
    if change.action == "d":
        return
    assert isinstance(given, DdiProviderRegistrationFields)
    if given.auth_password is not None:
        user, realm = given.auth_username or given.username, given.realm or given.domain
        text = f"{user}:{realm}:{given.auth_password}"
        ha1 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        place = f"ddi_provider_registration:{new['id']}"
        new["auth_ha1"] = Keyring.of(change.actor.settings).seal(ha1, place)
        return
    new.setdefault("auth_ha1", None)
    names = ("username", "auth_username", "domain", "realm")
    if new["auth_ha1"] is None or any(change.differs(name) for name in names):
        change.refuse("auth_password", "required", "needed at first, and with another user or realm")


def _with_ha1(row: Row, data: Row) -> Row:
    return {**data, "auth_ha1": row["auth_ha1"]}


DDI_PROVIDER_REGISTRATIONS = Resource(
    name="ddi-provider-registrations",
    entity="ddi_provider_registration",
    table=TABLE,
    fields=DdiProviderRegistrationFields,
    tenancy="brand",
    parent="ddi_provider_id",
    rights=Rights(client=""),
    create_only=frozenset({"ddi_provider_id"}),
    write_only=frozenset({"auth_password"}),
    secret_columns=frozenset({"auth_ha1"}),
    filters=("ddi_provider_id", "enabled", "username", "domain"),
    sorts=("username", "domain"),
    references={"ddi_provider_id": Reference("ddi_providers", "DDI provider", cascade=True)},
    unique={
        "ddi_provider_registrations_username_domain_key": "username",
        "ddi_provider_registrations_contact_username_key": "contact_username",
    },
    key=("ddi_provider_id", "domain", "username"),
    rules=(_keep_auth_as_ha1,),
    publish=_with_ha1,
    stream=streams.CONFIG,
    about="Accounts that edges register at DDI providers, so that these know where to send calls. "
    "GET ddi-provider-registrations/{id}/status says how it goes.",
)
