"""Devices and DDIs: credentials, connection, numbers that move only by unlink."""

from __future__ import annotations

from typing import Any

import pytest
from landline.chassis.postgres import Scope
from landline.chassis.secrets import Keyring
from provisioning.accounts.secrets import ha1_pair
from sqlalchemy import text

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api

GOOD = "ABCdef123_good"
DIRECT = {"direct_connectivity": True, "transport": "udp", "ip": "198.51.100.7", "port": 5060}


async def stored_ha1(api: Api, device_id: str) -> str | None:
    """The MD5 HA1 as call-control will read it."""
    async with api.db.transaction(Scope.system()) as tx:
        sealed = await tx.scalar(
            text("select ha1 from devices where id = cast(:id as uuid)"), {"id": device_id}
        )
    return Keyring.of(api.app.state.settings).unseal(sealed, f"device:{device_id}") if sealed else None


async def test_a_password_is_shown_once_and_kept_as_ha1_of_the_brands_domain(api: Api) -> None:
    """Generated when none is given; what is kept must match what the phone will send."""
    brand = await api.brand()
    client = await api.client(brand)
    made = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "phone"})
    expected = ha1_pair("phone", brand["sip_domain"], made["password"]).md5_hex
    assert await stored_ha1(api, made["id"]) == expected
    assert "password" not in (await api.get(brand["name"], f"devices/{made['id']}")).json()
    given = await api.patch(client["name"], f"devices/{made['id']}", {"password": GOOD})
    assert given.json()["password"] == GOOD
    assert await stored_ha1(api, made["id"]) == ha1_pair("phone", brand["sip_domain"], GOOD).md5_hex


@pytest.mark.parametrize(
    "password",
    [
        "short1A_",
        "alllowercase123_",
        "NOLOWER123456_",
        "NoDigitsAtAllXY_",
        "NoSpecial12345abcX",
        "with blank 123ABC_",
        "ñABCabc123_xyz",
    ],
)
async def test_a_weak_password_is_refused_without_being_echoed(api: Api, password: str) -> None:
    """Model-system 1.2: toll fraud starts with guessed SIP passwords."""
    brand = await api.brand()
    client = await api.client(brand)
    answer = await api.post(
        brand["name"], "devices", {"client_id": client["id"], "name": "p", "password": password}
    )
    assert {f for f, _ in refused(answer)} == {"password"}
    assert password not in answer.text


async def test_a_new_name_needs_a_new_password(api: Api) -> None:
    """The name is part of the hash: 409 without, a new password once with reset_credentials."""
    brand = await api.brand()
    client = await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "old"})
    path = f"devices/{device['id']}"
    answer = await api.patch(brand["name"], path, {"name": "new"})
    assert (answer.status_code, answer.json()["code"]) == (409, "credentials_depend_on_name")
    changed = (await api.patch(brand["name"], path, {"name": "new", "reset_credentials": True})).json()
    assert changed["name"] == "new"
    assert (
        await stored_ha1(api, device["id"])
        == ha1_pair("new", brand["sip_domain"], changed["password"]).md5_hex
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"direct_connectivity": True}, {("transport", "required"), ("ip", "required")}),
        ({**DIRECT, "port": None}, {("port", "required")}),
        ({"ip": "198.51.100.7"}, {("ip", "only_direct")}),
        ({"trust_sdp": True}, {("trust_sdp", "only_direct")}),
        ({"ip": "999.1.1.1"}, {("ip", "address")}),
        ({"codecs": []}, {("codecs", "too_short")}),
        ({"codecs": ["alaw", "alaw"]}, {("codecs", "duplicate_items")}),
        ({"max_calls": 101}, {("max_calls", "less_than_equal")}),
        ({"name": "with space"}, {("name", "string_pattern_mismatch")}),
        ({"name": "colon:name"}, {("name", "string_pattern_mismatch")}),
    ],
)
async def test_a_devices_fields_fit_how_it_is_connected(
    api: Api, fields: dict[str, Any], expected: set[Any]
) -> None:
    """Model-system 1.2: what registering devices and direct ones need and may not have."""
    brand = await api.brand()
    client = await api.client(brand)
    answer = await api.post(brand["name"], "devices", {"client_id": client["id"], "name": "p", **fields})
    assert set(refused(answer)) == expected


async def test_a_direct_device_needs_no_password(api: Api) -> None:
    """It is known by its address; one that begins to register gets one."""
    brand = await api.brand()
    client = await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "pbx", **DIRECT})
    assert "password" not in device
    assert await stored_ha1(api, device["id"]) is None
    back = {"direct_connectivity": False, "transport": None, "ip": None, "port": None}
    assert (await api.patch(brand["name"], f"devices/{device['id']}", back)).json()["password"]


async def test_the_platform_creates_for_any_brand_by_naming_the_client(api: Api) -> None:
    """The brand follows from the client; a mismatch is refused."""
    brand, other = await api.brand(), await api.brand()
    client = await api.client(brand)
    made = await api.made("platform", "devices", {"client_id": client["id"], "name": "phone"})
    assert made["brand_id"] == brand["id"]
    assert refused(await api.post("platform", "devices", {"name": "x"})) == [("client_id", "required")]
    wrong = {"client_id": client["id"], "brand_id": other["id"], "name": "x"}
    assert (await api.post("platform", "devices", wrong)).status_code == 422


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"number": "944048182"}, {("number", "e164")}),
        ({"number": "+" + "9" * 40}, {("number", "string_too_long")}),
        ({"number": "+12125550100"}, {("number", "not_in_country")}),
        ({"number": "+34944048182", "target": "device"}, {("device_id", "target_mismatch")}),
        ({"number": "+34944048182", "record": "all"}, {("record", "feature_not_in_client")}),
        ({"number": "+34944048182", "display_name": "Casa"}, {("display_name", "needs_client")}),
        ({"number": "+34944048182", "state": "lost"}, {("state", "literal_error")}),
    ],
)
async def test_a_ddi_is_refused_by_field(api: Api, body: dict[str, Any], expected: set[Any]) -> None:
    """Numbers of another country, targets without a device, recordings nobody paid for."""
    brand = await api.brand()
    assert set(refused(await api.post(brand["name"], "ddis", body))) == expected


async def test_a_number_exists_once_on_the_platform(api: Api) -> None:
    """Across brands: an inbound call must find one owner."""
    one, other = await api.brand(), await api.brand()
    await api.made(one["name"], "ddis", {"number": "+34944000001"})
    answer = await api.post(other["name"], "ddis", {"number": "+34944000001"})
    assert (answer.status_code, answer.json()["code"]) == (409, "number_taken")
    assert one["id"] not in answer.text


async def test_a_ddi_moves_only_by_unlink(api: Api) -> None:
    """The next client must not inherit targets, names and recordings."""
    brand = await api.brand()
    client, other = await api.client(brand), await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "phone"})
    ddi = await api.made(brand["name"], "ddis", {"number": "+34944000002"})
    path = f"ddis/{ddi['id']}"
    given = {"client_id": client["id"], "target": "device", "device_id": device["id"], "display_name": "Casa"}
    assert (await api.patch(brand["name"], path, given)).status_code == 200
    for target in (other["id"], None):
        answer = await api.patch(brand["name"], path, {"client_id": target})
        assert (answer.status_code, answer.json()["code"]) == (409, "unlink_first")
    await api.patch(client["name"], f"clients/{client['id']}", {"outgoing_ddi_id": ddi["id"]})
    shown = await api.post(brand["name"], f"{path}/unlink", None)
    assert (shown.status_code, shown.json()["needed_by"][0]["resource"]) == (409, "clients")
    await api.patch(client["name"], f"clients/{client['id']}", {"outgoing_ddi_id": None})
    free = (await api.post(brand["name"], f"{path}/unlink", None)).json()
    assert (free["client_id"], free["target"], free["device_id"], free["display_name"]) == (
        None,
        "none",
        None,
        None,
    )
    assert (await api.patch(brand["name"], path, {"client_id": other["id"]})).status_code == 200


async def test_a_number_shown_must_be_the_clients_own(api: Api) -> None:
    """Showing another client's number is spoofing."""
    brand = await api.brand()
    client, other = await api.client(brand), await api.client(brand)
    theirs = await api.made(brand["name"], "ddis", {"number": "+34944000003", "client_id": other["id"]})
    for path, who in (
        (f"clients/{client['id']}", client["name"]),
        (f"clients/{client['id']}", brand["name"]),
    ):
        assert refused(await api.patch(who, path, {"outgoing_ddi_id": theirs["id"]})) == [
            ("outgoing_ddi_id", "not_found")
        ]
