"""The `api-keys` resource: keys of integrators, with the same rights as admins have (domain section 3).

A key stands at the platform, at a brand or at a client, never expires by itself unless told so, and works on
all four services. It is shown once; what is kept is its SHA-256 and the prefix by which it is looked up.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from landline.chassis.problems import Forbidden
from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Description, Name
from landline.contracts import streams
from landline.kernel.clock import utc
from pydantic import AwareDatetime, Field
from sqlalchemy import Boolean, Column, DateTime, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.accounts.rights import RightsByResource, known_resources, no_more_than_the_caller
from provisioning.api.random_keys import KeyReadOnly, key_columns, mint_key, with_hash
from provisioning.api.schema import METADATA

LONGEST_LIFE = timedelta(days=10 * 366)

TABLE = Table(
    "api_keys",
    METADATA,
    *owned_by_brand(shared=True),
    Column("client_id", Uuid),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("restricted", Boolean, nullable=False),
    Column("rights", JSONB, nullable=False),
    Column("created_by", Text, nullable=False),
    *key_columns(),
)


class ApiKeyFields(ApiModel):
    """What can be written of a key. brand_id and client_id null: platform; client_id null: the brand's.

    Creating one answers `key`, once.
    """

    client_id: UUID | None = Field(None, description="the client as which it acts")
    name: Name = Field(description="unique among the keys of one owner; what the audit log shows")
    description: Description = Field("", description="free text for people")
    active: bool = Field(True, description="false: revoked, on every service within moments")
    expires_at: AwareDatetime | None = Field(None, description="null: good until it is revoked")
    restricted: bool = Field(False, description="only what `rights` says; not listed there: read only")
    rights: RightsByResource = Field(
        {}, description="letters of crud by resource; they count while restricted is true"
    )
    reset_key: bool = Field(False, description="make a new key; the old one stops within moments")


class ApiKeyReadOnly(KeyReadOnly):
    """What is only read."""

    created_by: str = Field(description="user name of whoever made it")


async def _not_by_a_key(change: Change) -> None:
    """A key that leaked must not make itself successors, nor outlive its end."""
    if change.principal.key_id is not None:
        raise Forbidden("API keys are managed by people", code="people_only")


async def _in_the_future(change: Change) -> None:
    if change.action == "d" or not change.differs("expires_at") or change.new["expires_at"] is None:
        return
    now, end = utc(change.actor.now_ms), change.new["expires_at"]
    if not now < end < now + LONGEST_LIFE:
        change.refuse("expires_at", "out_of_range", "a moment in the next ten years")


async def _note_the_maker(change: Change) -> None:
    if change.action == "c":
        change.new["created_by"] = change.principal.username or change.principal.level


API_KEYS = Resource(
    name="api-keys",
    entity="api_key",
    table=TABLE,
    fields=ApiKeyFields,
    read_only=ApiKeyReadOnly,
    tenancy="brand",
    client_column="client_id",
    shared=True,
    rights=Rights(platform="crud", brand="crud", client="crud"),
    client_edits=None,
    create_only=frozenset({"client_id"}),
    write_only=frozenset({"reset_key"}),
    secret_columns=frozenset({"key_sha256"}),
    filters=("name", "active", "restricted", "expires_at", "key_prefix", "created_by", "last_used_at"),
    sorts=("name",),
    references={"brand_id": Reference("brands", "brand"), "client_id": Reference("clients", "client")},
    unique={"api_keys_owner_name": "name", "api_keys_prefix": "key_prefix"},
    rules=(
        _not_by_a_key,
        _in_the_future,
        known_resources,
        no_more_than_the_caller,
        _note_the_maker,
        mint_key,
    ),
    publish=with_hash,
    stream=streams.CONFIG,
    about="Keys of integrators: named, with rights, expiring, revocable. Good on all services.",
)
