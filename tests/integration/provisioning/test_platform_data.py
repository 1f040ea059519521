"""Sets the platform gives to brands, templates, and what only other services know of a client."""

from __future__ import annotations

from itertools import count
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api

DEFAULTS = {
    "media-relay-sets": "00000000-0000-7000-8000-00000000d001",
    "application-server-sets": "00000000-0000-7000-8000-00000000d002",
}
FIELDS = {"media-relay-sets": "media_relay_set", "application-server-sets": "application_server_set"}
_numbers = count(1)


async def made_set(api: Api, resource: str, **fields: Any) -> dict[str, Any]:
    """A new set of either kind."""
    given = {"servers": ["as1", "as2"]} if resource == "application-server-sets" else {}
    return await api.made("platform", resource, {"name": f"fast-{next(_numbers)}", **given, **fields})


@pytest.mark.parametrize("resource", DEFAULTS)
async def test_every_brand_and_client_has_the_default_set_and_it_stays(api: Api, resource: str) -> None:
    """Edges are told a set for every call: there must be one from the first."""
    brand = await api.brand()
    client, field = await api.client(brand), FIELDS[resource]
    assert brand[f"{field}_ids"] == [DEFAULTS[resource]]
    assert client[f"{field}_id"] == DEFAULTS[resource]
    answer = await api.delete("platform", f"{resource}/{DEFAULTS[resource]}")
    assert (answer.status_code, answer.json()["code"]) == (409, "default_set")


@pytest.mark.parametrize("resource", DEFAULTS)
async def test_a_client_uses_a_set_that_its_brand_may_use(api: Api, resource: str) -> None:
    """The platform gives sets to brands; a client takes one of them, and neither can vanish under it."""
    field, fast, other = FIELDS[resource], await made_set(api, resource), await made_set(api, resource)
    brand = await api.brand(**{f"{field}_ids": [fast["id"], DEFAULTS[resource]]})
    client = await api.client(brand)
    assert client[f"{field}_id"] == fast["id"]
    path = f"clients/{client['id']}"
    assert refused(await api.patch("platform", path, {f"{field}_id": other["id"]})) == [
        (f"{field}_id", "not_in_brand")
    ]
    assert refused(await api.patch("platform", path, {f"{field}_id": str(uuid4())})) == [
        (f"{field}_id", "not_found")
    ]
    taken = await api.patch("platform", f"brands/{brand['id']}", {f"{field}_ids": [DEFAULTS[resource]]})
    assert (taken.status_code, taken.json()["code"]) == (409, "set_in_use")
    gone = await api.delete("platform", f"{resource}/{fast['id']}")
    assert (gone.status_code, gone.json()["code"]) == (409, "still_needed")
    await api.patch("platform", path, {f"{field}_id": DEFAULTS[resource]})
    assert (
        await api.patch("platform", f"brands/{brand['id']}", {f"{field}_ids": [DEFAULTS[resource]]})
    ).status_code == 200
    assert (await api.delete("platform", f"{resource}/{fast['id']}")).status_code == 204


@pytest.mark.parametrize("resource", DEFAULTS)
async def test_sets_are_the_platforms_and_keep_their_names(api: Api, resource: str) -> None:
    """An edge is configured by the name: another one would leave it with a set that it does not know."""
    brand, made = await api.brand(), await made_set(api, resource)
    assert (await api.get(brand["name"], resource)).status_code == 403
    assert (await api.patch("platform", f"{resource}/{made['id']}", {"name": "new"})).status_code == 422
    servers = {"servers": ["as1"]} if resource == "application-server-sets" else {}
    taken = await api.post("platform", resource, {"name": made["name"], **servers})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert (await api.patch(brand["name"], f"brands/{brand['id']}", {})).status_code == 403


@pytest.mark.parametrize("resource", ["carriers", "ddi-providers"])
async def test_the_relays_of_a_trunk_are_platform_data(api: Api, resource: str) -> None:
    """Visible to its brand, set by the platform (model-system 1.4, 1.5)."""
    brand = await api.brand()
    trunk = await api.made(brand["name"], resource, {"name": "Trunk"})
    path, body = f"{resource}/{trunk['id']}", {"media_relay_set_id": DEFAULTS["media-relay-sets"]}
    assert (await api.patch(brand["name"], path, body)).status_code == 403
    assert (await api.patch("platform", path, body)).json()["media_relay_set_id"] == body[
        "media_relay_set_id"
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fax": "019a0000-0000-7000-8000-00000000000A"}, None),
        ({"telex": "019a0000-0000-7000-8000-00000000000a"}, "literal_error"),
        ({"fax": "mine"}, "uuid"),
    ],
)
async def test_templates_are_chosen_by_kind(api: Api, given: dict[str, str], expected: str | None) -> None:
    """Kinds and ids are checked; a kind set to null falls back to the level above."""
    brand = await api.brand()
    client = await api.client(brand)
    path = f"clients/{client['id']}"
    answer = await api.patch(brand["name"], path, {"notification_template_ids": given})
    if expected:
        assert [code for _, code in refused(answer)] == [expected]
        return
    assert answer.json()["notification_template_ids"] == {k: v.lower() for k, v in given.items()}
    cleared = await api.patch(brand["name"], path, {"notification_template_ids": {"fax": None}})
    assert cleared.json()["notification_template_ids"] == {}


async def test_templates_themselves_are_the_notifiers(api: Api) -> None:
    """Contracts names the address in both services; there is one table, and this address leads to it."""
    brand = await api.brand()
    for method in ("GET", "POST"):
        answer = await api.call(brand["name"], method, "notification-templates?limit=3")
        assert answer.status_code == 307
        assert answer.headers["location"] == "/api/notifier/v1/notification-templates?limit=3"
    one = await api.get(brand["name"], f"notification-templates/{brand['id']}")
    assert one.headers["location"].endswith(brand["id"])
    assert (await api.get("nobody", "notification-templates")).status_code == 401


async def test_the_currency_is_frozen_once_money_moved(api: Api) -> None:
    """The ledger and live calls count in it; until the first posting it was only a choice."""
    brand = await api.brand()
    client = await api.client(brand)
    path = f"clients/{client['id']}"
    assert (await api.patch(brand["name"], path, {"currency": "USD"})).json()["currency"] == "USD"
    api.others.live[client["id"]] = 1
    assert refused(await api.patch(brand["name"], path, {"currency": "GBP"})) == [
        ("currency", "currency_frozen")
    ]
    api.others.live.clear()
    api.others.moved.add(client["id"])
    assert refused(await api.patch(brand["name"], path, {"currency": "GBP"})) == [
        ("currency", "currency_frozen")
    ]
    assert (await api.patch(brand["name"], path, {"currency": "USD", "name": "same"})).status_code == 200


async def test_a_client_with_live_calls_stays(api: Api) -> None:
    """Nobody would be charged for them; when call-control can't say, the answer is no too."""
    brand = await api.brand()
    client = await api.client(brand)
    path = f"clients/{client['id']}"
    api.others.live[client["id"]] = 2
    live = await api.delete(brand["name"], path)
    assert (live.status_code, live.json()["code"]) == (409, "calls_live")
    api.others.live.clear()
    api.others.away = True
    away = await api.delete(brand["name"], path)
    api.others.away = False
    assert (away.status_code, away.json()["code"]) == (503, "peer_away")
    assert (await api.delete(brand["name"], path)).status_code == 204


async def test_recordings_stay_while_a_number_records(api: Api) -> None:
    """Taken away, calls would silently no longer be recorded."""
    brand = await api.brand()
    client = await api.client(brand, features=["recordings"])
    ddi = await api.made(
        brand["name"], "ddis", {"number": "+34944048191", "client_id": client["id"], "record": "all"}
    )
    answer = await api.patch(brand["name"], f"clients/{client['id']}", {"features": []})
    assert (answer.status_code, answer.json()["code"]) == (409, "feature_in_use")
    await api.patch(client["name"], f"ddis/{ddi['id']}", {"record": "none"})
    assert (await api.patch(brand["name"], f"clients/{client['id']}", {"features": []})).status_code == 200
