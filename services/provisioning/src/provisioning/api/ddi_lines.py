"""Lines of a sheet as DDIs: names looked up, then every rule of one DDI, a chunk of lines at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from landline.chassis.problems import field_errors
from landline.chassis.resources import Row
from pydantic import ValidationError
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.api.ddis import DdiFields
from provisioning.api.schema import METADATA
from provisioning.domain.ddi_rules import ddi_refusals, number_refusals, target_refusals
from provisioning.domain.ddi_sheet import Line, LineError

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TABLES = {"client": "clients", "ddi_provider": "ddi_providers", "device": "devices"}
_LABELS = {"client": "client", "ddi_provider": "DDI provider", "device": "device of this client"}
_NEEDED = {
    "clients": ("id", "name", "country", "features"),
    "ddi_providers": ("id", "name"),
    "devices": ("id", "name", "client_id"),
}


@dataclass(slots=True)
class Lines:
    """What a chunk of lines became: rows with their line, and what was wrong with the others."""

    rows: list[tuple[int, Row]] = field(default_factory=list)
    errors: list[LineError] = field(default_factory=list)


class LineReader:
    """Reads the lines of one sheet, for one brand; remembers which line had which number."""

    def __init__(self, brand_id: UUID, brand_country: str) -> None:
        self._brand_id, self._brand_country = brand_id, brand_country
        self._seen: dict[str, int] = {}

    async def read(self, tx: AsyncConnection, lines: Sequence[Line]) -> Lines:
        """Values by column for `ddi_writer.new_row`, and the errors of the lines that have some."""
        known = {column: await self._named(tx, column, lines) for column in _TABLES}
        found = Lines()
        for line in lines:
            values, errors = self._one(line, known)
            if errors:
                found.errors += [LineError(line.number, *error) for error in errors]
            else:
                found.rows.append((line.number, values))
        return found

    async def _named(self, tx: AsyncConnection, column: str, lines: Sequence[Line]) -> dict[str, Row]:
        """Rows of this brand by id and by name, of all that the lines name."""
        texts = {line.values[column] for line in lines if column in line.values}
        if not texts:
            return {}
        table = METADATA.tables[_TABLES[column]].c
        ids = [UUID(text) for text in texts if _is_id(text)]
        columns = [table[name] for name in _NEEDED[_TABLES[column]]]
        own = (table.brand_id == self._brand_id, or_(table.name.in_(texts), table.id.in_(ids)))
        rows = [dict(row) for row in (await tx.execute(select(*columns).where(*own))).mappings()]
        return {row["name"]: row for row in rows} | {str(row["id"]): row for row in rows}

    def _one(self, line: Line, known: dict[str, dict[str, Row]]) -> tuple[Row, list[tuple[str, str, str]]]:
        given: dict[str, Any] = dict(line.values)
        errors: list[tuple[str, str, str]] = []
        named: dict[str, Row | None] = {}
        for column in _TABLES:
            text = given.pop(column, None)
            named[column] = known[column].get(text) if text is not None else None
            if text is not None and named[column] is None:
                errors.append((column, "not_found", f"no such {_LABELS[column]}"))
        client, provider, device = (named[column] for column in _TABLES)
        if device is not None and device["client_id"] != (client["id"] if client else None):
            errors.append(("device", "not_found", f"no such {_LABELS['device']}"))
        if "unusual_number" in given:
            given["unusual_number"] = _WORDS.get(given["unusual_number"].lower(), given["unusual_number"])
        try:
            checked = DdiFields.model_validate(given)
        except ValidationError as error:
            return {}, errors + [(e.field, e.code, e.message) for e in field_errors(error.errors())]
        values = checked.model_dump(exclude={"unusual_number"})
        values["country"] = values["country"] or (client["country"] if client else self._brand_country)
        values |= {"client_id": client and client["id"], "ddi_provider_id": provider and provider["id"]}
        if device is not None:
            values |= {"target": "device", "device_id": device["id"]}
        errors += self._refusals(line, values, client, unusual=checked.unusual_number)
        return values, errors

    def _refusals(
        self, line: Line, values: Row, client: Row | None, *, unusual: bool
    ) -> list[tuple[str, str, str]]:
        number = values["number"]
        errors = [tuple(r) for r in number_refusals(number, values["country"], unusual=unusual)]
        errors += [tuple(r) for r in ddi_refusals(values, None)]
        errors += [tuple(r) for r in target_refusals(values, client["features"] if client else None)]
        first = self._seen.setdefault(number, line.number)
        if first != line.number:
            errors.append(("number", "repeated", f"stands in line {first} already"))
        return errors  # type: ignore[return-value]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return len(text) == 36
