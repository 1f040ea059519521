"""Create, change and delete: checks, row, audit entry and event, all in the caller's transaction.

These are plain functions on a transaction, so that other use cases (imports, bulk, the demo) can call them.
The row is locked before anything is written: the outbox relies on that for order per entity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.auth import Principal
from landline.chassis.problems import (
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    field_errors,
)
from landline.chassis.resources.checking import check, check_editable, place_in_tenant, touches
from landline.chassis.resources.declaration import Actor, Change, Hook, Registry, Resource, Row
from landline.chassis.resources.field_types import ApiModel
from landline.chassis.resources.needs import needing, refuse_while_needed
from landline.chassis.resources.scope import in_scope
from landline.chassis.resources.trail import leave_trail
from landline.chassis.resources.wire import patched, to_columns
from landline.kernel.clock import utc
from landline.kernel.ids import uuid7


async def fetch(
    tx: AsyncConnection, resource: Resource, principal: Principal, row_id: UUID, *, lock: bool = False
) -> Row:
    """A row in the caller's scope; NotFound otherwise."""
    statement = select(resource.table).where(resource.table.c.id == row_id, *in_scope(resource, principal))
    row = (await tx.execute(statement.with_for_update() if lock else statement)).mappings().first()
    if row is None:
        raise NotFound(f"no such {resource.entity.replace('_', ' ')}")
    return dict(row)


async def create(
    tx: AsyncConnection, registry: Registry, resource: Resource, actor: Actor, given: ApiModel
) -> tuple[Row, Row]:
    """Create a row: (row, fields revealed once). `given` is of the resource's create schema."""
    change = await check_new(tx, registry, resource, actor, given)
    with _constraints(resource):
        statement = resource.table.insert().values(change.new).returning(resource.table)
        row = (await tx.execute(statement)).mappings().one()
    return await leave_trail(registry, change, dict(row)), change.reveal


async def check_new(
    tx: AsyncConnection, registry: Registry, resource: Resource, actor: Actor, given: ApiModel
) -> Change:
    """Everything `create` does before it writes: the change with the row as it would be. For bulk writers."""
    resource.require(actor.principal, "c")
    new = {**to_columns(resource, given), "id": uuid7(actor.now_ms), "version": 1}
    new["created_at"] = new["updated_at"] = utc(actor.now_ms)
    sent = frozenset(given.model_fields_set)
    change = Change(tx, registry, actor, resource, "c", None, new, given, sent)
    await place_in_tenant(change)
    check_editable(change, sent - {"brand_id", "client_id"})
    await check(change)
    return change


async def update(
    tx: AsyncConnection,
    registry: Registry,
    resource: Resource,
    actor: Actor,
    row_id: UUID,
    patch: Row,
    if_match: str | None = None,
    without: Collection[Hook] = (),
    also: Collection[Hook] = (),
    was: Row | None = None,
) -> tuple[Row, Row]:
    """Apply a JSON merge patch: (row, fields revealed once). A patch that changes nothing writes nothing.

    `without`: rules left out, for a use case that is the allowed way round them; `also`: rules of its own.
    `was`: what columns held that this transaction moved out of another row's way; the patch gives them anew.
    """
    resource.require(actor.principal, "u")
    old = {**await _fetch_to_write(tx, resource, actor, row_id), **(was or {})}
    _check_version(old, if_match)
    given = _merged(resource, old, patch)
    new = {**old, **to_columns(resource, given)}
    change = Change(tx, registry, actor, resource, "u", old, new, given, frozenset(patch))
    check_editable(change, {n for n in patch if touches(change, n)})
    await check(change, without, also)
    changed = {key: value for key, value in change.new.items() if value != old[key]}
    if not changed:
        return old, change.reveal
    changed |= {"version": old["version"] + 1, "updated_at": utc(actor.now_ms)}
    with _constraints(resource):
        statement = resource.table.update().where(resource.table.c.id == row_id).values(changed)
        row = (await tx.execute(statement.returning(resource.table))).mappings().one()
    return await leave_trail(registry, change, dict(row)), change.reveal


def _merged(resource: Resource, old: Row, patch: Row) -> ApiModel:
    try:
        return resource.fields.model_validate(patched(resource, old, patch))
    except ValidationError as error:
        raise InvalidInput(field_errors(error.errors())) from None


async def delete(
    tx: AsyncConnection,
    registry: Registry,
    resource: Resource,
    actor: Actor,
    row_id: UUID,
    if_match: str | None = None,
) -> None:
    """Delete a row; Conflict lists what still needs it."""
    resource.require(actor.principal, "d")
    old = await _fetch_to_write(tx, resource, actor, row_id)
    _check_version(old, if_match)
    change = Change(tx, registry, actor, resource, "d", old, dict(old))
    for rule in resource.rules:
        await rule(change)
    if change.errors:
        raise InvalidInput(change.errors)
    await refuse_while_needed(tx, registry, resource, row_id)
    for need in registry.needs(resource.table.name):
        if need.reference.cascade:
            for part in await needing(tx, need, row_id):
                await delete(tx, registry, need.resource, actor, part)
    with _constraints(resource, deleting=True):
        await tx.execute(resource.table.delete().where(resource.table.c.id == row_id))
    await leave_trail(registry, change, {**old, "version": old["version"] + 1})


async def _fetch_to_write(tx: AsyncConnection, resource: Resource, actor: Actor, row_id: UUID) -> Row:
    """The row, locked. What the platform shares can be read by everyone and written by the platform only."""
    if resource.shared and actor.principal.level in ("brand", "client"):
        row = await fetch(tx, resource, actor.principal, row_id)
        if row["brand_id"] is None:
            raise Forbidden("this belongs to the platform", code="no_right")
    if resource.unowned_readable and actor.principal.level == "client":
        row = await fetch(tx, resource, actor.principal, row_id)
        if row[str(resource.client_column)] is None:
            raise Forbidden("this belongs to the brand", code="no_right")
    return await fetch(tx, resource, actor.principal, row_id, lock=True)


def _check_version(row: Row, if_match: str | None) -> None:
    accepted = {tag.strip().removeprefix("W/") for tag in (if_match or "*").split(",")}
    if "*" not in accepted and etag(row) not in accepted:
        raise PreconditionFailed(f"the version now is {row['version']}")


def etag(row: Row) -> str:
    """The entity tag of a row: its version."""
    return f'"{row.get("version", 1)}"'


@contextmanager
def _constraints(resource: Resource, *, deleting: bool = False) -> Iterator[None]:
    """What the database refuses, as our errors: it decides races that checks before the write can't see."""
    try:
        yield
    except IntegrityError as error:
        cause = getattr(error.orig, "__cause__", None)
        state, name = str(getattr(cause, "sqlstate", "")), str(getattr(cause, "constraint_name", ""))
        if state == "23505" and name in resource.unique:
            field = resource.unique[name]
            message = "another one has this already"
            raise Conflict(
                f"{field}_taken", f"{field}: {message}", errors=[FieldError(field, "taken", message)]
            ) from error
        if state == "23503":
            raise Conflict(
                "still_needed" if deleting else "reference_gone", "a related row came or went"
            ) from error
        raise
