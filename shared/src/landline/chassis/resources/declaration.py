"""How a resource is declared: once, as data, with plain functions where a rule needs code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Column, RowMapping, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landline.chassis.auth import Principal
from landline.chassis.problems import FieldError, Forbidden
from landline.chassis.resources.field_types import ApiModel, Micros
from landline.chassis.settings import Settings

Row = dict[str, Any]
Action = Literal["c", "r", "u", "d"]


@dataclass(frozen=True)
class Rights:
    """What each level may do, as letters of "crud". Services act as the platform."""

    platform: str = "crud"
    brand: str = "crud"
    client: str = "r"

    def of(self, principal: Principal) -> str:
        """The letters of a principal's level."""
        level = "platform" if principal.level == "system" else principal.level
        return str(getattr(self, level))


@dataclass(frozen=True)
class Reference:
    """A field holds the id of a row elsewhere: it must exist in the same brand, else 422 naming the field.

    table: of the same MetaData; by its name where two resources refer to each other.
    same_client: it must also belong to the same client. shared: rows without a brand may be referenced too.
    holds_back: the referenced row can't be deleted while this one needs it (409 lists who does).
    cascade: this row is part of the referenced one and goes with it, with its own audit entry and event.
    """

    table: str | Table
    label: str
    key: str = "id"
    same_client: bool = False
    shared: bool = False
    holds_back: bool = True
    cascade: bool = False

    @property
    def table_name(self) -> str:
        """The referenced table, by name."""
        return self.table if isinstance(self.table, str) else self.table.name


@dataclass(frozen=True)
class Actor:
    """Who writes, by which request: what the audit log keeps. `now_ms` is the moment of the write."""

    principal: Principal
    settings: Settings
    now_ms: int
    request_id: str = ""
    address: str | None = None
    reason: str | None = None


@dataclass
class Change:
    """One write, as rules and hooks see it. Rows are keyed by column; money columns hold micros.

    A rule reads `old` (None on create) and `new` (on delete: what is deleted), may change `new`, and reports
    with `refuse`; all reports are answered together. `sent` names the fields that the request carried;
    `given` is the validated input, with fields that are no columns (a password). `reveal` is added to this
    one answer and stored nowhere.
    """

    tx: AsyncConnection
    registry: Registry
    actor: Actor
    resource: Resource
    action: Action
    old: Row | None
    new: Row
    given: ApiModel | None = None
    sent: frozenset[str] = frozenset()
    errors: list[FieldError] = field(default_factory=list)
    reveal: Row = field(default_factory=dict)

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.actor.principal

    def refuse(self, name: str, code: str, message: str) -> None:
        """Report a field that breaks a rule."""
        self.errors.append(FieldError(name, code, message))

    def differs(self, column: str) -> bool:
        """True when this write gives the column another value (on create: any value)."""
        return self.old is None or self.old.get(column) != self.new.get(column)

    async def find(self, table: str, value: Any, key: str = "id") -> RowMapping | None:
        """A row visible in this scope, by id; `table` by name."""
        known = self.resource.table_named(table)
        found = await self.tx.execute(select(known).where(known.c[key] == value))
        return found.mappings().first()


Hook = Callable[[Change], Awaitable[None]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One kind of thing: its address, table, fields, rights, filters and rules.

    tenancy says whose rows these are: "platform" (no tenant), "brand" (column brand_id), or "client" (columns
    brand_id and client_id). The kit adds brand_id and client_id to what a create takes, as far as the level
    of the caller leaves them open. `fields` is what can be written: field f is kept in column f, or in
    f_micros for money, or nowhere (rules see it in `change.given`). `read_only` adds fields people only read.
    parent: the reference whose row tells the brand when the platform level does not say it.
    unowned_readable: a client also reads (never writes) the rows of its brand that belong to no client.
    `unique` maps the name of a database constraint to the field a 409 `<field>_taken` names.
    `shown_to` makes of a row what a caller sees of it, where that depends on the row; what it
    may change is no filter.
    `finders` maps a filter to the function of the database that answers its `__contains` (`finding`).
    `key` names the fields that tell a row from its siblings where ids mean nothing: in a brand's document
    (docs/configuration-as-code.md). Empty: the owner and the unique field, else all fields.
    """

    name: str
    entity: str
    table: Table
    fields: type[ApiModel]
    tenancy: Literal["platform", "brand", "client"]
    read_only: type[ApiModel] | None = None
    rights: Rights = Rights()
    brand_column: str | None = "brand_id"
    client_column: str | None = None
    shared: bool = False
    unowned_readable: bool = False
    create_only: frozenset[str] = frozenset()
    write_only: frozenset[str] = frozenset()
    platform_edits: frozenset[str] = frozenset()
    client_edits: frozenset[str] | None = frozenset()
    hidden_from_client: frozenset[str] = frozenset()
    secret_columns: frozenset[str] = frozenset()
    filters: tuple[str, ...] = ()
    finders: Mapping[str, str] = field(default_factory=dict)
    sorts: tuple[str, ...] = ()
    default_sort: str = "created_at"
    parent: str = "client_id"
    references: Mapping[str, Reference] = field(default_factory=dict)
    unique: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ()
    rules: Sequence[Hook] = ()
    after: Sequence[Hook] = ()
    publish: Callable[[Row, Row], Row] | None = None
    shown_to: Callable[[Row, Principal], Row] | None = None
    stream: str | None = None
    about: str = ""

    def table_named(self, name: str) -> Table:
        """Another table of the same service."""
        return self.table.metadata.tables[name]

    def require(self, principal: Principal, action: Action) -> None:
        """Forbidden, unless the caller's level and its own rights allow this kind of action."""
        if action not in self.rights.of(principal):
            raise Forbidden(f"no right to do this on {self.name}", code="no_right")
        principal.require(self.name, action)

    def column(self, name: str) -> Column[Any] | None:
        """The column that keeps a field, or None when nothing does."""
        columns = self.table.c
        return columns[name] if name in columns else columns.get(f"{name}_micros")

    def field_of(self, column: Column[Any]) -> str:
        """The field that shows a column."""
        return column.key.removesuffix("_micros") if isinstance(column.type, Micros) else column.key

    def shown(self) -> list[str]:
        """The fields of an answer, in their order."""
        own = [n for n in (*self.fields.model_fields, *self._extra()) if n not in self.write_only]
        starts = [n for n in ("id", "brand_id", "client_id") if n in self.table.c and n not in own]
        ends = [n for n in ("version", "created_at", "updated_at") if n in self.table.c]
        return [*starts, *own, *ends]

    def _extra(self) -> list[str]:
        return list(self.read_only.model_fields) if self.read_only else []

    def hidden(self, principal: Principal) -> frozenset[str]:
        """The fields that this caller never sees, nor filters or sorts by."""
        return self.hidden_from_client if principal.level == "client" else frozenset()

    def seen(self, row: Row, principal: Principal) -> Row:
        """The row as this caller sees it."""
        return row if self.shown_to is None else self.shown_to(row, principal)


@dataclass(frozen=True)
class Need:
    """Rows of `resource` that refer to a row by their field `column`."""

    resource: Resource
    column: str
    reference: Reference


@dataclass(frozen=True)
class Registry:
    """The resources of one service: who publishes (`producer`, the service's name), and who needs whom."""

    producer: str
    resources: tuple[Resource, ...]

    def named(self, name: str) -> Resource:
        """A resource by its name in addresses."""
        return next(resource for resource in self.resources if resource.name == name)

    def needs(self, table: str) -> Iterator[Need]:
        """Everything that may refer to a row of a table."""
        for resource in self.resources:
            for name, reference in resource.references.items():
                if reference.table_name == table and name in resource.table.c:
                    yield Need(resource, name, reference)
