"""Carriers, routes, patterns, transformations, numbers and edges."""

from __future__ import annotations

from typing import Any

import pytest
from landline.chassis.api_keys import key_parts
from landline.chassis.postgres import Scope
from landline.contracts.envelope import unseal
from landline.contracts.provisioning.events import EntityChanged
from sqlalchemy import text

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api


async def network(api: Api, brand: dict[str, Any]) -> dict[str, Any]:
    """A carrier with a server, one without, and a pattern: their ids by name."""
    full = await api.made(brand["name"], "carriers", {"name": "full"})
    empty = await api.made(brand["name"], "carriers", {"name": "empty"})
    server = await api.made(
        brand["name"], "carrier-servers", {"carrier_id": full["id"], "host": "sip.carrier.example"}
    )
    pattern = await api.made(brand["name"], "destination-patterns", {"name": "Spain", "prefix": "+34"})
    return {"full": full["id"], "empty": empty["id"], "server": server["id"], "pattern": pattern["id"]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"destination_pattern_id": "pattern", "carrier_id": "full"}, []),
        ({"destination_pattern_id": "pattern", "mode": "lcr", "carrier_ids": ["full"]}, []),
        ({"destination_pattern_id": "pattern", "mode": "block"}, []),
        ({"kind": "fax", "carrier_id": "full"}, []),
        ({"carrier_id": "full"}, [("destination_pattern_id", "required")]),
        (
            {"kind": "fax", "destination_pattern_id": "pattern", "carrier_id": "full"},
            [("destination_pattern_id", "not_for_kind")],
        ),
        ({"destination_pattern_id": "pattern"}, [("carrier_id", "required")]),
        (
            {"destination_pattern_id": "pattern", "carrier_id": "empty"},
            [("carrier_id", "carrier_without_server")],
        ),
        ({"destination_pattern_id": "pattern", "mode": "lcr"}, [("carrier_ids", "required")]),
        (
            {"destination_pattern_id": "pattern", "mode": "lcr", "carrier_ids": ["full"], "prefix": "9"},
            [("prefix", "only_static")],
        ),
        (
            {"destination_pattern_id": "pattern", "mode": "block", "carrier_ids": ["full"]},
            [("carrier_ids", "only_lcr")],
        ),
        (
            {"destination_pattern_id": "pattern", "carrier_id": "full", "weight": 21},
            [("weight", "less_than_equal")],
        ),
        (
            {"destination_pattern_id": "pattern", "carrier_id": "full", "priority": 255},
            [("priority", "less_than_equal")],
        ),
        ({"destination_pattern_id": "pattern", "carrier_id": "pattern"}, [("carrier_id", "not_found")]),
        ({"kind": "emergency", "carrier_id": "full"}, []),
        ({"kind": "emergency", "mode": "block"}, [("mode", "not_for_kind")]),
    ],
)
async def test_a_routes_fields_fit_its_kind_and_mode(
    api: Api, body: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Model-system 1.6."""
    brand = await api.brand()
    ids = await network(api, brand)
    given = {k: [ids[i] for i in v] if isinstance(v, list) else ids.get(v, v) for k, v in body.items()}
    answer = await api.post(brand["name"], "routes", given)
    if expected:
        assert refused(answer) == expected
    else:
        assert answer.status_code == 201, answer.text
        assert answer.json()["stopper"] == (body.get("mode") == "block")


async def test_what_routes_use_cannot_be_deleted(api: Api) -> None:
    """In a list of carriers, too; and the last server of a carrier in use stays."""
    brand = await api.brand()
    ids = await network(api, brand)
    route = {"destination_pattern_id": ids["pattern"], "mode": "lcr", "carrier_ids": [ids["full"]]}
    made = await api.made(brand["name"], "routes", route)
    for path in (f"carriers/{ids['full']}", f"destination-patterns/{ids['pattern']}"):
        answer = await api.delete(brand["name"], path)
        assert answer.status_code == 409
        assert {"resource": "routes", "ids": [made["id"]]}.items() <= answer.json()["needed_by"][-1].items()
    last = await api.delete(brand["name"], f"carrier-servers/{ids['server']}")
    assert (last.status_code, last.json()["code"]) == (409, "last_server")
    await api.made(
        brand["name"], "carrier-servers", {"carrier_id": ids["full"], "host": "sip2.carrier.example"}
    )
    assert (await api.delete(brand["name"], f"carrier-servers/{ids['server']}")).status_code == 204


async def test_a_sips_server_is_not_reached_by_udp(api: Api) -> None:
    """No datagram is secured hop by hop: every call to such a server would fail."""
    brand = await api.brand()
    ids = await network(api, brand)
    server = {"carrier_id": ids["full"], "host": "safe.example", "uri_scheme": "sips"}
    assert refused(await api.post(brand["name"], "carrier-servers", server)) == [
        ("transport", "not_for_scheme")
    ]
    made = await api.made(brand["name"], "carrier-servers", {**server, "transport": "tls"})
    changed = await api.patch(brand["name"], f"carrier-servers/{made['id']}", {"transport": "udp"})
    assert refused(changed) == [("transport", "not_for_scheme")]


async def test_a_carriers_password_is_kept_as_sealed_ha1(api: Api) -> None:
    """Never readable; a new user needs it again, because the hash holds the user."""
    brand = await api.brand()
    ids = await network(api, brand)
    auth = {"auth_user": "u", "auth_realm": "r.example", "auth_password": "secret-of-carrier"}
    made = await api.made(
        brand["name"], "carrier-servers", {"carrier_id": ids["full"], "host": "h.example", **auth}
    )
    assert "secret" not in str(made)
    path = f"carrier-servers/{made['id']}"
    assert refused(await api.patch(brand["name"], path, {"auth_user": "v"})) == [
        ("auth_password", "required")
    ]
    assert (await api.patch(brand["name"], path, {"send_rpid": True})).status_code == 200
    half = {"carrier_id": ids["full"], "host": "h2.example", "auth_user": "u"}
    assert refused(await api.post(brand["name"], "carrier-servers", half))[0][1] == "auth_incomplete"


async def test_a_generated_set_rewrites_both_ways(api: Api) -> None:
    """Its rules are rows like any other; `try` runs what call-control runs; they go with the set."""
    brand = await api.brand()
    made = await api.made(
        brand["name"], "transformation-sets", {"name": "ES", "country": "ES", "generate_rules": True}
    )
    path = f"transformation-sets/{made['id']}"
    for direction, number, expected in (
        ("callee_in", "600123123", "+34600123123"),
        ("callee_in", "0033123456789", "+33123456789"),
        ("callee_out", "+34600123123", "600123123"),
        ("caller_out", "+33123456789", "0033123456789"),
    ):
        tried = (
            await api.post(brand["name"], f"{path}/try", {"direction": direction, "number": number})
        ).json()
        assert (tried["result"], tried["outcome"]) == (expected, "rewritten")
        assert tried["rule_id"]
    unchanged = await api.post(
        brand["name"], f"{path}/try", {"direction": "callee_in", "number": "anonymous"}
    )
    assert unchanged.json() == {"result": "anonymous", "rule_id": None, "outcome": "unchanged"}
    assert (await api.delete(brand["name"], path)).status_code == 204
    rules = await api.get(
        brand["name"], f"transformation-rules?transformation_set_id={made['id']}&count=true"
    )
    assert rules.json()["total"] == 0


@pytest.mark.parametrize(
    ("match", "replace", "field"),
    [
        ("(", "x", "match"),
        ("(a", "x", "match"),
        (r"(a)\1", "x", "match"),
        ("(?=a)", "x", "match"),
        ("^(a)$", r"\2", "replace"),
        ("a" * 129, "x", "match"),
    ],
)
async def test_an_unsound_expression_is_refused(api: Api, match: str, replace: str, field: str) -> None:
    """RE2 only: a pattern that takes exponential time would stop all calls of a brand."""
    brand = await api.brand()
    made = await api.made(brand["name"], "transformation-sets", {"name": "s"})
    rule = {"transformation_set_id": made["id"], "direction": "callee_in", "match": match, "replace": replace}
    assert {f for f, _ in refused(await api.post(brand["name"], "transformation-rules", rule))} == {field}


async def test_the_platforms_sets_are_for_all_to_use_and_for_it_to_change(api: Api) -> None:
    """A brand reads and refers to them; it can neither edit them nor add rules to them."""
    brand = await api.brand()
    shared = await api.made("platform", "transformation-sets", {"name": f"common {id(api)}"})
    assert shared["brand_id"] is None
    client = await api.client(brand, transformation_set_id=shared["id"])
    path = f"transformation-sets/{shared['id']}"
    assert (await api.get(client["name"], path)).status_code == 200
    assert (await api.patch(brand["name"], path, {"name": "mine"})).status_code == 403
    assert (await api.delete(brand["name"], path)).status_code == 403
    rule = {"transformation_set_id": shared["id"], "direction": "callee_in", "match": "^0", "replace": ""}
    assert refused(await api.post(brand["name"], "transformation-rules", rule)) == [
        ("transformation_set_id", "not_found")
    ]
    assert (await api.post("platform", "transformation-rules", rule)).status_code == 201
    held = await api.delete("platform", path)
    assert (held.status_code, held.json()["needed_by"][0]["resource"]) == (409, "clients")


async def test_numbers_belong_to_a_brand_or_to_all(api: Api) -> None:
    """112 for everybody, and once per country and owner."""
    brand = await api.brand()
    number = f"1{id(api) % 100000}"
    common = await api.made("platform", "emergency-numbers", {"number": number})
    own = await api.made(brand["name"], "emergency-numbers", {"number": number, "country": "ES"})
    assert (common["brand_id"], own["brand_id"]) == (None, brand["id"])
    again = await api.post(brand["name"], "emergency-numbers", {"number": number, "country": "ES"})
    assert again.json()["code"] == "number_taken"
    listed = (await api.get(brand["name"], f"emergency-numbers?number={number}")).json()["items"]
    assert {r["id"] for r in listed} == {common["id"], own["id"]}


async def test_an_edges_key_is_shown_once_and_published_as_hash(api: Api) -> None:
    """Edges check in at call-control, which knows the hash only."""
    made = await api.made("platform", "edges", {"name": "edge-1"})
    parts = key_parts(made["key"])
    assert parts is not None
    assert made["key_prefix"] == parts.prefix
    assert "key" not in (await api.get("platform", f"edges/{made['id']}")).json()
    async with api.db.transaction(Scope.system()) as tx:
        rows = (await tx.execute(text("select event from outbox order by id desc limit 1"))).scalars()
    data = unseal(bytes(next(iter(rows)))).read(EntityChanged).data
    assert (data["key_prefix"], data["key_sha256"], data["enabled"]) == (parts.prefix, parts.sha256, True)
    changed = (await api.patch("platform", f"edges/{made['id']}", {"reset_key": True})).json()
    assert changed["key"] != made["key"]


async def test_an_edges_key_can_be_bound_to_networks(api: Api) -> None:
    """Written the one way all services compare, refused by position when it is no network."""
    made = await api.made(
        "platform", "edges", {"name": "edge-bound", "networks": ["192.0.2.7", "2001:db8::/32"]}
    )
    assert made["networks"] == ["192.0.2.7", "2001:db8::/32"]
    for bad in ("192.0.2.300", "home", "192.0.2.1/64"):
        body = {"name": "edge-bad", "networks": ["192.0.2.0/24", bad]}
        refused = await api.post("platform", "edges", body)
        assert refused.status_code == 422, bad
        assert refused.json()["errors"][0]["field"] == "networks.1"
