"""The `admins` resource: people who may log in, at one of three levels, seen by those above them.

The platform manages all admins; a brand those of its clients; a client none. Everyone reads and changes
their own account by `/auth/me`, `/auth/password` and `/auth/otp`.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from landline.chassis.resources import ApiModel, Change, Reference, Resource, Rights, owned_by_brand
from landline.chassis.resources.field_types import Email, Line, Timezone
from pydantic import Field
from sqlalchemy import BigInteger, Boolean, Column, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.accounts.passwords import Passwords, password_faults
from provisioning.accounts.rights import RightsByResource, known_resources, no_more_than_the_caller
from provisioning.accounts.sessions import revoke_admin
from provisioning.api.schema import METADATA

TABLE = Table(
    "admins",
    METADATA,
    *owned_by_brand(shared=True),
    Column("client_id", Uuid),
    Column("username", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("timezone", Text),
    Column("active", Boolean, nullable=False),
    Column("restricted", Boolean, nullable=False),
    Column("can_impersonate", Boolean, nullable=False),
    Column("rights", JSONB, nullable=False),
    Column("password_hash", Text),
    Column("otp_secret", Text),
    Column("otp_enabled", Boolean, nullable=False, server_default="false"),
    Column("otp_last_step", BigInteger, nullable=False, server_default="0"),
    Column("recovery_codes", JSONB, nullable=False, server_default="[]"),
)

Username = Annotated[str, Field(min_length=1, max_length=65, pattern=r"^[A-Za-z0-9._@+-]+$")]

_passwords = Passwords()

# Whoever loses or gains something must not go on with a token that says otherwise.
_ENDS_SESSIONS = ("active", "restricted", "can_impersonate", "rights", "password_hash", "otp_secret")
_NOT_ONESELF = ("active", "restricted", "can_impersonate", "rights")


class AdminFields(ApiModel):
    """What can be written of an admin. brand_id and client_id null: platform; client_id null: the brand's."""

    client_id: UUID | None = Field(None, description="the client that it administers")
    username: Username = Field(description="unique on the platform, whatever its case")
    name: Annotated[Line, Field(max_length=80)] = Field("", description="of the person")
    email: Email | None = Field(None, description="where password resets are sent; null: none can be")
    timezone: Timezone | None = Field(
        None, description="IANA name, for showing times; null: left to the portal"
    )
    password: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="at least 10 characters; never read back"
    )
    active: bool = Field(True, description="false: can't log in")
    restricted: bool = Field(False, description="only what `rights` says; not listed there: read only")
    can_impersonate: bool = Field(
        False, description="always true for one that is not restricted, above clients"
    )
    rights: RightsByResource = Field(
        {}, description="letters of crud by resource; they count while restricted is true"
    )
    reset_otp: bool = Field(
        False, description="remove the second factor of somebody who lost it, and end all sessions"
    )


class AdminReadOnly(ApiModel):
    """What is only read."""

    otp_enabled: bool = Field(description="has a second factor in force")


async def _below_the_caller(change: Change) -> None:
    """A brand makes admins of its clients only: not its peers, not its operators."""
    if change.principal.level == "brand" and change.new["client_id"] is None:
        change.refuse("client_id", "required", "say of which client")


async def _not_oneself(change: Change) -> None:
    """Nobody locks itself out, or widens its own rights; so the last platform admin can't vanish either."""
    if change.old is None or str(change.old["id"]) != change.principal.admin_id:
        return
    names = ["id"] if change.action == "d" else [n for n in _NOT_ONESELF if change.differs(n)]
    for name in names:
        change.refuse(name, "own_account", "not on your own account")


async def _impersonation_is_not_theirs_to_give(change: Change) -> None:
    if change.principal.rights is None or change.action == "d":
        return
    if change.new["can_impersonate"] and change.differs("can_impersonate"):
        change.refuse("can_impersonate", "more_than_own", "not yours to give")


async def _may_impersonate(change: Change) -> None:
    if change.new["client_id"] is not None:
        change.new["can_impersonate"] = False
    elif not change.new["restricted"]:
        change.new["can_impersonate"] = True


async def _set_password(change: Change) -> None:
    given = change.given.password if isinstance(change.given, AdminFields) else None
    if given is not None and "password" in change.sent:
        for code, message in password_faults(given, change.new["username"]):
            change.refuse("password", code, message)
        if not change.errors:
            change.new["password_hash"] = await _passwords.hash(given)
    elif change.new["active"] and change.new.get("password_hash") is None and change.action != "d":
        change.refuse("password", "required", "an active admin needs a password")


async def _reset_otp(change: Change) -> None:
    """For who lost device and codes; one's own goes by `/auth/otp/disable`, which asks for a code."""
    given = change.given
    if change.old is None or not isinstance(given, AdminFields) or not given.reset_otp:
        return
    if str(change.old["id"]) == change.principal.admin_id:
        change.refuse("reset_otp", "own_account", "not on your own account: use auth/otp/disable")
    change.new.update(otp_enabled=False, otp_secret=None, recovery_codes=[])


async def _end_sessions(change: Change) -> None:
    lost = change.action == "d" or any(change.differs(name) for name in _ENDS_SESSIONS)
    if change.old is not None and lost and not change.errors:
        await revoke_admin(change.tx, str(change.old["id"]), "changed by an operator")


ADMINS = Resource(
    name="admins",
    entity="admin",
    table=TABLE,
    fields=AdminFields,
    read_only=AdminReadOnly,
    tenancy="brand",
    shared=True,
    rights=Rights(client=""),
    create_only=frozenset({"client_id"}),
    write_only=frozenset({"password", "reset_otp"}),
    secret_columns=frozenset({"password_hash", "otp_secret", "otp_last_step", "recovery_codes"}),
    filters=("brand_id", "client_id", "username", "email", "active", "restricted"),
    sorts=("username",),
    references={"brand_id": Reference("brands", "brand"), "client_id": Reference("clients", "client")},
    unique={"admins_username": "username"},
    rules=(
        _below_the_caller,
        _not_oneself,
        known_resources,
        no_more_than_the_caller,
        _impersonation_is_not_theirs_to_give,
        _may_impersonate,
        _set_password,
        _reset_otp,
        _end_sessions,
    ),
    about="People who log in. The platform manages all; a brand those of its clients.",
)
