"""Who a session acts as: an admin at its own level, or below by impersonation; how others see it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from landline.chassis.auth import Principal
from landline.chassis.principal import PersonLevel, level_of
from landline.chassis.resources import Actor, audit
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts.tokens import Identity

Admin = Row[Any]

_BY_NAME = text("select * from admins where lower(username) = lower(:username)")
_BY_ID = text("select * from admins where id = :id")
_BRAND = text("select id as brand_id, null as client_id from brands where id = :id")
_CLIENT = text("select brand_id, id as client_id from clients where id = :id")


async def admin_named(tx: AsyncConnection, username: str) -> Admin | None:
    """The admin of a user name, whatever its case."""
    return (await tx.execute(_BY_NAME, {"username": username})).first()


async def admin_of(tx: AsyncConnection, admin_id: UUID) -> Admin | None:
    """The admin of an id."""
    return (await tx.execute(_BY_ID, {"id": admin_id})).first()


async def place_of(tx: AsyncConnection, brand_id: UUID | None, client_id: UUID | None) -> Row[Any] | None:
    """(brand_id, client_id) of a client or, without one, of a brand, if this scope sees it."""
    statement, target = (_CLIENT, client_id) if client_id is not None else (_BRAND, brand_id)
    return (await tx.execute(statement, {"id": target})).first()


def own_identity(admin: Admin) -> Identity:
    """An admin where it stands."""
    return _identity(admin, admin.brand_id, admin.client_id, impersonator_id=None)


def acting_identity(admin: Admin, brand_id: UUID | None, client_id: UUID | None) -> Identity:
    """An admin who acts as a brand or client below it."""
    return _identity(admin, brand_id, client_id, impersonator_id=str(admin.id))


def _identity(
    admin: Admin, brand_id: UUID | None, client_id: UUID | None, impersonator_id: str | None
) -> Identity:
    level: PersonLevel = level_of(brand_id, client_id)
    return Identity(
        admin_id=str(admin.id),
        username=admin.username,
        level=level,
        brand_id=None if brand_id is None else str(brand_id),
        client_id=None if client_id is None else str(client_id),
        impersonator_id=impersonator_id,
        rights=dict(admin.rights) if admin.restricted else None,
    )


async def identity_of(tx: AsyncConnection, session: Row[Any]) -> Identity | None:
    """As whom a session goes on, by the admin's present rights; None when it may not."""
    admin = await admin_of(tx, session.admin_id)
    if admin is None or not admin.active:
        return None
    if not session.impersonating:
        return own_identity(admin)
    there = await place_of(tx, session.acting_brand_id, session.acting_client_id)
    if there is None or not admin.can_impersonate:
        return None
    return acting_identity(admin, session.acting_brand_id, session.acting_client_id)


def principal_of(identity: Identity, sid: str | None = None) -> Principal:
    """The identity as any service sees it by its token."""
    return Principal(
        level=identity.level,
        brand_id=identity.brand_id,
        client_id=identity.client_id,
        admin_id=identity.admin_id,
        username=identity.username,
        sid=sid,
        impersonator_id=identity.impersonator_id,
        rights=identity.rights,
    )


async def note(tx: AsyncConnection, actor: Actor, resource: str, entity_id: str, action: str) -> None:
    """An audit entry of something done that changes no field of a row: a login, a new password."""
    who = actor.principal
    await audit.record(
        tx,
        actor,
        resource=resource,
        entity_id=entity_id,
        action=action,
        changes={},
        brand_id=UUID(who.brand_id) if who.brand_id else None,
        client_id=UUID(who.client_id) if who.client_id else None,
    )
