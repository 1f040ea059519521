"""What is checked before a row is written: whose it is, what may be set, references, the resource's rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import RowMapping

from landline.chassis.problems import FieldError, Forbidden, InvalidInput
from landline.chassis.resources.declaration import Change, Hook, Reference, Row


async def check(change: Change, without: Collection[Hook] = (), also: Collection[Hook] = ()) -> None:
    """References and rules; everything that is wrong is answered together."""
    for name, reference in change.resource.references.items():
        await _check_reference(change, name, reference)
    if not change.errors:
        for rule in (*change.resource.rules, *also):
            if rule not in without:
                await rule(change)
    if change.errors:
        raise InvalidInput(change.errors)


async def place_in_tenant(change: Change) -> None:
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


def touches(change: Change, name: str) -> bool:
    """Whether a patch's field means a change: a field without a column always does."""
    column = change.resource.column(name)
    return column is None or change.differs(column.key)


def check_editable(change: Change, names: Iterable[str]) -> None:
    """Forbidden, naming the fields that this level may not set, or nobody after creation."""
    resource, level = change.resource, change.principal.level
    refused = set(names) & resource.platform_edits if level in ("brand", "client") else set()
    if level == "client" and resource.client_edits is not None:
        refused |= set(names) - resource.client_edits
    if change.old is not None:
        refused |= set(names) & resource.create_only
    if refused:
        errors = [FieldError(n, "not_editable", "you may not set this field") for n in sorted(refused)]
        raise Forbidden("fields you may not set", code="field_not_editable", errors=errors)
