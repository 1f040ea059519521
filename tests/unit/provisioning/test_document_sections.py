"""The registry decides what a brand's document holds; nothing may be forgotten, nothing may leak."""

from __future__ import annotations

import re

import pytest
from landline.chassis.resources import Resource
from provisioning.documents.shape import Section, reason_left_out, sections
from provisioning.main import REGISTRY

SECTIONS = sections(REGISTRY)
ROOT = Section(REGISTRY.named("brands"))


@pytest.mark.parametrize("resource", REGISTRY.resources, ids=lambda r: r.name)
def test_every_resource_is_in_the_document_or_left_out_with_a_reason(resource: Resource) -> None:
    """Whoever adds a resource gets it exported; to leave it out, say why in `documents.shape.LEFT_OUT`."""
    listed = resource in [s.resource for s in SECTIONS]
    assert listed != bool(reason_left_out(resource))


@pytest.mark.parametrize("section", [ROOT, *SECTIONS], ids=lambda s: s.name)
def test_every_id_of_a_section_is_a_reference(section: Section) -> None:
    """An id in a document means nothing elsewhere: declare the field in `references`, or leave it out with
    its reason in `documents.shape.FIELDS_LEFT_OUT`."""
    fields = section.resource.fields.model_fields
    ids = [f for f in section.fields if f in fields and "UUID" in str(fields[f].annotation)]
    ids += [f for f in section.fields if f.endswith(("_id", "_ids"))]
    assert [f for f in ids if f not in section.references] == []


@pytest.mark.parametrize("section", [ROOT, *SECTIONS], ids=lambda s: s.name)
def test_no_section_shows_a_secret(section: Section) -> None:
    """Passwords and keys are write_only or secret columns; a field named like one is suspicious."""
    secret = re.compile("password|secret|ha1|token|_key$")
    assert [f for f in section.fields if secret.search(f)] == []
    assert not set(section.fields) & section.resource.secret_columns


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.name)
def test_every_section_has_a_key_of_its_own_fields(section: Section) -> None:
    """Items are matched by it: by an unknown field they would all be the same."""
    assert section.key
    assert set(section.key) <= set(section.fields)
    assert not set(section.key) & section.later, "the key must be known when the row is made"


def test_two_fields_never_have_one_name() -> None:
    """`carrier_id` and `carrier_ids` become `carrier` and `carriers`: no third may join them."""
    for section in SECTIONS:
        assert len(set(section.names.values())) == len(section.fields), section.name


def test_owners_come_before_what_they_own() -> None:
    """Each section can be made from those before it; only what may be null at first comes later."""
    seen: set[str] = set()
    listed = {s.resource.table.name for s in SECTIONS}
    for section in SECTIONS:
        needed = {
            r.table_name
            for f, r in section.references.items()
            if f not in section.later and r.table_name in listed
        }
        assert needed - seen == set(), section.name
        seen.add(section.resource.table.name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clients", ("name",)),
        ("devices", ("name",)),
        ("ddis", ("number",)),
        ("authorized_sources", ("client_id", "network")),
        ("ddi_provider_addresses", ("ddi_provider_id", "network")),
        ("destination_patterns", ("name",)),
        ("special_numbers", ("number", "country")),
    ],
)
def test_keys_are_those_people_know_things_by(name: str, key: tuple[str, ...]) -> None:
    """Derived from owner and unique field unless declared."""
    assert next(s for s in SECTIONS if s.name == name).key == key
