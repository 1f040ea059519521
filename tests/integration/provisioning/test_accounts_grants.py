"""`admins/{id}/grants`: rights of restricted admins by rows, under the same rules as the admin itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.contracts.rights import KNOWN
from provisioning.accounts.admins import ADMINS
from provisioning.api.brands import BRANDS
from provisioning.api.clients import CLIENTS

from tests.support.accounts import PASSWORD, House, running_house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(settings: Settings) -> AsyncIterator[House]:
    redis = await connect(settings)
    async with running_house(settings, redis) as running:  # type: ignore[arg-type]
        yield running
    await redis.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator(house: House) -> dict[str, Any]:
    """A brand's operator: a token, and the id of a client of the brand."""
    brand = await house.row(BRANDS, name="G", sip_domain="grants.example", country="ES")
    client = await house.row(CLIENTS, brand_id=brand, name="Casa")
    await house.row(ADMINS, username="grants-op", password=PASSWORD, brand_id=brand)
    await house.row(ADMINS, username="grants-root", password=PASSWORD)
    return {
        "token": (await house.login("grants-op"))["access_token"],
        "root": (await house.login("grants-root"))["access_token"],
        "brand_id": str(brand),
        "client_id": str(client),
    }


async def restricted(house: House, operator: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A restricted admin of the brand's client, or of another place; its row."""
    body = {
        "username": f"g-{uuid4().hex[:10]}",
        "password": PASSWORD,
        "client_id": operator["client_id"],
        "restricted": True,
        **fields,
    }
    answer = await house.http(operator["root"]).post("/admins", json=body)
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


def grant_of(answer: Any, resource: str) -> dict[str, Any]:
    """One line of the answer."""
    [line] = [each for each in answer.json()["items"] if each["resource"] == resource]
    return {name: line[name] for name in ("create", "read", "update", "delete", "given")}


async def test_a_new_restricted_admin_reads_everything_and_writes_nothing(
    house: House, operator: dict[str, Any]
) -> None:
    """Model-system 1.20: turning `restricted` on gives read on every kind."""
    row = await restricted(house, operator)
    answer = await house.http(operator["token"]).get(f"/admins/{row['id']}/grants")
    assert answer.status_code == 200, answer.text
    assert {line["resource"] for line in answer.json()["items"]} == KNOWN
    for line in answer.json()["items"]:
        assert (line["create"], line["read"], line["update"], line["delete"], line["given"]) == (
            False,
            True,
            False,
            False,
            False,
        )


async def test_a_grant_is_set_and_taken_back(house: House, operator: dict[str, Any]) -> None:
    """One row at a time, and the admin acts by it at its next login."""
    row = await restricted(house, operator, client_id=None, brand_id=operator["brand_id"])
    path, http = f"/admins/{row['id']}/grants", house.http(operator["root"])
    given = await http.put(f"{path}/clients", json={"create": True, "read": True})
    assert grant_of(given, "clients") == {
        "create": True,
        "read": True,
        "update": False,
        "delete": False,
        "given": True,
    }
    token = (await house.login(row["username"]))["access_token"]
    assert (await house.http(token).post("/clients", json={"name": "granted"})).status_code == 201
    await http.put(f"{path}/clients", json={})
    assert (await http.get(f"/admins/{row['id']}")).json()["rights"] == {"clients": ""}
    token = (await house.login(row["username"]))["access_token"]
    assert (await house.http(token).get("/clients")).status_code == 403
    back = await http.delete(f"{path}/clients")
    assert grant_of(back, "clients")["read"] is True
    assert (await http.get(f"/admins/{row['id']}")).json()["rights"] == {}


@pytest.mark.parametrize(("grant", "letters"), [("all", "crud"), ("read_only", None), ("none", "")], ids=str)
async def test_all_grants_at_once(
    house: House, operator: dict[str, Any], grant: str, letters: str | None
) -> None:
    """grant all, read only, revoke all: also of one that was not restricted."""
    row = await restricted(house, operator, restricted=False)
    answer = await house.http(operator["token"]).post(f"/admins/{row['id']}/grants", json={"grant": grant})
    assert answer.status_code == 200, answer.text
    admin = (await house.http(operator["token"]).get(f"/admins/{row['id']}")).json()
    assert admin["restricted"] is True
    assert admin["rights"] == ({} if letters is None else dict.fromkeys(KNOWN, letters))


async def test_a_grant_for_who_may_do_everything_is_a_conflict(
    house: House, operator: dict[str, Any]
) -> None:
    """It would look as if it restricted, and would not."""
    row = await restricted(house, operator, restricted=False)
    answer = await house.http(operator["token"]).put(
        f"/admins/{row['id']}/grants/clients", json={"read": True}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "not_restricted")


async def test_an_unknown_kind_of_resource_is_named(house: House, operator: dict[str, Any]) -> None:
    """A right on a misspelt name would be a right on nothing."""
    row = await restricted(house, operator)
    path = f"/admins/{row['id']}/grants/cleints"
    for answer in (
        await house.http(operator["token"]).put(path, json={}),
        await house.http(operator["token"]).delete(path),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "resource")


async def test_nobody_gives_more_than_it_has(house: House, operator: dict[str, Any]) -> None:
    """A restricted operator with rights on admins could otherwise widen a friend, then borrow it."""
    helper = await restricted(
        house,
        operator,
        client_id=None,
        brand_id=operator["brand_id"],
        rights={"admins": "crud", "devices": "ru", "carriers": ""},
    )
    token = (await house.login(helper["username"]))["access_token"]
    row = await restricted(house, operator)
    path = f"/admins/{row['id']}/grants"
    assert (await house.http(token).put(f"{path}/carriers", json={})).status_code == 200
    allowed = await house.http(token).put(f"{path}/devices", json={"read": True, "update": True})
    assert allowed.status_code == 200, allowed.text
    more = await house.http(token).put(f"{path}/devices", json={"read": True, "delete": True})
    assert (more.status_code, more.json()["errors"][0]["code"]) == (422, "more_than_own")
    everything = await house.http(token).post(path, json={"grant": "read_only"})
    assert everything.status_code == 422, "what it may not read itself it must not give"


async def test_grants_outside_ones_scope_do_not_exist(house: House, operator: dict[str, Any]) -> None:
    """404, and nobody's own."""
    other = await house.row(BRANDS, name="H", sip_domain="grants-h.example", country="ES")
    foreign = await house.row(ADMINS, username="grants-h", password=PASSWORD, brand_id=other)
    http = house.http(operator["token"])
    assert (await http.get(f"/admins/{foreign}/grants")).status_code == 404
    assert (await http.put(f"/admins/{foreign}/grants/clients", json={})).status_code == 404
    assert (await http.post(f"/admins/{foreign}/grants", json={"grant": "all"})).status_code == 404
