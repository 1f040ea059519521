"""The `admins` resource: who makes, sees and changes whom, and that nobody widens its own rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from landline.chassis.auth import Principal
from landline.chassis.postgres import Scope
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from provisioning.accounts.admins import ADMINS
from provisioning.api.brands import BRANDS
from provisioning.api.clients import CLIENTS
from sqlalchemy import text

from tests.support.accounts import PASSWORD, House, running_house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(settings: Settings) -> AsyncIterator[House]:
    redis = await connect(settings)
    async with running_house(settings, redis) as running:  # type: ignore[arg-type]
        yield running
    await redis.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(house: House) -> dict[str, dict[str, Any]]:
    """An admin per place: its row, its user name and an access token."""
    brand1 = await house.row(BRANDS, name="One", sip_domain="one.example", country="ES")
    brand2 = await house.row(BRANDS, name="Two", sip_domain="two.example", country="ES")
    client1 = await house.row(CLIENTS, brand_id=brand1, name="Casa")
    client2 = await house.row(CLIENTS, brand_id=brand2, name="Casa")
    places: dict[str, dict[str, Any]] = {
        "platform": {},
        "brand1": {"brand_id": brand1},
        "brand2": {"brand_id": brand2},
        "client1": {"brand_id": brand1, "client_id": client1},
        "client2": {"brand_id": brand2, "client_id": client2},
    }
    found = {}
    for name, place in places.items():
        row = await house.row(ADMINS, username=name, password=PASSWORD, **place)
        token = (await house.login(name))["access_token"]
        found[name] = {"id": str(row), "token": token, **{k: str(v) for k, v in place.items()}}
    return found


def new(**fields: Any) -> dict[str, Any]:
    """The body of a new admin, with a user name of its own."""
    return {"username": f"n-{uuid4().hex[:10]}", "password": PASSWORD, **fields}


async def test_an_admin_is_created_without_ever_showing_its_secrets(
    house: House, people: dict[str, Any]
) -> None:
    """Neither in the answer, nor in a list, nor in the audit log."""
    http = house.http(people["platform"]["token"])
    made = await http.post("/admins", json=new(name="Ann", rights={"ddis": "ru"}, restricted=True))
    assert made.status_code == 201, made.text
    listed = (await http.get("/admins", params={"username": made.json()["username"]})).json()["items"][0]
    assert listed == made.json()
    assert not {"password", "password_hash", "otp_secret", "recovery_codes"} & set(listed)
    assert (listed["can_impersonate"], listed["rights"], listed["otp_enabled"]) == (
        False,
        {"ddis": "ru"},
        False,
    )
    async with house.db.transaction(Scope.system()) as tx:
        query = text("select changes from audit_log where entity_id = :id and action = 'create'")
        changes = await tx.scalar(query, {"id": listed["id"]})
    assert changes["password_hash"] == {"before": None, "after": "***"}
    assert "argon2" not in str(changes)


@pytest.mark.parametrize(
    ("who", "sees"),
    [("brand1", {"client1"}), ("brand2", {"client2"})],
)
async def test_a_brand_sees_the_admins_of_its_clients_only(
    house: House, people: dict[str, Any], who: str, sees: set[str]
) -> None:
    """Not its peers, not the platform's, not another brand's."""
    http = house.http(people[who]["token"])
    listed = {row["username"] for row in (await http.get("/admins")).json()["items"]}
    known = {name for name in people if name in listed}
    found = {
        name for name, row in people.items() if (await http.get(f"/admins/{row['id']}")).status_code == 200
    }
    assert (known, found) == (sees, sees)


async def test_row_level_security_hides_them_without_the_querys_own_condition(
    house: House, people: dict[str, Any]
) -> None:
    """The second line of defence must hold alone; and without a scope there is nothing."""

    async def names(scope: Scope, table: str = "admins") -> int:
        async with house.db.transaction(scope) as tx:
            return int(await tx.scalar(text(f"select count(*) from {table}")) or 0)

    brand, client = people["client1"]["brand_id"], people["client1"]["client_id"]
    assert await names(Scope.client(brand, client)) == 0
    assert await names(Scope("", None)) == 0  # type: ignore[arg-type]
    assert await names(Scope.platform()) >= 6
    for table in ("refresh_tokens", "signing_keys", "login_throttle"):
        assert await names(Scope.system(), table) > 0
        assert await names(Scope.platform(), table) == 0
        assert await names(Scope.brand(brand), table) == 0
    async with house.db.transaction(Scope.brand(brand)) as tx:
        seen = set((await tx.execute(text("select username from admins"))).scalars())
        sessions = await tx.scalar(text("select count(*) from sessions where client_id is null"))
    assert seen & set(people) == {"client1"}
    assert sessions == 0


async def test_a_client_admin_has_no_right_on_admins(house: House, people: dict[str, Any]) -> None:
    """403, not an empty list: the kind of resource is not for it."""
    http = house.http(people["client1"]["token"])
    answers = [
        await http.get("/admins"),
        await http.get(f"/admins/{people['client1']['id']}"),
        await http.post("/admins", json=new()),
        await http.delete(f"/admins/{people['client2']['id']}"),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(403, "no_right")] * 4


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ({}, "client_id"),
        ({"client_id": "client2"}, "client_id"),
        ({"brand_id": "brand2"}, "brand_id"),
        ({"brand_id": "brand2", "client_id": "client2"}, "brand_id"),
    ],
)
async def test_a_brand_makes_admins_of_its_own_clients_only(
    house: House, people: dict[str, Any], place: dict[str, str], field: str
) -> None:
    """An operator's token must not become one of its own level, or of another brand."""
    body = new(**{key: people[owner][key] for key, owner in place.items()})
    answer = await house.post("/admins", body, people["brand1"]["token"])
    assert answer.status_code == 422, answer.text
    assert field in {error["field"] for error in answer.json()["errors"]}
    good = await house.post(
        "/admins", new(client_id=people["client1"]["client_id"]), people["brand1"]["token"]
    )
    assert (good.status_code, good.json()["can_impersonate"]) == (201, False)


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "a" * 66}, "username"),
        ({"username": "ñandú"}, "username"),
        ({"password": "short"}, "password"),
        ({"password": None}, "password"),
        ({"email": "no address"}, "email"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"rights": {"ddis": "x"}}, "rights.ddis"),
        ({"rights": {"ddis": "dc"}}, "rights.ddis"),
        ({"rights": ["ddis"]}, "rights"),
        ({"active": "perhaps"}, "active"),
        ({"password_hash": "x"}, "password_hash"),
        ({"otp_enabled": True}, "otp_enabled"),
        ({"client_id": "not a uuid"}, "client_id"),
        ({"client_id": str(uuid4())}, "client_id"),
        ({"name": "a\x00b"}, "name"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_made(
    house: House, people: dict[str, Any], fields: dict[str, Any], bad: str
) -> None:
    """A person who fills a form sees where it is wrong."""
    body = new(**fields)
    answer = await house.post("/admins", body, people["platform"]["token"])
    assert answer.status_code == 422, answer.text
    assert any(error["field"].startswith(bad) for error in answer.json()["errors"]), answer.text


async def test_a_user_name_is_taken_whatever_its_case(house: House, people: dict[str, Any]) -> None:
    """`Admin` beside `admin` is how somebody is tricked into the wrong account."""
    answer = await house.post("/admins", new(username="BRAND1"), people["platform"]["token"])
    assert (answer.status_code, answer.json()["code"]) == (409, "username_taken")


async def test_an_inactive_admin_needs_no_password_yet(house: House, people: dict[str, Any]) -> None:
    """Prepared today, given its password on the day it starts."""
    http = house.http(people["platform"]["token"])
    made = (await http.post("/admins", json=new(password=None, active=False))).json()
    refused = await http.patch(f"/admins/{made['id']}", json={"active": True})
    assert [e["field"] for e in refused.json()["errors"]] == ["password"]
    both = await http.patch(f"/admins/{made['id']}", json={"active": True, "password": PASSWORD})
    assert both.status_code == 200
    await house.login(made["username"])


@pytest.mark.parametrize(
    "patch", [{"active": False}, {"restricted": True}, {"rights": {"brands": "crud"}, "restricted": True}]
)
async def test_nobody_changes_its_own_rights(
    house: House, people: dict[str, Any], patch: dict[str, Any]
) -> None:
    """Neither wider, nor locked out: the last platform admin would be gone for good."""
    http = house.http(people["platform"]["token"])
    answer = await http.patch(f"/admins/{people['platform']['id']}", json=patch)
    assert {error["code"] for error in answer.json()["errors"]} == {"own_account"}
    gone = await http.delete(f"/admins/{people['platform']['id']}")
    assert (gone.status_code, gone.json()["errors"][0]["code"]) == (422, "own_account")


async def test_a_restricted_admin_gives_no_more_than_it_has(house: House, people: dict[str, Any]) -> None:
    """Else two restricted admins could make each other unrestricted."""
    own = {"admins": "cru", "ddis": "ru"}
    await house.row(ADMINS, username="limited", password=PASSWORD, restricted=True, rights=own)
    token = (await house.login("limited"))["access_token"]
    table: list[tuple[dict[str, Any], set[str]]] = [
        ({"restricted": False}, {"restricted"}),
        ({"restricted": True, "rights": {"ddis": "crud"}}, {"rights.ddis"}),
        ({"restricted": True, "rights": {"brands": "u"}}, {"rights.brands"}),
        ({"restricted": True, "can_impersonate": True}, {"can_impersonate"}),
    ]
    for fields, bad in table:
        answer = await house.post("/admins", new(**fields), token)
        assert {error["field"] for error in answer.json()["errors"]} == bad
    good = await house.post("/admins", new(restricted=True, rights={"ddis": "ru", "brands": "r"}), token)
    assert good.status_code == 201
    http = house.http(token)
    takeover = await http.patch(f"/admins/{people['brand1']['id']}", json={"password": "a stolen account 1"})
    assert [error["field"] for error in takeover.json()["errors"]] == ["restricted"]
    assert (await http.delete(f"/admins/{good.json()['id']}")).json()["code"] == "no_right"


async def test_a_changed_right_or_password_ends_the_sessions(house: House, people: dict[str, Any]) -> None:
    """A token that was given more would go on with it for ten minutes, a refresh token for a month."""
    http = house.http(people["platform"]["token"])
    for patch in ({"password": "a new long phrase"}, {"restricted": True}, {"rights": {"ddis": "r"}}):
        made = (await http.post("/admins", json=new())).json()
        tokens = await house.login(made["username"])
        who: Principal = await house.verifier.verify(tokens["access_token"])
        assert (await http.patch(f"/admins/{made['id']}", json=patch)).status_code == 200
        await house.revoked(str(who.sid))
        again = await house.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        assert again.status_code == 401


async def test_a_brand_ends_the_sessions_of_its_clients_admins(house: House, people: dict[str, Any]) -> None:
    """In the brand's own scope, under row-level security; by deletion too."""
    place = {"client_id": people["client1"]["client_id"]}
    http = house.http(people["brand1"]["token"])
    made = (await http.post("/admins", json=new(**place))).json()
    tokens = await house.login(made["username"])
    who = await house.verifier.verify(tokens["access_token"])
    assert (await http.delete(f"/admins/{made['id']}")).status_code == 204
    await house.revoked(str(who.sid))
    login = await house.post("/auth/login", {"username": made["username"], "password": PASSWORD})
    assert login.status_code == 401


async def test_a_harmless_change_ends_no_session(house: House, people: dict[str, Any]) -> None:
    """Correcting a name must not throw anybody out."""
    http = house.http(people["platform"]["token"])
    made = (await http.post("/admins", json=new())).json()
    tokens = await house.login(made["username"])
    assert (await http.patch(f"/admins/{made['id']}", json={"name": "Ann"})).json()["version"] == 2
    async with house.db.transaction(Scope.system()) as tx:
        query = text("select count(*) from sessions where admin_id = :id and revoked_at is null")
        assert await tx.scalar(query, {"id": UUID(made["id"])}) == 1
    assert (await house.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})).status_code == 200
