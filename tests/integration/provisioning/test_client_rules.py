"""Brands and clients: the rules of domain section 2, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.provisioning_api import Api

RELAYS = "00000000-0000-7000-8000-00000000d001"


def refused(answer: Any) -> list[tuple[str, str]]:
    """The (field, code) pairs of a 422, in order."""
    assert answer.status_code == 422, answer.text
    return [(e["field"], e["code"]) for e in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("brand", "client", "expected"),
    [
        ({"features": ["billing"]}, {"features": ["faxes"]}, [("features", "feature_not_in_brand")]),
        ({"features": []}, {"billing_method": "prepaid"}, [("billing_method", "billing_not_in_brand")]),
        ({}, {"geoip_countries": ["ES"]}, [("geoip_countries", "needs_ip_filter")]),
        ({}, {"billing_method": "prepaid", "credit_limit": "5.00"}, [("credit_limit", "only_postpaid")]),
        ({}, {"billing_method": "none", "max_daily_usage": "5.00"}, [("max_daily_usage", "needs_billing")]),
        (
            {"features": []},
            {"features": ["faxes"], "billing_method": "prepaid", "geoip_countries": ["ES"]},
            [
                ("features", "feature_not_in_brand"),
                ("billing_method", "billing_not_in_brand"),
                ("geoip_countries", "needs_ip_filter"),
            ],
        ),
    ],
)
async def test_what_a_client_may_have_depends_on_its_brand(
    api: Api, brand: dict[str, Any], client: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Enforced by the API, not only shown by a portal."""
    owner = await api.brand(**brand)
    assert refused(await api.post(owner["name"], "clients", {"name": "c", **client})) == expected


async def test_a_client_takes_its_brands_defaults(api: Api) -> None:
    """Language, country, timezone and currency; and no billing where the brand has none."""
    brand = await api.brand(
        features=[], language="es", country="PT", timezone="Europe/Lisbon", currency="USD"
    )
    client = await api.client(brand, language="en")
    assert {k: client[k] for k in ("language", "country", "timezone", "currency", "billing_method")} == {
        "language": "en",
        "country": "PT",
        "timezone": "Europe/Lisbon",
        "currency": "USD",
        "billing_method": "none",
    }
    assert (client["daily_usage_alerts"], client["max_daily_usage"], client["outage_policy"]) == (
        [80, 100],
        None,
        "deny",
    )


async def test_rules_hold_on_every_change_too(api: Api) -> None:
    """A rule that only a creation checks is walked round in two steps."""
    brand = await api.brand()
    client = await api.client(brand, ip_filter=True, geoip_countries=["ES"])
    path = f"clients/{client['id']}"
    assert refused(await api.patch(brand["name"], path, {"ip_filter": False})) == [
        ("geoip_countries", "needs_ip_filter")
    ]
    both = await api.patch(brand["name"], path, {"ip_filter": False, "geoip_countries": []})
    assert both.status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("daily_usage_emails", ["a@example.net"], 200),
        ("client_spend_cap", "3.00", 200),
        ("withhold_number", True, 200),
        ("outgoing_ddi_id", None, 200),
        ("max_daily_usage", "999.00", 403),
        ("name", "mine", 403),
        ("credit_limit", "99.00", 403),
        ("distribution", "static", 403),
    ],
)
async def test_a_client_edits_what_is_its_own_to_edit(api: Api, field: str, value: Any, status: int) -> None:
    """The fields marked c in domain section 2; a limit raised by the one it limits is none."""
    brand = await api.brand()
    client = await api.client(brand)
    answer = await api.patch(client["name"], f"clients/{client['id']}", {field: value})
    assert answer.status_code == status, answer.text
    if status == 403:
        assert [e["field"] for e in answer.json()["errors"]] == [field]


async def test_platform_data_is_the_platforms(api: Api) -> None:
    """A brand sees it and may not set it; a client does not see it."""
    brand = await api.brand()
    client = await api.client(brand)
    path = f"clients/{client['id']}"
    assert (await api.patch(brand["name"], path, {"distribution": "static"})).status_code == 403
    assert (
        await api.post(brand["name"], "clients", {"name": "x", "media_relay_set_id": RELAYS})
    ).status_code == 403
    assert (await api.patch("platform", path, {"distribution": "static"})).json()["distribution"] == "static"
    assert (await api.get(brand["name"], path)).json()["distribution"] == "static"
    assert "distribution" not in (await api.get(client["name"], path)).json()
    assert (await api.get(client["name"], "clients?distribution=hash")).status_code == 422


async def test_a_feature_in_use_stays_in_the_brand(api: Api) -> None:
    """Else its clients would lose it without anybody deciding so."""
    brand = await api.brand()
    client = await api.client(brand, features=["faxes"])
    path = f"brands/{brand['id']}"
    for kept in (["billing", "recordings"], ["faxes", "recordings"]):
        answer = await api.patch("platform", path, {"features": kept})
        assert (answer.status_code, answer.json()["code"]) == (409, "feature_in_use")
    await api.patch(brand["name"], f"clients/{client['id']}", {"features": []})
    assert (await api.patch("platform", path, {"features": ["billing", "recordings"]})).status_code == 200


async def test_brands_spread_over_the_partitions(api: Api) -> None:
    """The least used one: 64 brands would otherwise share one Redis primary."""
    found = [(await api.brand())["partition"] for _ in range(5)]
    assert len(set(found)) == 5
    changed = await api.patch("platform", "brands/" + (await api.brand())["id"], {"partition": 3})
    assert refused(changed) == [("partition", "unknown_field")]


@pytest.mark.parametrize(
    "domain",
    ["203.0.113.5", "[2001:db8::1]", "localhost", "a b.example", "-a.example", "x" * 200 + ".example"],
)
async def test_a_sip_domain_is_a_name(api: Api, domain: str) -> None:
    """An address as domain names no brand (domain 4.2)."""
    answer = await api.post("platform", "brands", {"name": "odd", "country": "ES", "sip_domain": domain})
    assert [f for f, _ in refused(answer)] == ["sip_domain"]


async def test_a_sip_domain_is_unique_whatever_its_case(api: Api) -> None:
    """Two brands with one domain: a device could belong to either."""
    brand = await api.brand()
    body = {"name": "copy", "country": "ES", "sip_domain": brand["sip_domain"].upper() + "."}
    answer = await api.post("platform", "brands", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "sip_domain_taken")


async def test_a_new_sip_domain_needs_new_credentials(api: Api) -> None:
    """Digest hashes contain the realm: no phone could register any more, and nobody would know why."""
    brand = await api.brand()
    client = await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "phone"})
    path, body = f"brands/{brand['id']}", {"sip_domain": f"new-{brand['sip_domain']}"}
    answer = await api.patch("platform", path, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "credentials_depend_on_domain")
    told = (await api.patch("platform", path, {**body, "reset_credentials": True})).json()["credentials"]
    assert [(d["device_id"], d["name"]) for d in told] == [(device["id"], "phone")]
    assert told[0]["password"] != device["password"]
    assert "credentials" not in (await api.get("platform", path)).json()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("203.0.113.5/32", "203.0.113.5"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("203.0.113.5/24", None),
        ("0.0.0.0/0", None),
        ("::/0", None),
        ("203.0.113.256", None),
        ("here", None),
        ("1", None),
    ],
)
async def test_an_authorized_source_is_an_address_or_network(api: Api, given: str, kept: str | None) -> None:
    """One canonical form; host bits and networks that let everybody in are mistakes."""
    brand = await api.brand()
    client = await api.client(brand)
    answer = await api.post(
        brand["name"], "authorized-sources", {"client_id": client["id"], "network": given}
    )
    if kept is None:
        assert refused(answer) == [("network", "network")]
        return
    assert (answer.status_code, answer.json()["network"], answer.json()["brand_id"]) == (
        201,
        kept,
        brand["id"],
    )
    again = await api.post(brand["name"], "authorized-sources", {"client_id": client["id"], "network": given})
    assert again.json()["code"] == "network_taken"


async def test_a_clients_sources_go_with_it(api: Api) -> None:
    """They are part of it: each with its own tombstone, or call-control would keep them."""
    brand = await api.brand()
    client = await api.client(brand)
    source = await api.made(
        brand["name"], "authorized-sources", {"client_id": client["id"], "network": "203.0.113.9"}
    )
    assert (await api.delete(brand["name"], f"clients/{client['id']}")).status_code == 204
    assert (await api.get(brand["name"], f"authorized-sources/{source['id']}")).status_code == 404
    log = (await api.get(brand["name"], f"audit-log?entity_id={source['id']}&action=delete")).json()["items"]
    assert len(log) == 1
