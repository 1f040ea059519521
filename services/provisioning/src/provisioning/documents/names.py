"""Ids as names and names as ids: in a document a row is referred to by its key.

A reference is written as the key of its row: plain when the key is one field (`transformation_set: Spain`),
else as a mapping of the key's fields. Where both rows must be of the same client, the client is not said
again. A row of the platform that brands may use is `{platform: <key>}`: a brand may have one of that name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from landline.chassis.resources import Reference, Row
from landline.chassis.resources.wire import field_value

from provisioning.documents.shape import Section

PLATFORM = "platform"
CLIENT = "client"


class NoSuchName(LookupError):
    """Nothing has this name: not in the brand, nor in what the platform shares."""


class Names:
    """What is known of rows by name. Fill it with `learn`, owners first."""

    def __init__(self) -> None:
        self._keys: dict[UUID, dict[str, Any]] = {}
        self._ids: dict[str, UUID] = {}
        self._shared: set[UUID] = set()

    def learn(self, section: Section, row: Row) -> None:
        """A row that exists; one without a brand is the platform's."""
        key = {section.names[f]: self.written(section, f, row) for f in section.key}
        shared = section.resource.tenancy != "platform" and row.get("brand_id") is None
        if shared:
            self._shared.add(row["id"])
        self._keys[row["id"]] = key
        # Where a key is not unique the oldest row keeps the name: an arbitrary one would change by chance.
        self._ids.setdefault(_address(section.resource.table.name, key, shared), row["id"])

    def expect(self, section: Section, row: Row, said: dict[str, Any]) -> None:
        """A row is about to be renamed by an item: from now on it is known by the new name too."""
        key = {name: said.get(name, old) for name, old in self._keys[row["id"]].items()}
        self._keys[row["id"]] = key
        self._ids.setdefault(_address(section.resource.table.name, key, False), row["id"])

    def item(self, section: Section, row: Row) -> dict[str, Any]:
        """A row as an item of the document."""
        return {section.names[field]: self.written(section, field, row) for field in section.fields}

    def written(self, section: Section, field: str, row: Row) -> Any:
        """One field of a row, as the document has it."""
        reference = section.references.get(field)
        if reference is None:
            return field_value(section.resource, field, row)
        return self.name_of(row[field], reference)

    def name_of(self, value: Any, reference: Reference) -> Any:
        """What refers to one row, or several, by name; an id that is not known stays an id."""
        if isinstance(value, list):
            return [self.name_of(one, reference) for one in value]
        if value is None or value not in self._keys:
            return None if value is None else str(value)
        key = dict(self._keys[value])
        if reference.same_client and len(key) > 1:
            key.pop(CLIENT, None)
        written = next(iter(key.values())) if len(key) == 1 else key
        return {PLATFORM: written} if value in self._shared else written

    def id_of(self, section: Section, reference: Reference, said: Any, client: Any) -> UUID:
        """The id of the row of `section` that a reference names. `client`: whose the referring item is."""
        shared = isinstance(said, dict) and set(said) == {PLATFORM} and reference.shared
        return self._found(section, said[PLATFORM] if shared else said, client, shared, reference.same_client)

    def _found(self, section: Section, said: Any, client: Any, shared: bool, same_client: bool) -> UUID:
        key = full_key(section, said, client if same_client else None)
        found = self._ids.get(_address(section.resource.table.name, key, shared))
        if found is None:
            raise NoSuchName(str(said))
        return found


def full_key(section: Section, said: Any, client: Any) -> dict[str, Any]:
    """A reference as the whole key it names; with `client`, that part may be left out."""
    names = [section.names[f] for f in section.key]
    given = {CLIENT: client} if client is not None and CLIENT in names and len(names) > 1 else {}
    open_names = [n for n in names if n not in given]
    if isinstance(said, dict):
        return {n: {**given, **said}.get(n) for n in names} if set(said) <= set(names) else {}
    return {n: given.get(n, said) for n in names} if len(open_names) == 1 else {}


def canonical(value: Any) -> str:
    """A value as text that is equal when the values are."""
    return json.dumps(value, sort_keys=True, default=str)


def _address(table: str, key: Mapping[str, Any], shared: bool) -> str:
    return f"{table}|{shared}|{canonical(key)}"
