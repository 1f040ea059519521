"""Rows as items and items as rows: ids become names and names become the same ids."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from landline.chassis.resources import Reference, Row
from provisioning.documents.matching import match
from provisioning.documents.names import Names, NoSuchName
from provisioning.documents.reading import Item
from provisioning.documents.shape import Section, sections
from provisioning.main import REGISTRY

SECTIONS = {s.name: s for s in sections(REGISTRY)}
BRAND = uuid4()


def row(section: str, brand: UUID | None = BRAND, **columns: Any) -> Row:
    """A row with every column, those not given empty."""
    table = SECTIONS[section].resource.table
    return {**dict.fromkeys(table.c.keys()), "id": uuid4(), "brand_id": brand, **columns}


NORTH = row("carriers", name="North")
CASA, PEREZ = row("clients", name="Casa"), row("clients", name="Perez")
SERVER = row("carrier_servers", carrier_id=NORTH["id"], host="a.example", port=None, transport="udp")
SOURCE = row("authorized_sources", client_id=CASA["id"], network="192.0.2.1")
OWN = row("transformation_sets", name="Spain")
SHARED = row("transformation_sets", None, name="Spain")


@pytest.fixture
def names() -> Names:
    known = Names()
    for section, rows in {
        "transformation_sets": [OWN, SHARED],
        "clients": [CASA, PEREZ],
        "carriers": [NORTH],
        "carrier_servers": [SERVER],
        "authorized_sources": [SOURCE],
    }.items():
        for one in rows:
            known.learn(SECTIONS[section], one)
    return known


SET = Reference("transformation_sets", "set", shared=True)
TABLE = [
    ("clients", Reference("clients", "client"), CASA, None, "Casa"),
    ("transformation_sets", SET, OWN, None, "Spain"),
    ("transformation_sets", SET, SHARED, None, {"platform": "Spain"}),
    ("carrier_servers", Reference("carrier_servers", "server"), SERVER, None,
     {"carrier": "North", "host": "a.example", "port": None, "transport": "udp"}),
    ("authorized_sources", Reference("authorized_sources", "source"), SOURCE, None,
     {"client": "Casa", "network": "192.0.2.1"}),
    ("authorized_sources", Reference("authorized_sources", "source", same_client=True), SOURCE, "Casa",
     "192.0.2.1"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "reference", "target", "client", "written"), TABLE)
def test_a_reference_is_written_as_a_key_and_read_back(
    names: Names, section: str, reference: Reference, target: Row, client: str | None, written: Any
) -> None:
    """As short as it can be without being unclear."""
    assert names.name_of(target["id"], reference) == written
    assert names.id_of(SECTIONS[section], reference, written, client) == target["id"]


@pytest.mark.parametrize(
    ("section", "said", "client"),
    [
        ("clients", "Nobody", None),
        ("clients", {"name": "Casa", "more": 1}, None),
        ("clients", {"platform": "Casa"}, None),
        ("clients", ["Casa"], None),
        ("clients", 7, None),
        ("authorized_sources", "192.0.2.1", "Perez"),
        ("carrier_servers", "a.example", None),
        ("carrier_servers", {"host": "a.example"}, None),
    ],
)
def test_a_name_that_nothing_has_is_no_such_name(names: Names, section: str, said: Any, client: Any) -> None:
    """Also one of another client, and half a key."""
    with pytest.raises(NoSuchName):
        names.id_of(SECTIONS[section], Reference(section, "x", same_client=True), said, client)


def _items(section: Section, *said: dict[str, Any]) -> list[Item]:
    return [Item(section, f"{section.name}[{n}]", one) for n, one in enumerate(said)]


def test_equal_keys_pair_equal_contents_first_then_the_oldest(names: Names) -> None:
    """Routes have no name: one whose weight changed must not push its twin out."""
    section = SECTIONS["transformation_rules"]
    same = {"transformation_set_id": OWN["id"], "direction": "caller_in", "priority": 1}
    rows = [row("transformation_rules", **same, match=each) for each in ("a", "b", "c")]
    key = {"transformation_set": "Spain", "direction": "caller_in", "priority": 1}
    found = match(section, _items(section, {**key, "match": "x"}, {**key, "match": "a"}), rows, names)
    assert found.rows == {"transformation_rules[0]": rows[1], "transformation_rules[1]": rows[0]}
    assert found.left == [rows[2]]


def test_an_item_without_its_key_fields_is_matched_by_their_defaults(names: Names) -> None:
    """`transport: udp` need not be said."""
    section = SECTIONS["carrier_servers"]
    found = match(section, _items(section, {"carrier": "North", "host": "a.example"}), [SERVER], names)
    assert found.rows == {"carrier_servers[0]": SERVER}


def test_a_renamed_row_is_found_by_its_other_unique_field_and_known_by_both_names(names: Names) -> None:
    """What refers to it by the new name must find it before it is renamed."""
    section = SECTIONS["destination_patterns"]
    pattern = row("destination_patterns", name="World", prefix="+")
    names.learn(section, pattern)
    found = match(section, _items(section, {"name": "Everywhere", "prefix": "+"}), [pattern], names)
    assert (found.rows, found.left) == ({"destination_patterns[0]": pattern}, [])
    for name in ("World", "Everywhere"):
        reference = Reference("destination_patterns", "pattern")
        assert names.id_of(section, reference, name, None) == pattern["id"]
