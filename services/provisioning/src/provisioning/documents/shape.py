"""What a brand's document holds, read off the registry: its sections, their fields, keys and order.

A resource that is declared is in the document by itself. What is left out is said here, with the reason;
a test walks the registry and fails for a resource that is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from landline.chassis.resources import Reference, Registry, Resource

FORMAT = "landline.brand.v1"

LEFT_OUT: Mapping[str, str] = {
    "brands": "the document's root: its fields are the part `brand`",
    "admins": "people and their passwords are no configuration: `landline admin create`",
    "api-keys": "a key is shown once, to one person, and never copied",
}
"""Resources of a brand that no document holds, and why."""

FIELDS_LEFT_OUT: Mapping[tuple[str, str], str] = {
    ("ddis", "fax_id"): "the notifier keeps the boxes: their ids mean nothing on another platform",
    ("brands", "notification_template_ids"): "the notifier keeps the templates",
    ("clients", "notification_template_ids"): "the notifier keeps the templates",
}
"""Fields that no export shows, and why; an apply takes them where they are said."""


def reason_left_out(resource: Resource) -> str | None:
    """Why a resource is in no document; None: it is in all of them."""
    if resource.name in LEFT_OUT:
        return LEFT_OUT[resource.name]
    if resource.tenancy == "platform":
        return "belongs to the platform, not to a brand"
    if "c" not in resource.rights.brand + resource.rights.platform:
        return "nobody writes it"
    return None


@dataclass(frozen=True, eq=False)
class Section:
    """One resource as a list of the document. `later`: fields set only once everything is there."""

    resource: Resource
    later: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The list's name in the document."""
        return self.resource.name.replace("-", "_")

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields of an item: whose it is, then what can be written, but what is never read back."""
        own = [f for f in self.resource.fields.model_fields if self._is_kept(f)]
        owner = ["client_id"] if self.resource.tenancy == "client" and "client_id" not in own else []
        return (*owner, *own)

    def _is_kept(self, field: str) -> bool:
        left_out = field in self.resource.write_only or (self.resource.name, field) in FIELDS_LEFT_OUT
        return not left_out and self.resource.column(field) is not None

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The fields that tell an item from its siblings."""
        resource = self.resource
        if resource.key:
            return resource.key
        owners = {"client_id"} if resource.tenancy == "client" else set[str]()
        owners |= resource.create_only & self.references.keys()
        owner = [f for f in self.fields if f in owners]
        unique = [f for f in resource.unique.values() if f in self.fields]
        named = ["name"] if "name" in unique else unique[:1]
        return (*owner, *named) if named else self.fields

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Field -> its name in the document: a reference is by name there, so it is no `_id`."""
        return {f: _without_id(f) if f in self.references else f for f in self.fields}

    @cached_property
    def fields_by_name(self) -> Mapping[str, str]:
        """The other way round."""
        return {name: f for f, name in self.names.items()}

    @cached_property
    def references(self) -> Mapping[str, Reference]:
        """The fields that refer to another row by its id."""
        known = self.resource.references
        return {f: known[f] for f in self.fields if f in known and known[f].key == "id"}

    @property
    def optional(self) -> Iterator[str]:
        """The references that may be missing at first."""
        model = self.resource.fields.model_fields
        return (f for f in self.references if f in model and not model[f].is_required())


def _without_id(field: str) -> str:
    return f"{field.removesuffix('_ids')}s" if field.endswith("_ids") else field.removesuffix("_id")


def sections(registry: Registry) -> tuple[Section, ...]:
    """The document's lists, in an order in which each can be made: what is referred to comes first.

    Owners and needed references decide; among the rest the registry's order does. An optional reference
    that would close a circle (a client shows a DDI, the DDI belongs to the client) is set later.
    """
    found = [Section(r) for r in registry.resources if reason_left_out(r) is None]
    by_table = {s.resource.table.name: s for s in found}
    place = {s.resource.table.name: n for n, s in enumerate(found)}
    needs: dict[str, set[str]] = {table: set() for table in by_table}
    weak: list[tuple[Section, str]] = []
    for section in found:
        table = section.resource.table.name
        for field, reference in section.references.items():
            if reference.table_name not in by_table or reference.table_name == table:
                weak += [(section, field)] if reference.table_name == table else []
            elif field in section.optional and place[reference.table_name] > place[table]:
                weak.append((section, field))
            else:
                needs[table].add(reference.table_name)
    later: dict[str, set[str]] = {table: set() for table in by_table}
    for section, field in weak:
        table, other = section.resource.table.name, section.references[field].table_name
        if table == other or _reaches(needs, other, table):
            later[table].add(field)
        else:
            needs[table].add(other)
    return tuple(
        Section(by_table[t].resource, frozenset(later[t]) & frozenset(by_table[t].optional))
        for t in _sorted(needs)
    )


def _reaches(needs: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen, todo = set[str](), [start]
    while todo:
        table = todo.pop()
        if table == goal:
            return True
        todo += needs[table] - seen
        seen.add(table)
    return False


def _sorted(needs: Mapping[str, set[str]]) -> list[str]:
    """Tables in the registry's order, each after what it needs."""
    done: dict[str, None] = {}

    def visit(table: str, path: frozenset[str]) -> None:
        for other in (t for t in needs if t in needs[table] and t not in path):
            visit(other, path | {table})
        done.setdefault(table)

    for table in needs:
        visit(table, frozenset())
    return list(done)
