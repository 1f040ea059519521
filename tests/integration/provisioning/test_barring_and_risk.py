"""Barrings, risk classes and risk limits over REST: who may write what, and what the platform comes with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api

NIGHT = {"name": "Night", "prefixes": ["+"], "from_time": "22:00", "to_time": "06:00"}


async def test_a_client_and_its_operator_write_barrings(api: Api) -> None:
    """B and C may (domain 4.7); what the operator locked, C sees and can't touch."""
    brand = await api.brand()
    client = await api.client(brand)
    own = await api.made(client["name"], "barrings", {**NIGHT, "weekdays": [7, 1]})
    assert (own["client_id"], own["weekdays"], own["locked"]) == (client["id"], [1, 7], False)
    assert (await api.patch(client["name"], f"barrings/{own['id']}", {"enabled": False})).status_code == 200
    locked = {"client_id": client["id"], "name": "Fraud", "prefixes": ["+53"], "locked": True}
    made = await api.made(brand["name"], "barrings", locked)
    for answer in (
        await api.patch(client["name"], f"barrings/{made['id']}", {"enabled": False}),
        await api.delete(client["name"], f"barrings/{made['id']}"),
        await api.post(client["name"], "barrings", {**NIGHT, "name": "Mine", "locked": True}),
    ):
        assert answer.status_code == 403
    listed = (await api.get(client["name"], "barrings?sort=name")).json()["items"]
    assert [row["name"] for row in listed] == ["Fraud", "Night"]
    assert (await api.delete(client["name"], f"barrings/{own['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"prefixes": []}, ("prefixes", "too_short")),
        ({"prefixes": ["34"]}, ("prefixes.0", "string_pattern_mismatch")),
        ({"prefixes": ["+34", "+34"]}, ("prefixes", "duplicate_items")),
        ({"from_time": None}, ("from_time", "required")),
        ({"to_time": None}, ("to_time", "required")),
        ({"to_time": "22:00"}, ("to_time", "same_time")),
        ({"from_time": "24:00"}, ("from_time", "string_pattern_mismatch")),
        ({"weekdays": [0]}, ("weekdays.0", "greater_than_equal")),
    ],
)
async def test_a_barring_that_says_nothing_is_refused(
    api: Api, change: dict[str, Any], expected: tuple[str, str]
) -> None:
    """The field is named, nothing is written."""
    brand = await api.brand()
    client = await api.client(brand)
    answer = await api.post(client["name"], "barrings", {**NIGHT, **change})
    assert refused(answer) == [expected]
    assert (await api.get(client["name"], "barrings")).json()["items"] == []


async def test_a_client_has_a_bounded_number_of_barrings(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at in every call."""
    monkeypatch.setattr("provisioning.api.barrings.MOST_OF_A_CLIENT", 1)
    brand = await api.brand()
    client = await api.client(brand)
    await api.made(client["name"], "barrings", NIGHT)
    again = await api.post(client["name"], "barrings", {**NIGHT, "name": "Second"})
    assert refused(again) == [("client_id", "too_many")]


async def test_the_platform_comes_with_dear_and_risky_ranges(api: Api) -> None:
    """Premium numbers and satellites of public numbering data, each with its source, readable by all."""
    brand = await api.brand()
    client = await api.client(brand)

    async def rows(query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await api.get(client["name"], f"risk-classes?{query}")).json()["items"]
        return found

    [satellite] = await rows("prefix=%2B870")
    assert (satellite["risk"], satellite["brand_id"]) == ("high_risk", None)
    [premium] = await rows("prefix=%2B34803")
    assert (premium["risk"], premium["country"]) == ("special_rate", "ES")
    assert "libphonenumber" in premium["source"]
    answer = await api.get("platform", "risk-classes?count=true&limit=1")
    assert answer.json()["total"] > 800
    assert await rows("source=") == []


async def test_a_brand_classes_a_prefix_its_own_way(api: Api) -> None:
    """Beside the platform's row, which it can't change."""
    brand = await api.brand()
    own = {"prefix": "+870", "risk": "normal", "description": "our ships"}
    await api.made(brand["name"], "risk-classes", own)
    rows = (await api.get(brand["name"], "risk-classes?prefix=%2B870")).json()["items"]
    assert sorted(row["risk"] for row in rows) == ["high_risk", "normal"]
    platform = next(row for row in rows if row["brand_id"] is None)
    assert (
        await api.patch(brand["name"], f"risk-classes/{platform['id']}", {"risk": "normal"})
    ).status_code == 403
    again = await api.post(brand["name"], "risk-classes", own)
    assert (again.status_code, again.json()["code"]) == (409, "prefix_taken")


async def test_all_countries_have_their_emergency_numbers(api: Api) -> None:
    """Nobody must think of 112 before the first call."""
    rows = (await api.get("platform", "emergency-numbers?country=ES&sort=number")).json()["items"]
    assert {"112", "085"} <= {row["number"] for row in rows}
    us = (await api.get("platform", "emergency-numbers?country=US")).json()["items"]
    assert "911" in {row["number"] for row in us}


async def test_safe_limits_out_of_the_box(api: Api) -> None:
    """High risk off, thirty calls a minute, a first week at half speed."""
    brand = await api.brand()
    assert brand["allowed_risk_classes"] == ["normal", "special_rate"]
    assert (brand["max_calls_per_minute"], brand["probation_days"]) == (30, 7)
    assert (brand["price_cap_per_minute"], brand["spend_per_hour"]) == (None, None)
    client = await api.client(brand)
    assert (client["allowed_risk_classes"], client["max_calls_per_minute"]) == (None, None)


async def test_a_clients_people_only_tighten_what_the_operator_allows(api: Api) -> None:
    """And take it back up to that, never beyond; null goes back to the operator's."""
    brand = await api.brand()
    client = await api.client(brand)
    path = f"clients/{client['id']}"
    given = {"max_calls_per_minute": 20, "spend_per_hour": "10.00", "price_cap_per_minute": "0.50"}
    told = (await api.patch(brand["name"], path, given)).json()
    assert told["operator_limits"]["spend_per_hour"] == "10.00"
    mine = {"max_calls_per_minute": 5, "spend_per_hour": "1.00", "allowed_risk_classes": ["normal"]}
    answer = await api.patch(client["name"], path, mine)
    assert answer.status_code == 200, answer.text
    assert (await api.patch(client["name"], path, {"max_calls_per_minute": 20})).status_code == 200
    looser = {
        "max_calls_per_minute": 21,
        "spend_per_hour": "10.01",
        "price_cap_per_minute": "0.51",
        "allowed_risk_classes": ["normal", "high_risk"],
        "probation_days": 6,
    }
    assert refused(await api.patch(client["name"], path, looser)) == [
        (field, "only_tighter")
        for field in (
            "allowed_risk_classes",
            "price_cap_per_minute",
            "max_calls_per_minute",
            "spend_per_hour",
            "probation_days",
        )
    ]
    assert refused(await api.patch(client["name"], path, {"max_calls_per_minute": 0})) == [
        ("max_calls_per_minute", "only_tighter")
    ]
    back = (await api.patch(client["name"], path, {"spend_per_hour": None})).json()
    assert back["spend_per_hour"] == "10.00"


async def test_normal_numbers_can_not_be_left_out(api: Api) -> None:
    """A client who may call nothing at all is a disabled one."""
    answer = await api.patch("platform", f"brands/{(await api.brand())['id']}", {"allowed_risk_classes": []})
    assert refused(answer) == [("allowed_risk_classes", "normal_required")]
