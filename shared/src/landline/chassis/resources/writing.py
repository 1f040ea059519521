"""Create, change and delete: checks, row, audit entry and event, all in the caller's transaction.

These are plain functions on a transaction, so that other use cases (imports, bulk, the demo) can call them.
The row is locked before anything is written: the outbox relies on that for order per entity.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import ARRAY, RowMapping, Select, any_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis import outbox
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
from landline.chassis.resources import audit
from landline.chassis.resources.declaration import (
    Actor,
    Change,
    Hook,
    Need,
    Reference,
    Registry,
    Resource,
    Row,
)
from landline.chassis.resources.field_types import ApiModel
from landline.chassis.resources.listing import in_scope
from landline.chassis.resources.wire import field_value, patched, to_columns, to_wire
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import EntityChanged
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
    return await _written(registry, change, dict(row)), change.reveal


async def check_new(
    tx: AsyncConnection, registry: Registry, resource: Resource, actor: Actor, given: ApiModel
) -> Change:
    """Everything `create` does before it writes: the change with the row as it would be. For bulk writers."""
    resource.require(actor.principal, "c")
    new = {**to_columns(resource, given), "id": uuid7(actor.now_ms), "version": 1}
    new["created_at"] = new["updated_at"] = utc(actor.now_ms)
    sent = frozenset(given.model_fields_set)
    change = Change(tx, registry, actor, resource, "c", None, new, given, sent)
    await _place(change)
    _check_editable(change, sent - {"brand_id", "client_id"})
    await _check(change)
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
    try:
        given = resource.fields.model_validate(patched(resource, old, patch))
    except ValidationError as error:
        raise InvalidInput(field_errors(error.errors())) from None
    change = Change(
        tx,
        registry,
        actor,
        resource,
        "u",
        old,
        {**old, **to_columns(resource, given)},
        given,
        frozenset(patch),
    )
    _check_editable(change, {n for n in patch if _touches(change, n)})
    await _check(change, without, also)
    changed = {key: value for key, value in change.new.items() if value != old[key]}
    if not changed:
        return old, change.reveal
    changed |= {"version": old["version"] + 1, "updated_at": utc(actor.now_ms)}
    with _constraints(resource):
        statement = resource.table.update().where(resource.table.c.id == row_id).values(changed)
        row = (await tx.execute(statement.returning(resource.table))).mappings().one()
    return await _written(registry, change, dict(row)), change.reveal


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
    await _clear_needs(tx, registry, resource, actor, row_id)
    with _constraints(resource, deleting=True):
        await tx.execute(resource.table.delete().where(resource.table.c.id == row_id))
    await _written(registry, change, {**old, "version": old["version"] + 1})


async def _check(change: Change, without: Collection[Hook] = (), also: Collection[Hook] = ()) -> None:
    """References and rules; everything that is wrong is answered together."""
    for name, reference in change.resource.references.items():
        await _check_reference(change, name, reference)
    if not change.errors:
        for rule in (*change.resource.rules, *also):
            if rule not in without:
                await rule(change)
    if change.errors:
        raise InvalidInput(change.errors)


async def _place(change: Change) -> None:
    """Whose the new row is: from the caller's scope, else from what the input says."""
    resource, principal, new = change.resource, change.principal, change.new
    if resource.tenancy == "platform":
        return
    given_brand, given_client = new.get("brand_id"), new.get("client_id")
    if principal.level == "client" and "client_id" in resource.table.c:
        new["client_id"] = UUID(str(principal.client_id))
    new["brand_id"] = UUID(principal.brand_id) if principal.brand_id else given_brand
    if new["brand_id"] is None and new.get(resource.parent):
        parent = resource.references[resource.parent]
        row = await change.find(parent.table_name, new[resource.parent], parent.key)
        new["brand_id"] = row["brand_id"] if row else None
    _check_place(change, given_brand, given_client)


def _check_place(change: Change, given_brand: UUID | None, given_client: UUID | None) -> None:
    new = change.new
    if given_brand is not None and given_brand != new["brand_id"]:
        change.refuse("brand_id", "not_found", "no such brand")
    if given_client is not None and given_client != new.get("client_id"):
        change.refuse("client_id", "not_found", "no such client")
    if change.resource.tenancy == "client" and new.get("client_id") is None:
        change.refuse("client_id", "required", "say whose it is")
    elif new["brand_id"] is None and not change.resource.shared:
        parent = change.resource.parent
        if new.get(parent):
            change.refuse(parent, "not_found", f"no such {change.resource.references[parent].label}")
        else:
            change.refuse("brand_id", "required", "say for which brand")
    if change.errors:
        raise InvalidInput(change.errors)


async def _check_reference(change: Change, name: str, reference: Reference) -> None:
    column = change.resource.column(name)
    value = change.new.get(column.key if column is not None else name)
    if value is None or not change.differs(column.key if column is not None else name):
        return
    for one in value if isinstance(value, list) else [value]:
        row = await change.find(reference.table_name, one, reference.key)
        if row is None or not _fits(row, reference, change.new):
            change.refuse(name, "not_found", f"no such {reference.label}")


def _fits(row: RowMapping, reference: Reference, new: Row) -> bool:
    brand = row.get("brand_id")
    if "brand_id" in row and new.get("brand_id") is not None and brand != new["brand_id"]:
        return reference.shared and brand is None
    if "brand_id" in row and new.get("brand_id") is None and "brand_id" in new and brand is not None:
        return False
    return not reference.same_client or row.get("client_id") == new.get("client_id", new["id"])


def _touches(change: Change, name: str) -> bool:
    column = change.resource.column(name)
    return column is None or change.differs(column.key)


def _check_editable(change: Change, names: Iterable[str]) -> None:
    resource, level = change.resource, change.principal.level
    refused = set(names) & resource.platform_edits if level in ("brand", "client") else set()
    if level == "client" and resource.client_edits is not None:
        refused |= set(names) - resource.client_edits
    if change.old is not None:
        refused |= set(names) & resource.create_only
    if refused:
        errors = [FieldError(n, "not_editable", "you may not set this field") for n in sorted(refused)]
        raise Forbidden("fields you may not set", code="field_not_editable", errors=errors)


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


async def _clear_needs(
    tx: AsyncConnection, registry: Registry, resource: Resource, actor: Actor, row_id: UUID
) -> None:
    """Delete what is part of the row; Conflict lists what else still needs it, and nothing is deleted."""
    found = []
    for need in registry.needs(resource.table.name):
        if need.reference.holds_back and not need.reference.cascade:
            rows = (await tx.execute(_needing(need, row_id, func.count().over()).limit(5))).all()
            if rows:
                ids = [str(r[0]) for r in rows]
                entry = {
                    "resource": need.resource.name,
                    "field": need.column,
                    "count": rows[0][1],
                    "ids": ids,
                }
                found.append(entry)
    if found:
        names = ", ".join(f"{f['count']} {f['resource']}" for f in found)
        raise Conflict("still_needed", f"still needed by {names}", extra={"needed_by": found})
    for need in registry.needs(resource.table.name):
        if need.reference.cascade:
            for part in (await tx.execute(_needing(need, row_id))).scalars().all():
                await delete(tx, registry, need.resource, actor, part)


def _needing(need: Need, row_id: UUID, *more: Any) -> Select[Any]:
    table, column = need.resource.table, need.resource.table.c[need.column]
    hit: Any = any_(column) == row_id if isinstance(column.type, ARRAY) else column == row_id
    return select(table.c.id, *more).where(hit)


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


async def _written(registry: Registry, change: Change, row: Row) -> Row:
    """After the row: hooks, the audit entry, the event."""
    change.new = row
    for hook in change.resource.after:
        await hook(change)
    resource, names = change.resource, {"c": "create", "u": "update", "d": "delete"}
    brand_id, client_id = owners(resource, row)
    await audit.record(
        change.tx,
        change.actor,
        resource=resource.name,
        entity_id=str(row["id"]),
        action=names[change.action],
        changes=_differences(change),
        brand_id=brand_id,
        client_id=client_id,
    )
    if resource.stream is not None:
        event = changed_event(resource, row, deleted=change.action == "d")
        sealed = seal(
            event,
            producer=registry.producer,
            now_ms=change.actor.now_ms,
            brand_id=str(brand_id) if brand_id else None,
            client_id=str(client_id) if client_id else None,
        )
        await outbox.add(change.tx, resource.stream, sealed)
    return row


def owners(resource: Resource, row: Row) -> tuple[UUID | None, UUID | None]:
    """(brand_id, client_id) of a row, for its envelope, its audit entry and the snapshot."""
    brand = row.get(resource.brand_column) if resource.brand_column else None
    return brand, row.get(resource.client_column or "client_id")


def changed_event(resource: Resource, row: Row, *, deleted: bool = False) -> EntityChanged:
    """The row as it is published: its JSON, plus what `publish` adds for machines; a tombstone is empty."""
    data = {} if deleted else to_wire(resource, row)
    if resource.publish is not None and not deleted:
        data = resource.publish(row, data)
    return EntityChanged(
        entity=resource.entity,
        entity_id=str(row["id"]),
        entity_version=row["version"],
        deleted=deleted,
        data=data,
    )


_ALWAYS_CHANGED = frozenset({"id", "version", "created_at", "updated_at"})


def _differences(change: Change) -> audit.Changes:
    resource = change.resource
    before, after = change.old or {}, {} if change.action == "d" else change.new
    changes: audit.Changes = {}
    for column in resource.table.c:
        old, new = before.get(column.key), after.get(column.key)
        if old == new or column.key in _ALWAYS_CHANGED:
            continue
        field = resource.field_of(column)
        if column.key in resource.secret_columns:
            changes[field] = audit.masked(old, new)
            continue
        changes[field] = {
            "before": field_value(resource, field, before) if before else None,
            "after": field_value(resource, field, after) if after else None,
        }
    return changes
