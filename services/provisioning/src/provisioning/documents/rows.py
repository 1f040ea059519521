"""A brand's rows, as a document needs them: those of its sections, and what they may refer to besides."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from landline.chassis.auth import Principal
from landline.chassis.problems import Conflict
from landline.chassis.resources import Registry, Row
from landline.chassis.resources.scope import in_scope
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.documents.names import Names
from provisioning.documents.shape import Section, sections

MOST_ROWS = 20_000
_ROWS_PER_BREATH = 200


@dataclass
class BrandRows:
    """One brand at one moment: its row, its sections' rows (oldest first), and everything's name."""

    registry: Registry
    principal: Principal
    row: Row
    names: Names = field(default_factory=Names)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root = Section(self.registry.named("brands"))
        self.sections = sections(self.registry)
        known = {s.resource.table.name for s in self.sections}
        needed = {r.table_name for s in self.sections for r in s.references.values()} - known
        self._outside = [Section(r) for r in self.registry.resources if r.table.name in needed]

    def of_table(self, table: str) -> Section:
        """The section of a table, also where no document holds it."""
        return next(s for s in (*self.sections, *self._outside) if s.resource.table.name == table)

    async def read(self, tx: AsyncConnection) -> BrandRows:
        """Everything. Conflict when it is more than fits in a document."""
        for section in (*self._outside, *self.sections):
            await self.read_section(tx, section)
            if sum(len(rows) for rows in self.rows.values()) > MOST_ROWS:
                detail = f"more than {MOST_ROWS} rows: use the lists, which page, and their CSV"
                raise Conflict("brand_too_large", detail)
        return self

    async def read_section(self, tx: AsyncConnection, section: Section) -> None:
        """The rows of one section as they are now; those of the platform are only known by name."""
        if section in self.sections:
            section.resource.require(self.principal, "r")
        found = await self._fetch(tx, section)
        for n, row in enumerate(found):
            self.names.learn(section, row)
            if n % _ROWS_PER_BREATH == 0:
                await asyncio.sleep(0)  # admissions may be waiting on this loop
        self.rows[section.name] = [row for row in found if row.get("brand_id") is not None]

    async def _fetch(self, tx: AsyncConnection, section: Section) -> Sequence[Row]:
        resource, columns = section.resource, section.resource.table.c
        statement = select(resource.table).where(*in_scope(resource, self.principal))
        if resource.tenancy != "platform":
            own = columns.brand_id == self.row["id"]
            statement = statement.where(or_(own, columns.brand_id.is_(None)) if resource.shared else own)
        ordered = statement.order_by(columns.created_at, columns.id).limit(MOST_ROWS + 1)
        return [dict(row) for row in (await tx.execute(ordered)).mappings()]
