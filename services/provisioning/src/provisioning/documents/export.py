"""A brand as a document: sections in the order in which they can be made, items by their keys."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from landline.chassis.auth import Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import Forbidden
from landline.chassis.resources import Registry, Row, fetch

from provisioning.documents.names import canonical
from provisioning.documents.rows import BrandRows
from provisioning.documents.shape import FORMAT, Section

Document = dict[str, Any]


async def export_brand(db: Database, registry: Registry, principal: Principal, brand_id: UUID) -> Document:
    """The brand's document. NotFound outside the caller's scope, Conflict when the brand is too large."""
    operators_only(principal)
    async with db.one_moment(Scope.of(principal)) as tx:
        row = await fetch(tx, registry.named("brands"), principal, brand_id)
        brand = await BrandRows(registry, principal, row).read(tx)
    return await asyncio.to_thread(document_of, brand)


def operators_only(principal: Principal) -> None:
    """Forbidden to clients: a document shows the whole brand."""
    if principal.level == "client":
        raise Forbidden("for operators of the brand and the platform", code="no_right")


def document_of(brand: BrandRows) -> Document:
    """What was read, as a document. Equal brands give equal documents, byte for byte."""
    document: Document = {"format": FORMAT, "brand": brand.names.item(brand.root, brand.row)}
    for section in brand.sections:
        items = [brand.names.item(section, row) for row in brand.rows[section.name]]
        document[section.name] = sorted(items, key=lambda item: _order(section, item))
    return document


def _order(section: Section, item: Row) -> list[str]:
    """By key, then by all the rest: keys need not be unique."""
    return [*(canonical(item[section.names[f]]) for f in section.key), canonical(item)]
