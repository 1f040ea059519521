"""What a write leaves behind, in its transaction: the audit entry and the event."""

from __future__ import annotations

from uuid import UUID

from landline.chassis import outbox
from landline.chassis.resources import audit
from landline.chassis.resources.declaration import Change, Registry, Resource, Row
from landline.chassis.resources.wire import field_value, to_wire
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import EntityChanged

_ACTIONS = {"c": "create", "u": "update", "d": "delete"}


async def leave_trail(registry: Registry, change: Change, row: Row) -> Row:
    """After the row is written: the resource's hooks, the audit entry, the event. The row."""
    change.new = row
    for hook in change.resource.after:
        await hook(change)
    resource = change.resource
    brand_id, client_id = owners(resource, row)
    await audit.record(
        change.tx,
        change.actor,
        resource=resource.name,
        entity_id=str(row["id"]),
        action=_ACTIONS[change.action],
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
