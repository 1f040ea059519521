"""The steps an apply is made of: write an item, set what had to wait, remove a row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from landline.chassis.problems import FieldError, InvalidInput, NotFound, field_errors
from landline.chassis.resources import Actor, ApiModel, Reference, Row, create, delete, update
from landline.chassis.resources.wire import create_schema, field_value, patched, to_columns, wire_value
from pydantic import ValidationError
from sqlalchemy import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.documents.names import CLIENT, NoSuchName, canonical, full_key
from provisioning.documents.reading import Item
from provisioning.documents.rows import BrandRows
from provisioning.documents.shape import Section

Action = Literal["create", "update", "delete"]
TAKEN = frozenset({"taken", "code_in_use"})
"""Codes of refusals that say: another row has this value."""


@dataclass
class Context:
    """Where steps work. `is_coming` says whether a row of this key is in the document, but not made yet."""

    tx: AsyncConnection
    brand: BrandRows
    actor: Actor
    is_coming: Callable[[Section, dict[str, Any]], bool]


class Waits(Exception):
    """A step needs a row that the document has and that is not there yet: no error of this step."""


@dataclass(frozen=True)
class Done:
    """One row created, updated or deleted: `changes` is field -> {before, after}, as documents write it."""

    action: Action
    section: Section
    path: str
    row_id: UUID
    key: dict[str, Any]
    changes: dict[str, dict[str, Any]]
    reveal: Row


class Step(ABC):
    """One write. `path` says where in the document it comes from."""

    path: str
    subject: str = ""
    refused: frozenset[str] = frozenset()
    """Fields whose values another row had, when it was last tried."""

    @abstractmethod
    async def attempt(self, context: Context) -> Done | None:
        """Do it: what was done, or None. Raises a Problem, or Waits."""

    def is_idle(self, _context: Context) -> bool:
        """True when there is surely nothing to do, which needs no statement to find out."""
        return False

    def path_of(self, name: str) -> str:
        """The path of a field of this step, named as the API names it."""
        return f"{self.path}.{name}"


class Write(Step):
    """An item: creates its row, or changes what differs."""

    def __init__(self, item: Item, row: Row | None) -> None:
        self.item, self.row, self.path = item, row, item.path
        self.was: Row = {}

    def sets_later(self) -> bool:
        """True when the item says fields that can only be set once everything is there."""
        section = self.item.section
        return any(self.item.said.get(section.names[f]) is not None for f in section.later)

    def path_of(self, name: str) -> str:
        """As the document names it: `transformation_set` where the API says `transformation_set_id`."""
        if name in ("body", "brand_id"):
            return self.path
        first, dot, rest = name.partition(".")
        return f"{self.path}.{self.item.section.names.get(first, first)}{dot}{rest}"

    async def attempt(self, context: Context) -> Done | None:
        """Create or change."""
        fields = resolved(self.item, self._said(), context)
        if self.row is None:
            return await self._create(context, fields)
        return await change(context, self, self, fields)

    async def park(self, context: Context) -> bool:
        """Let the row go of its values of the refused fields, once; a later attempt gives it others.

        No write of its own: no audit entry, event or version; they tell of the value that the row had.
        """
        if self.row is None or self.was:
            return False
        table, row = self.item.section.resource.table, self.row
        texts = {f for f in self.refused if f in table.c and isinstance(table.c[f].type, Text)}
        self.was = {name: row[name] for name in texts}
        if texts:
            moved = (
                table.update().where(table.c.id == row["id"]).values(dict.fromkeys(texts, f"~{row['id']}"))
            )
            await context.tx.execute(moved)
        return bool(texts)

    def is_idle(self, _context: Context) -> bool:
        """The row is what the item says."""
        return self.row is not None and _is_same(self.item, self.row, self._said(), _context)

    def _said(self) -> Row:
        """What can be written before everything is there."""
        later = {self.item.section.names[f] for f in self.item.section.later}
        return {
            name: value
            for name, value in self.item.said.items()
            if name not in later or (value is None and self.row is not None)
        }

    async def _create(self, context: Context, fields: Row) -> Done:
        section, resource, brand = self.item.section, self.item.section.resource, context.brand
        given = {**fields, "brand_id": brand.row["id"]}
        platforms = _platform_fields(section, given, context.actor.principal.level)
        body = _validated(section, given)
        row, reveal = await create(context.tx, brand.registry, resource, context.actor, body)
        _as_said(section, row, platforms)
        self.row = row
        brand.names.learn(section, row)
        return done("create", self, section, ({}, row), brand, reveal)


def _validated(section: Section, given: Row) -> ApiModel:
    missing = [FieldError("client_id", "required", "say whose it is")]
    errors = missing if section.resource.tenancy == "client" and given.get("client_id") is None else []
    try:
        body = create_schema(section.resource).model_validate(given)
    except ValidationError as error:
        raise InvalidInput([*errors, *field_errors(error.errors())]) from None
    if errors:
        raise InvalidInput(errors)
    return body


def _platform_fields(section: Section, given: Row, level: str) -> Row:
    """An export says every field. What only the platform may set is taken out, and compared afterwards."""
    refused = section.resource.platform_edits & given.keys() if level == "brand" else frozenset[str]()
    return {name: given.pop(name) for name in refused}


def _as_said(section: Section, row: Row, said: Row) -> None:
    """A new row must have by itself what its maker was not allowed to set."""
    errors = [
        FieldError(name, "not_editable", "you may not set this field")
        for name, value in said.items()
        if field_value(section.resource, name, row) != wire_value(value)
    ]
    if errors:
        raise InvalidInput(errors)


class Later(Step):
    """The fields of an item that close a circle, once its row and the others are there."""

    def __init__(self, write: Write) -> None:
        self.write, self.path = write, write.path

    def path_of(self, name: str) -> str:
        """Like the item's."""
        return self.write.path_of(name)

    async def attempt(self, context: Context) -> Done | None:
        """Change the row that the item's own step made or found."""
        if self.write.row is None:
            raise Waits
        return await change(context, self, self.write, resolved(self.write.item, self._said(), context))

    def is_idle(self, _context: Context) -> bool:
        """They are set already."""
        row = self.write.row
        return row is not None and _is_same(self.write.item, row, self._said(), _context)

    def _said(self) -> Row:
        item = self.write.item
        names = {item.section.names[f] for f in item.section.later}
        return {name: value for name, value in item.said.items() if name in names and value is not None}


class LetGo(Step):
    """Before a row is removed it lets go of what it only shows: rows that go together may form a circle."""

    def __init__(self, section: Section, row: Row) -> None:
        self.section, self.row, self.path = section, row, section.name

    async def attempt(self, context: Context) -> Done | None:
        """Set the fields of the circle to null."""
        patch: Row = {field: None for field in self.section.later if self.row[field] is not None}
        if patch:
            registry, resource = context.brand.registry, self.section.resource
            await update(context.tx, registry, resource, context.actor, self.row["id"], patch)
        return None


class Remove(Step):
    """A row that its section of the document lacks."""

    def __init__(self, section: Section, row: Row) -> None:
        self.section, self.row, self.path = section, row, section.name

    async def attempt(self, context: Context) -> Done | None:
        """Delete it, unless it went with its owner."""
        found = done("delete", self, self.section, (self.row, {}), context.brand, {})
        self.subject = f"{canonical(found.key)}: "
        registry, resource = context.brand.registry, self.section.resource
        try:
            await delete(context.tx, registry, resource, context.actor, self.row["id"])
        except NotFound:
            return None
        return found


async def change(context: Context, step: Step, write: Write, fields: Row) -> Done | None:
    """Patch an item's row with what differs; where nothing does, nothing is written and no right needed."""
    section, row, brand = write.item.section, write.row, context.brand
    assert row is not None, "only rows that are there are changed"
    resource = section.resource
    patch = {n: v for n, v in fields.items() if n in resource.fields.model_fields}
    secrets = {n: patch.pop(n) for n in resource.write_only & patch.keys()}
    _keep_owner(row, fields, resource.fields.model_fields)
    if not _differs(section, row, patch):
        return None
    patch |= secrets if section is brand.root else {}
    new, reveal = await update(
        context.tx, brand.registry, resource, context.actor, row["id"], patch, was=write.was
    )
    if new["version"] == row["version"]:
        return None
    write.row = new
    found = done("update", step, section, (row, new), brand, reveal)
    brand.names.learn(section, new)
    return found


def _is_same(item: Item, row: Row, said: Row, context: Context) -> bool:
    try:
        fields, model = resolved(item, said, context), item.section.resource.fields.model_fields
        _keep_owner(row, fields, model)
        left_out = item.section.resource.write_only
        patch = {n: v for n, v in fields.items() if n in model and n not in left_out}
        return not _differs(item.section, row, patch)
    except (Waits, InvalidInput):
        return False  # the attempt will say


def _keep_owner(row: Row, fields: Row, writable: Mapping[str, Any]) -> None:
    for name in fields.keys() - writable.keys():
        if name in row and fields[name] != row[name]:
            raise InvalidInput(
                [FieldError(name, "not_editable", "it belongs to another one, and stays there")]
            )


def _differs(section: Section, row: Row, patch: Row) -> bool:
    try:
        wanted = section.resource.fields.model_validate(patched(section.resource, row, patch))
    except ValidationError as error:
        raise InvalidInput(field_errors(error.errors())) from None
    columns = to_columns(section.resource, wanted)
    return any(row[name] != value for name, value in columns.items())


def done(
    action: Action, step: Step, section: Section, rows: tuple[Row, Row], brand: BrandRows, reveal: Row
) -> Done:
    """What happened to a row (before, after; empty: not there), in the words of a document."""
    old, new = rows
    before = brand.names.item(section, old) if old else {}
    after = brand.names.item(section, new) if new else {}
    names = dict.fromkeys([*after, *before])
    changes = {
        n: {"before": before.get(n), "after": after.get(n)} for n in names if before.get(n) != after.get(n)
    }
    key = {section.names[f]: (after or before)[section.names[f]] for f in section.key}
    return Done(action, section, step.path, (new or old)["id"], key, changes, reveal)


def resolved(item: Item, said: Row, context: Context) -> Row:
    """What an item says, with ids in place of names. InvalidInput for names that nothing has."""
    fields: Row = {}
    errors: list[FieldError] = []
    for name, value in said.items():
        field = item.section.fields_by_name.get(name, name)
        reference = item.section.references.get(field)
        if reference is None or value is None:
            fields[field] = value
            continue
        try:
            fields[field] = _ids(item, reference, value, context)
        except NoSuchName:
            errors.append(FieldError(field, "not_found", f"no such {reference.label}"))
    if errors:
        raise InvalidInput(errors)
    return fields


def _ids(item: Item, reference: Reference, value: Any, context: Context) -> Any:
    if isinstance(value, list):
        return [_ids(item, reference, one, context) for one in value]
    section = context.brand.of_table(reference.table_name)
    client = item.said.get(CLIENT) if CLIENT in item.section.fields_by_name else item.said.get("name")
    try:
        return context.brand.names.id_of(section, reference, value, client)
    except NoSuchName:
        key = full_key(section, value, client if reference.same_client else None)
        if key and context.is_coming(section, key):
            raise Waits from None
        raise
