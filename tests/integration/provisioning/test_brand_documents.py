"""A brand as one document: export it, apply it, and nothing is lost, doubled or told that is secret."""

from __future__ import annotations

import asyncio
import copy
import re
from typing import Any

import pytest
import yaml
from landline.chassis.postgres import Scope
from provisioning.documents.shape import Section, sections
from provisioning.main import REGISTRY
from sqlalchemy import text

from tests.support.brand_documents import FURNISHED, applied, exported, furnished_brand, refusals, row_counts
from tests.support.provisioning_api import Api

UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


async def test_an_exported_brand_can_be_built_again_from_nothing(api: Api) -> None:
    """The document is what a new platform, or a brand that was lost, is made of."""
    brand = await furnished_brand(api)
    document = await exported(api, "platform", brand)
    assert all(document[name] for name in FURNISHED.split())
    emptied: dict[str, list[object]] = {name: [] for name in document if name not in ("format", "brand")}
    gone = await applied(api, "platform", brand, emptied, prune=True)
    assert gone["deleted"] == sum(len(v) for v in document.values() if isinstance(v, list))
    assert (await api.delete("platform", f"brands/{brand['id']}")).status_code == 204

    new = await api.brand(name=brand["name"], sip_domain=brand["sip_domain"])
    outcome = await applied(api, brand["name"], new, {**document, "brand": {}})
    assert outcome["created"] == gone["deleted"]
    await applied(api, "platform", new, document)
    assert await exported(api, "platform", new) == document


async def test_a_document_names_and_tells_no_secret(api: Api) -> None:
    """Kept in git and read by others: no id of this platform, no HA1, no key."""
    brand = await furnished_brand(api, "94405")
    answer = await api.get("platform", f"brands/{brand['id']}/export", headers={"Accept": "application/yaml"})
    assert answer.headers["content-type"].startswith("application/yaml")
    assert not UUID_TEXT.search(answer.text)
    assert not re.search("ha1|password|secret|key:", answer.text)
    assert yaml.safe_load(answer.text) == await exported(api, "platform", brand)


async def test_applying_twice_changes_nothing_the_second_time(api: Api) -> None:
    """CI applies the same file after every commit."""
    brand = await furnished_brand(api, "94406")
    document = await exported(api, brand["name"], brand)
    before = await row_counts(api)
    for who in ("platform", brand["name"]):
        outcome = await applied(api, who, brand, document, prune=True)
        assert (outcome["created"], outcome["updated"], outcome["deleted"]) == (0, 0, 0)
        assert outcome["unchanged"] == 1 + sum(len(v) for v in document.values() if isinstance(v, list))
    assert await row_counts(api) == before


async def test_what_differs_is_written_as_by_hand(api: Api) -> None:
    """Each row with its version, its audit entry and its event; rows that are equal with none."""
    brand = await furnished_brand(api, "94407")
    document = await exported(api, "platform", brand)
    document["clients"][0] |= {"max_calls": 9, "outgoing_ddi": None}
    document["devices"].append({"client": "Casa Perez", "name": "new_phone", "outgoing_ddi": "+34944078181"})
    document["authorized_sources"].pop()
    before = await row_counts(api)
    outcome = await applied(api, brand["name"], brand, document, prune=True)
    assert (outcome["created"], outcome["updated"], outcome["deleted"]) == (1, 1, 1)
    told = {(c["resource"], c["action"]): c for c in outcome["changes"]}
    assert told["clients", "update"]["changes"] == {
        "max_calls": {"before": 3, "after": 9},
        "outgoing_ddi": {"before": "+34944078180", "after": None},
    }
    assert told["clients", "update"]["path"] == "clients[0]"
    assert told["devices", "create"]["changes"]["outgoing_ddi"] == {"before": None, "after": "+34944078181"}
    assert told["authorized-sources", "delete"]["key"] == {"client": "Casa Perez", "network": "203.0.113.7"}
    after = await row_counts(api)
    assert after["audit_log"] - before["audit_log"] == 4  # a device is made, then shows its number
    assert after["outbox"] - before["outbox"] == 4
    client = (await api.get(brand["name"], "clients?name=Casa Garcia")).json()["items"][0]
    assert client["version"] == 3


async def test_a_new_device_gets_a_password_told_once(api: Api) -> None:
    """It can be told nowhere else; a dry run must not tell one that will never be."""
    brand = await furnished_brand(api, "94408")
    document = {"devices": [{"client": "Casa Garcia", "name": "told_once"}]}
    assert (await applied(api, "platform", brand, document, dry_run=True))["revealed"] == []
    outcome = await applied(api, "platform", brand, document)
    (told,) = outcome["revealed"]
    assert told["key"] == {"name": "told_once"}
    assert len(told["secrets"]["password"]) >= 10
    assert (await applied(api, "platform", brand, document))["revealed"] == []


async def test_a_dry_run_tells_all_and_changes_nothing(api: Api) -> None:
    """What an operator reads before the real one: the same answer, and not a row, entry or event."""
    brand = await furnished_brand(api, "94409")
    document = await exported(api, "platform", brand)
    document["clients"].append({"name": "Casa Nueva"})
    document["carriers"][0]["description"] = "other"
    document["special_numbers"] = []
    before = await row_counts(api)
    would = await applied(api, "platform", brand, document, dry_run=True, prune=True)
    assert await row_counts(api) == before
    assert await exported(api, "platform", brand) != document
    done = await applied(api, "platform", brand, document, prune=True)
    assert (would["created"], would["updated"], would["deleted"]) == (1, 1, 1)
    for each in (would, done):
        each.pop("dry_run")
        for change in each["changes"]:
            change["id"] = None if change["action"] == "create" else change["id"]
    assert would == done


async def test_everything_wrong_is_said_at_once_with_its_place(api: Api) -> None:
    """One round per mistake would make a file of a hundred homes unbearable; nothing may be written."""
    brand = await furnished_brand(api, "94410")
    document = copy.deepcopy(await exported(api, "platform", brand))
    document["clients"][0] |= {"max_calls": -1, "transformation_set": "Nowhere"}
    document["clients"][1] |= {"max_calls": "many", "invoice_data": {"tax_id": 7}}
    document["clients"].append({"name": "Casa Nueva", "features": ["voicemail"]})
    document["devices"].append({"client": "Casa Nueva", "name": "waits"})
    document["devices"].append({"client": "Nobody", "name": "lost"})
    document["devices"].append({"name": "no owner"})
    document["carriers"].append({"name": "North"})
    document["ddis"][0]["country"] = "FR"
    document["routes"][0]["carrier"] = None
    before = await row_counts(api)
    assert await refusals(api, "platform", brand, document) == {
        ("clients[0].transformation_set", "not_found"),
        ("clients[1].max_calls", "int_type"),
        ("clients[1].invoice_data.tax_id", "string_type"),
        ("clients[2].features", "feature_not_in_brand"),
        ("devices[3].client", "not_found"),
        ("devices[4].name", "string_pattern_mismatch"),
        ("devices[4].client", "required"),
        ("carriers[2].name", "taken"),
        ("ddis[0].number", "not_in_country"),
        ("routes[0].carrier", "required"),
    }
    assert await row_counts(api) == before


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ([], {("body", "document")}),
        ({"format": "other.v9"}, {("format", "unknown_format")}),
        ({"homes": []}, {("homes", "unknown_section")}),
        ({"clients": {}}, {("clients", "list")}),
        ({"clients": [1]}, {("clients[0]", "object")}),
        ({"clients": [{"name": "a", "id": "x"}]}, {("clients[0].id", "unknown_field")}),
        ({"brand": []}, {("brand", "object")}),
        ({"brand": {"partition": 1}}, {("brand.partition", "unknown_field")}),
        ({"clients": [{"name": "a\x00b"}]}, {("clients[0].name", "text_form")}),
    ],
)  # fmt: skip
async def test_what_is_no_document_is_refused_with_its_place(
    api: Api, document: object, wrong: set[tuple[str, str]]
) -> None:
    """Before anything is looked up."""
    brand = await api.brand()
    assert await refusals(api, "platform", brand, document) == wrong  # type: ignore[arg-type]


async def test_a_brand_may_apply_its_own_document_but_not_change_itself(api: Api) -> None:
    """Rights are those of single writes: the brand's own row is the platform's to write."""
    brand = await furnished_brand(api, "94411")
    document = await exported(api, brand["name"], brand)
    document["clients"][0]["description"] = "x"
    assert ("clients[0].description", "unknown_field") in await refusals(api, brand["name"], brand, document)
    wrong = {"brand": {"max_calls": 1000}, "clients": [{"name": "Casa Garcia", "distribution": "static"}]}
    assert await refusals(api, brand["name"], brand, wrong) == {
        ("brand", "no_right"),
        ("clients[0].distribution", "not_editable"),
    }
    assert (await applied(api, "platform", brand, wrong))["updated"] == 2


async def test_outside_ones_scope_there_is_no_brand(api: Api) -> None:
    """404 for another's brand, 403 for a client: a document shows everything of a brand."""
    one, other = await api.brand(), await api.brand()
    client = await api.client(one)
    for who, status in ((other["name"], 404), (client["name"], 403), ("nobody", 401)):
        assert (await api.get(who, f"brands/{one['id']}/export")).status_code == status
        assert (await api.post(who, f"brands/{one['id']}/apply", {})).status_code == status
    planted = {"clients": [{"name": "x", "brand_id": one["id"]}]}
    assert await refusals(api, other["name"], other, planted) == {("clients[0].brand_id", "unknown_field")}


async def test_two_applies_at_once_make_everything_once(api: Api) -> None:
    """Two pipelines that run for one commit: one makes, the other finds it made."""
    brand = await furnished_brand(api, "94412")
    document = await exported(api, "platform", brand)
    for n in range(20):
        document["clients"].append({"name": f"Casa {n}"})
        document["routes"].append({**document["routes"][0], "priority": 10 + n})
    outcomes = await asyncio.gather(*(applied(api, "platform", brand, document) for _ in range(2)))
    assert sorted(o["created"] for o in outcomes) == [0, 40]
    found = await exported(api, "platform", brand)
    assert (len(found["clients"]), len(found["routes"])) == (22, 24)


async def test_what_the_document_does_not_say_stays(api: Api) -> None:
    """A part of a document is a document; only prune deletes, and only in sections that are there."""
    brand = await furnished_brand(api, "94413")
    before = await exported(api, "platform", brand)
    part = {"clients": [{"name": "Casa Garcia", "max_calls": 4}], "special_numbers": []}
    outcome = await applied(api, "platform", brand, part)
    assert (outcome["created"], outcome["updated"], outcome["deleted"]) == (0, 1, 0)
    outcome = await applied(api, "platform", brand, {"special_numbers": []}, prune=True)
    assert (outcome["updated"], outcome["deleted"]) == (0, 1)
    before["clients"][0]["max_calls"] = 4
    before["special_numbers"] = []
    assert await exported(api, "platform", brand) == before


async def test_what_is_still_needed_is_not_pruned(api: Api) -> None:
    """The rule of a single delete, with the row's name: nothing else of the document happens either."""
    brand = await furnished_brand(api, "94414")
    document = {"clients": [{"name": "Casa Garcia", "max_calls": 9}], "carriers": []}
    answer = await api.post("platform", f"brands/{brand['id']}/apply?prune=true", document)
    assert {(e["field"], e["code"]) for e in answer.json()["errors"]} == {
        ("clients", "still_needed"),
        ("carriers", "still_needed"),
    }
    assert any('{"name": "Casa Perez"}' in e["message"] for e in answer.json()["errors"])
    assert (await exported(api, "platform", brand))["clients"][0]["max_calls"] == 3


def send_by(document: dict[str, Any], pattern: str) -> None:
    """Let every route and group go by this pattern."""
    document["destination_pattern_groups"][0]["destination_patterns"] = [pattern]
    for route in document["routes"]:
        if route["kind"] == "pattern":
            route["destination_pattern"] = pattern


async def test_a_circle_of_changes_finds_its_order(api: Api) -> None:
    """A route moves to a new pattern, the old pattern goes, and a feature goes with its last user."""
    brand = await furnished_brand(api, "94415")
    who = brand["name"]
    client = (await api.get(who, "clients?name=Casa Garcia")).json()["items"][0]
    await api.patch(who, f"clients/{client['id']}", {"features": ["faxes"]})
    document = await exported(api, "platform", brand)
    document["brand"]["features"] = ["billing", "recordings"]
    document["clients"][0]["features"] = []
    document["destination_patterns"] = [{"name": "Europe", "prefix": "+3"}]
    send_by(document, "Europe")
    await applied(api, "platform", brand, document, prune=True)
    found = await exported(api, "platform", brand)
    assert [p["name"] for p in found["destination_patterns"]] == ["Europe"]
    assert found["brand"]["features"] == ["billing", "recordings"]
    assert len(found["routes"]) == 4


async def test_a_row_that_keeps_its_other_unique_field_was_renamed(api: Api) -> None:
    """Deleting and making it again would need every route to let go of it first."""
    brand = await furnished_brand(api, "94416")
    document = await exported(api, "platform", brand)
    document["destination_patterns"][0]["name"] = "Everywhere"
    send_by(document, "Everywhere")
    outcome = await applied(api, "platform", brand, document, prune=True)
    assert (outcome["created"], outcome["updated"], outcome["deleted"]) == (0, 1, 0)


async def test_two_rows_may_swap_what_only_one_can_have(api: Api) -> None:
    """Two patterns their prefixes, two services their codes; the trail tells nothing of the way there."""
    brand = await furnished_brand(api, "94457")
    who = brand["name"]
    await api.made(who, "service-codes", {"service": "voicemail", "code": "*68"})
    await api.made(who, "destination-patterns", {"name": "Another", "prefix": "+4"})
    document = await exported(api, "platform", brand)
    names = ("destination_patterns", "prefix"), ("service_codes", "code")
    for section, field in names:
        one, two, *_ = document[section]
        one[field], two[field] = two[field], one[field]
    for dry_run in (True, False):
        outcome = await applied(api, "platform", brand, document, dry_run=dry_run)
        assert (outcome["created"], outcome["updated"], outcome["deleted"]) == (0, 4, 0)
        changes = {tuple(c["changes"]) for c in outcome["changes"]}
        assert changes == {("prefix",), ("code",)}
    assert await exported(api, "platform", brand) == document
    for change in outcome["changes"]:
        [entry] = (await api.get(who, f"audit-log?entity_id={change['id']}&action=update")).json()["items"]
        assert entry["changes"] == change["changes"]
    again = await applied(api, "platform", brand, document)
    assert (again["updated"], again["unchanged"]) == (0, outcome["unchanged"] + 4)


async def test_a_value_that_somebody_else_keeps_is_still_refused(api: Api) -> None:
    """Letting go helps only who gets what another one lets go of; nothing is changed."""
    brand = await furnished_brand(api, "94458")
    document = await exported(api, "platform", brand)
    kept = document["destination_patterns"][0]
    await api.made(brand["name"], "destination-patterns", {"name": "Aside", "prefix": "+4"})
    document["destination_patterns"] = [{"name": "Aside", "prefix": kept["prefix"]}]
    assert await refusals(api, "platform", brand, document) == {("destination_patterns[0].prefix", "taken")}
    found = (await exported(api, "platform", brand))["destination_patterns"]
    assert {p["name"]: p["prefix"] for p in found} == {kept["name"]: kept["prefix"], "Aside": "+4"}


async def test_warnings_of_single_writes_stand_in_the_plan(api: Api) -> None:
    """An authorized source inside another one is allowed, and probably not meant."""
    brand = await furnished_brand(api, "94459")
    document = await exported(api, "platform", brand)
    home = document["clients"][0]["name"]
    document["authorized_sources"].append({"client": home, "network": "203.0.113.0/24"})
    for dry_run in (True, False):
        outcome = await applied(api, "platform", brand, document, dry_run=dry_run)
        [warning] = outcome["warnings"]
        assert (warning["code"], warning["field"]) == ("overlaps", "network")
        assert warning["path"] == f"authorized_sources[{len(document['authorized_sources']) - 1}]"
        assert "203.0.113.7" in warning["message"] or warning["message"]
    assert outcome["revealed"] == []


async def test_the_platforms_sets_are_named_as_the_platforms(api: Api) -> None:
    """A brand may have a set of the same name: which one is meant must be plain."""
    shared = await api.made("platform", "transformation-sets", {"name": "Shared"})
    brand = await api.brand()
    own = await api.made(brand["name"], "transformation-sets", {"name": "Shared"})
    for name, numbering in (("a", shared), ("b", own)):
        await api.made(brand["name"], "clients", {"name": name, "transformation_set_id": numbering["id"]})
    document = await exported(api, brand["name"], brand)
    said = [c["transformation_set"] for c in document["clients"]]
    assert said == [{"platform": "Shared"}, "Shared"]
    assert [s["name"] for s in document["transformation_sets"]] == ["Shared"]
    document["clients"][1]["transformation_set"] = {"platform": "Shared"}
    assert (await applied(api, brand["name"], brand, document))["updated"] == 1
    client = (await api.get(brand["name"], "clients?name=b")).json()["items"][0]
    assert client["transformation_set_id"] == shared["id"]


async def test_an_apply_is_repeated_by_its_key(api: Api) -> None:
    """A lost answer held the new passwords: the same key tells them again, and makes nothing."""
    brand = await furnished_brand(api, "94417")
    document = {"devices": [{"client": "Casa Garcia", "name": "keyed"}]}
    path, head = f"brands/{brand['id']}/apply", {"Idempotency-Key": "commit-1"}
    first = await api.post("platform", path, document, headers=head)
    again = await api.post("platform", path, document, headers=head)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_yaml_with_a_mistake_says_the_line(api: Api) -> None:
    """And an anchor, which can turn a few lines into gigabytes, is refused."""
    brand = await api.brand()
    path, head = f"brands/{brand['id']}/apply", {"Content-Type": "application/yaml"}
    for body, message in (
        (b"clients:\n- name: a\n  name: b\n", "line 3, column 3: twice in one mapping"),
        (b"clients: &all\n- *all\n", "line 2, column 3: anchors and aliases are not taken"),
        (b"clients: [", "line 2, column 1"),
    ):
        answer = await api.call("platform", "POST", path, content=body, headers=head)
        assert answer.status_code == 422
        assert message in answer.json()["errors"][0]["message"]
    fine = b"clients:\n- name: NO\n  country: NO\n"
    answer = await api.call("platform", "POST", path, content=fine, headers=head)
    assert answer.json()["created"] == 1, answer.text


async def test_the_database_keeps_the_brands_apart_in_an_apply_too(api: Api) -> None:
    """An apply runs in the caller's scope: even a name of another brand's row finds nothing."""
    one, other = await furnished_brand(api, "94418"), await api.brand()
    await api.made(one["name"], "transformation-sets", {"name": "Only here"})
    wrong = {"clients": [{"name": "x", "transformation_set": "Only here"}]}
    for who in (other["name"], "platform"):
        assert await refusals(api, who, other, wrong) == {("clients[0].transformation_set", "not_found")}
    async with api.db.transaction(Scope.system()) as tx:
        assert not await tx.scalar(text("select count(*) from clients where name = 'x'"))


_COLUMNS_OF_INDEX = """
select distinct a.attname from pg_class i join pg_index x on x.indexrelid = i.oid
  left join pg_constraint c on c.conindid = i.oid
  join pg_depend d on d.objid in (i.oid, c.oid) and d.refobjid = x.indrelid and d.refobjsubid > 0
  join pg_attribute a on a.attrelid = x.indrelid and a.attnum = d.refobjsubid
 where x.indpred is null and i.relname = :name and i.relnamespace = 'provisioning'::regnamespace
"""


@pytest.mark.parametrize("section", sections(REGISTRY), ids=lambda s: s.name)
async def test_a_key_names_one_row_where_the_database_knows_it(api: Api, section: Section) -> None:
    """Were the key less than what is unique, two rows could take each other's items."""
    async with api.db.transaction(Scope.system()) as tx:
        unique = [
            set((await tx.execute(text(_COLUMNS_OF_INDEX), {"name": name})).scalars())
            for name in section.resource.unique
        ]
    key = {*section.key, "brand_id"}
    known = [columns for columns in unique if columns]
    assert not known or any(columns <= key for columns in known), (section.key, unique)
