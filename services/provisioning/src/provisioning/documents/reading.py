"""A document as it came, checked for its outer form: known sections, lists of objects, known fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from landline.chassis.problems import FieldError, InvalidInput
from landline.chassis.resources.wire import unstorable

from provisioning.documents.names import canonical
from provisioning.documents.rows import MOST_ROWS
from provisioning.documents.shape import FORMAT, Section

BRAND = "brand"


@dataclass(frozen=True)
class Item:
    """One entry of a section. `path` says where it stands: `clients[3]`."""

    section: Section
    path: str
    said: dict[str, Any]

    @property
    def key(self) -> str:
        """What it is matched by; a field that is not said counts as its default."""
        return key_text(self.section, self.said)

    def refuse(self, name: str, code: str, message: str) -> FieldError:
        """An error of this item; `name` is the document's, empty for the whole item."""
        return FieldError(f"{self.path}.{name}" if name else self.path, code, message)

    def known(self) -> Iterator[str]:
        """The names an item of this section may say."""
        section = self.section
        yield from section.fields_by_name
        yield from (f for f in section.resource.fields.model_fields if f not in section.names)


def key_text(section: Section, item: dict[str, Any]) -> str:
    """The key of an item as one comparable text."""
    model = section.resource.fields.model_fields
    names = [(section.names[f], model[f].get_default(call_default_factory=True) if f in model else None)
             for f in section.key]  # fmt: skip
    return canonical([item.get(name, default) for name, default in names])


@dataclass(frozen=True)
class Said:
    """A whole document: its brand, and the items of the sections it has."""

    brand: Item | None
    items: dict[str, list[Item]]

    def all_items(self) -> Iterator[Item]:
        """Every item, section by section."""
        for items in self.items.values():
            yield from items


def read_document(document: Any, root: Section, sections: tuple[Section, ...]) -> Said:
    """The document by section. InvalidInput lists all that is not even a document."""
    if not isinstance(document, dict):
        raise InvalidInput([FieldError("body", "document", "a document is an object of sections")])
    errors = [FieldError(_bracketed(e.field), e.code, e.message) for e in unstorable(document)]
    if document.get("format", FORMAT) != FORMAT:
        errors.append(FieldError("format", "unknown_format", f"only {FORMAT} is known"))
    known = {s.name: s for s in sections}
    for name in document:
        if name not in known and name not in ("format", BRAND):
            errors.append(FieldError(str(name)[:80], "unknown_section", "no such section"))
    brand = _item(root, BRAND, document[BRAND], errors) if BRAND in document else None
    items = {s.name: _items(s, document[s.name], errors) for s in sections if s.name in document}
    if sum(map(len, items.values())) > MOST_ROWS:
        errors.append(FieldError("body", "too_many_rows", f"at most {MOST_ROWS} items in one document"))
    if errors:
        raise InvalidInput(errors, code="document_refused")
    return Said(brand, items)


def _items(section: Section, said: Any, errors: list[FieldError]) -> list[Item]:
    if not isinstance(said, list):
        errors.append(FieldError(section.name, "list", "a section is a list"))
        return []
    found = [_item(section, f"{section.name}[{n}]", one, errors) for n, one in enumerate(said)]
    return [item for item in found if item is not None]


def _item(section: Section, path: str, said: Any, errors: list[FieldError]) -> Item | None:
    if not isinstance(said, dict):
        errors.append(FieldError(path, "object", "an item is an object of fields"))
        return None
    item = Item(section, path, said)
    known = set(item.known())
    errors += [item.refuse(str(n)[:60], "unknown_field", "no such field") for n in said if n not in known]
    return item


def _bracketed(path: str) -> str:
    """`clients.3.name` as the documents' paths are written: `clients[3].name`."""
    words = path.split(".")
    return "".join(f"[{w}]" if w.isdigit() else f".{w}" if n else w for n, w in enumerate(words))
