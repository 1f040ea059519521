"""Transformation sets from a country's way of dialling: own facts, rules made anew, ready-made ones."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from landline.numbering.countries import countries, dial_plan
from landline.numbering.generator import generate
from landline.numbering.transformations import TransformationSet
from provisioning.main import _make_sets

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api


async def rules_of(api: Api, who: str, set_id: str) -> list[tuple[str, str, str]]:
    """(direction, match, replace) of a set's rules, in the order in which they were made."""
    answer = await api.get(who, f"transformation-rules?transformation_set_id={set_id}&limit=500")
    return [(r["direction"], r["match"], r["replace"]) for r in answer.json()["items"]]


async def tried(api: Api, who: str, set_id: str, direction: str, number: str) -> tuple[str, str]:
    """(result, outcome)."""
    answer = await api.post(
        who, f"transformation-sets/{set_id}/try", {"direction": direction, "number": number}
    )
    return answer.json()["result"], answer.json()["outcome"]


async def test_rules_are_made_from_a_places_own_facts(api: Api) -> None:
    """Belgium, but Antwerp's area and another way out: local numbers can be dialled without the area."""
    brand = await api.brand()
    body = {
        "name": "Antwerp", "country": "BE", "area_code": "3", "national_lengths": [8],
        "international_code": "009", "generate_rules": True,
    }  # fmt: skip
    made = await api.made(brand["name"], "transformation-sets", body)
    assert (made["area_code"], made["trunk_prefix"]) == ("3", None)
    for number, result in (
        ("2345678", "+3232345678"),
        ("032345678", "+3232345678"),
        ("009441632960000", "+441632960000"),
    ):
        assert await tried(api, brand["name"], made["id"], "callee_in", number) == (result, "rewritten")
    assert (await tried(api, brand["name"], made["id"], "callee_out", "+3232345678"))[0] == "2345678"
    assert (await tried(api, brand["name"], made["id"], "callee_out", "+441632960000"))[
        0
    ] == "009441632960000"


async def test_rules_are_made_anew_on_demand(api: Api) -> None:
    """Rules that people changed go, with a tombstone each; without generate_rules nothing is touched."""
    brand = await api.brand()
    who = brand["name"]
    made = await api.made(who, "transformation-sets", {"name": "ES", "country": "ES", "generate_rules": True})
    path = f"transformation-sets/{made['id']}"
    before = await rules_of(api, who, made["id"])
    own = {
        "transformation_set_id": made["id"],
        "direction": "callee_in",
        "priority": 4,
        "match": "^9$",
        "replace": "+349",
    }
    await api.made(who, "transformation-rules", own)
    await api.patch(who, path, {"trunk_prefix": "0"})
    assert len(await rules_of(api, who, made["id"])) == len(before) + 1
    again = await api.patch(who, path, {"generate_rules": True})
    assert again.json()["version"] == 3
    after = await rules_of(api, who, made["id"])
    assert ("callee_in", "^0([0-9]{9})$", r"+34\1") in after
    assert ("callee_in", "^9$", "+349") not in after
    log = await api.get(who, "audit-log?resource=transformation-rules&action=delete&limit=100")
    assert len(log.json()["items"]) == len(before) + 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"generate_rules": True}, [("country", "needs_country")]),
        ({"area_code": "91"}, [("area_code", "needs_country")]),
        ({"country": "ES", "area_code": "91", "national_lengths": [2]}, [("area_code", "invalid_plan")]),
        ({"country": "ES", "trunk_prefix": "123456"}, [("trunk_prefix", "string_too_long")]),
        ({"country": "ES", "international_code": "+"}, [("international_code", "string_pattern_mismatch")]),
        ({"country": "ES", "national_lengths": [18]}, [("national_lengths.0", "less_than_equal")]),
    ],
)
async def test_a_way_of_dialling_is_checked_by_field(
    api: Api, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Wrong facts would make rules that send calls to wrong numbers."""
    brand = await api.brand()
    assert refused(await api.post(brand["name"], "transformation-sets", {"name": "x", **fields})) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"match": "(", "replace": ""}, [("match", "invalid_regex")]),
        ({"match": "^(a+)+$", "replace": r"\2"}, [("replace", "no_such_group")]),
        ({"match": r"^(.)\1$", "replace": ""}, [("match", "unsupported")]),
        ({"match": "(?=x)", "replace": "x\\"}, [("match", "unsupported"), ("replace", "invalid_escape")]),
        ({"match": "(" * 40 + "a{50}" + ")" * 40, "replace": ""}, None),
        ({"match": "((a{50}){50}){50}", "replace": ""}, [("match", None)]),
    ],
)
async def test_rules_are_checked_when_written(api: Api, rule: dict[str, str], expected: Any) -> None:
    """Group references, and only what re2 runs in linear time: a rule can never stall an admission."""
    brand = await api.brand()
    made = await api.made(brand["name"], "transformation-sets", {"name": "x"})
    body = {"transformation_set_id": made["id"], "direction": "callee_in", **rule}
    answer = await api.post(brand["name"], "transformation-rules", body)
    if expected is None:
        assert answer.status_code == 201
        return
    assert [f for f, _ in refused(answer)] == [f for f, _ in expected]
    assert all(code in (None, got) for (_, code), (_, got) in zip(expected, refused(answer), strict=True))


async def test_a_ready_made_set_is_made_once_whoever_asks(api: Api) -> None:
    """Two brands at once, and again later: one set of the platform's, usable by every client."""
    brands = [await api.brand(), await api.brand()]
    asked = [
        api.post(brand["name"], "transformation-sets/ready-made", {"country": "PT"})
        for brand in (*brands, *brands)
    ]
    answers = await asyncio.gather(*asked)
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 201]
    (set_id,) = {a.json()["id"] for a in answers}
    assert {(a.json()["brand_id"], a.json()["name"]) for a in answers} == {(None, "PT Portugal")}
    client = await api.client(brands[0], transformation_set_id=set_id)
    assert client["transformation_set_id"] == set_id
    listed = (await api.get(client["name"], "transformation-sets/ready-made")).json()["items"]
    portugal = next(item for item in listed if item["country"] == "PT")
    assert (portugal["country_code"], portugal["transformation_set_id"]) == ("351", set_id)
    assert len(listed) == len(countries())
    assert (await api.delete(brands[0]["name"], f"transformation-sets/{set_id}")).status_code == 403
    assert (
        await api.post(client["name"], "transformation-sets/ready-made", {"country": "FR"})
    ).status_code == 403
    nowhere = await api.post(brands[0]["name"], "transformation-sets/ready-made", {"country": "XX"})
    assert [f for f, _ in refused(nowhere)] == ["country"]


async def test_the_command_makes_what_is_missing(api: Api) -> None:
    """An operator runs it after an update of the metadata, as often as wanted."""
    settings = api.app.state.settings
    assert await _make_sets(settings, ["AD", "SE"]) == 2
    assert await _make_sets(settings, ["AD", "SE", "NO"]) == 1


def test_every_country_has_rules_that_understand_its_own_numbers() -> None:
    """Ready-made for all countries: a number as dialled at home and abroad comes out in E.164."""
    import phonenumbers

    wrong = []
    for country in countries():
        number = phonenumbers.example_number(country)
        assert number is not None, country
        plan, rules = dial_plan(country), TransformationSet(generate(dial_plan(country)))
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        abroad = plan.international_code + e164[1:]
        if rules.apply("callee_in", abroad).result != e164:
            wrong.append((country, abroad))
        if rules.apply("callee_in", e164).result != e164:
            wrong.append((country, e164))
    assert wrong == []


async def test_lists_tell_names(api: Api) -> None:
    """A portal shows people Spain, not ES."""
    brand = await api.brand()
    found = {}
    for name in ("countries", "currencies", "timezones", "languages"):
        found[name] = {i["code"]: i for i in (await api.get(brand["name"], name)).json()["items"]}
    assert (found["countries"]["ES"]["name"], found["countries"]["ES"]["calling_code"]) == ("Spain", "+34")
    assert (found["currencies"]["JPY"]["symbol"], found["currencies"]["JPY"]["decimals"]) == ("¥", 0)
    assert found["timezones"]["Europe/Madrid"]["name"] == "Europe/Madrid"
    assert found["languages"]["ca"]["name"] == "català"
