"""Which item of a document is which row: by key, then by another unique field, in the order of age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from landline.chassis.resources import Row

from provisioning.documents.names import Names, canonical
from provisioning.documents.reading import Item, key_text
from provisioning.documents.shape import Section


@dataclass
class Match:
    """The row of an item, by its path, and the rows that no item is."""

    rows: dict[str, Row] = field(default_factory=dict)
    left: list[Row] = field(default_factory=list)


def match(section: Section, items: Sequence[Item], rows: Sequence[Row], names: Names) -> Match:
    """Pair items and rows. Keys need not be unique: among equals the same content goes first, then age."""
    waiting: dict[str, list[tuple[Row, dict[str, object]]]] = defaultdict(list)
    for row in rows:
        written = names.item(section, row)
        waiting[key_text(section, written)].append((row, written))
    found = Match()
    open_items: list[Item] = []
    for exactly in (True, False):
        for item in items:
            if item.path not in found.rows:
                _take(found, item, waiting[item.key], exactly)
    open_items = [item for item in items if item.path not in found.rows]
    left = [pair for pairs in waiting.values() for pair in pairs]
    for name in _other_unique(section):
        left = _by_other(found, open_items, left, name, names)
    found.left = [row for row, _ in left]
    return found


def _take(found: Match, item: Item, candidates: list[tuple[Row, dict[str, object]]], exactly: bool) -> None:
    for n, (row, written) in enumerate(candidates):
        if not exactly or all(canonical(written.get(k)) == canonical(v) for k, v in item.said.items()):
            found.rows[item.path] = row
            del candidates[n]
            return


def _other_unique(section: Section) -> list[str]:
    """Fields that are unique in the brand besides the key: a row that keeps one of them was renamed."""
    unique = [f for f in section.resource.unique.values() if f in section.fields]
    return [section.names[f] for f in unique if f not in section.key]


def _by_other(
    found: Match, items: list[Item], left: list[tuple[Row, dict[str, object]]], name: str, names: Names
) -> list[tuple[Row, dict[str, object]]]:
    by_value = {canonical(pair[1][name]): pair for pair in left}
    for item in items:
        pair = by_value.pop(canonical(item.said[name]), None) if name in item.said else None
        if pair is not None and item.path not in found.rows:
            found.rows[item.path] = pair[0]
            names.expect(item.section, pair[0], item.said)
            left = [other for other in left if other is not pair]
    return left
