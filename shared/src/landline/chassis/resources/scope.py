"""Whose rows a query may see: the tenant's own condition, in every query of the kit."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, or_

from landline.chassis.auth import Principal
from landline.chassis.resources.declaration import Resource


def in_scope(resource: Resource, principal: Principal) -> list[ColumnElement[bool]]:
    """The tenant's own condition in the query, first line of defence (row-level security is the second)."""
    columns, conditions = resource.table.c, []
    if resource.brand_column and principal.brand_id and principal.level in ("brand", "client"):
        own = columns[resource.brand_column] == UUID(principal.brand_id)
        conditions.append(or_(own, columns[resource.brand_column].is_(None)) if resource.shared else own)
    if resource.client_column and principal.client_id and principal.level == "client":
        mine = columns[resource.client_column] == UUID(principal.client_id)
        conditions.append(
            or_(mine, columns[resource.client_column].is_(None)) if resource.unowned_readable else mine
        )
    return conditions
