"""API keys of integrators: shown once, as good as their rights, gone within moments, known everywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from landline.chassis.api_keys import API_KEYS_HASH, KnownApiKeys, key_parts
from landline.chassis.key_uses import KEY_USES_HASH, KeyUses
from landline.chassis.postgres import Scope
from landline.chassis.problems import Unauthorized, Unavailable
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.chassis.token_verifier import STALE_TAIL_S, TokenVerifier
from provisioning.accounts.admins import ADMINS
from provisioning.accounts.key_uses import KeyUseBook
from provisioning.api.brands import BRANDS
from provisioning.api.clients import CLIENTS
from redis.asyncio import Redis
from sqlalchemy import text

from tests.support.accounts import PASSWORD, House, running_house
from tests.support.waiting import until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(settings: Settings) -> AsyncIterator[House]:
    redis = await connect(settings)
    async with running_house(settings, redis) as running:  # type: ignore[arg-type]
        yield running
    await redis.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people(house: House) -> dict[str, dict[str, Any]]:
    """An admin per place: its place and an access token."""
    brand1 = await house.row(BRANDS, name="One", sip_domain="keys-one.example", country="ES")
    brand2 = await house.row(BRANDS, name="Two", sip_domain="keys-two.example", country="ES")
    client1 = await house.row(CLIENTS, brand_id=brand1, name="Casa")
    places: dict[str, dict[str, Any]] = {
        "platform": {},
        "brand1": {"brand_id": brand1},
        "brand2": {"brand_id": brand2},
        "client1": {"brand_id": brand1, "client_id": client1},
    }
    found = {}
    for name, place in places.items():
        await house.row(ADMINS, username=f"keys-{name}", password=PASSWORD, **place)
        token = (await house.login(f"keys-{name}"))["access_token"]
        found[name] = {"token": token, **{k: str(v) for k, v in place.items()}}
    return found


async def made(house: House, token: str, **fields: Any) -> dict[str, Any]:
    """A new key."""
    answer = await house.http(token).post("/api-keys", json={"name": f"k-{uuid4().hex[:8]}", **fields})
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


async def status(house: House, key: str, path: str = "/clients") -> int:
    """How a request with the key is answered."""
    return (await house.http(key).get(path)).status_code


async def test_a_key_is_shown_once_and_kept_as_a_hash(house: House, people: dict[str, Any]) -> None:
    """A copy of the table, the lists or the audit log must not hold what opens the door."""
    http = house.http(people["brand1"]["token"])
    row = await made(house, people["brand1"]["token"], name="portal")
    secret = row["key"]
    listed = (await http.get("/api-keys", params={"name": "portal"})).json()["items"][0]
    assert "key" not in listed
    assert listed["key_prefix"] == secret[4:12]
    async with house.db.transaction(Scope.system()) as tx:
        stored = (await tx.execute(text("select * from api_keys"))).mappings().all()
        trail = await tx.scalar(
            text("select changes from audit_log where entity_id = :id"), {"id": row["id"]}
        )
    assert secret not in str(stored)
    assert trail["key_sha256"] == {"before": None, "after": "***"}


@pytest.mark.parametrize(
    ("who", "place", "sees"),
    [
        ("platform", {}, {"One", "Two"}),
        ("brand1", {}, {"One"}),
        ("client1", {}, {"One"}),
    ],
)
async def test_a_key_acts_at_the_place_of_its_owner(
    house: House, people: dict[str, Any], who: str, place: dict[str, Any], sees: set[str]
) -> None:
    """Used the moment it was made; the same scope as an admin of that place."""
    row = await made(house, people[who]["token"], **place)
    answer = await house.http(row["key"]).get("/brands")
    assert answer.status_code == 200, answer.text
    assert {brand["name"] for brand in answer.json()["items"]} & {"One", "Two"} == sees


async def test_a_brand_makes_keys_for_its_clients_and_nobody_elses(
    house: House, people: dict[str, Any]
) -> None:
    """A key for another brand's client would be a way in."""
    client = people["client1"]["client_id"]
    row = await made(house, people["brand1"]["token"], client_id=client)
    assert (await house.http(row["key"]).get(f"/clients/{client}")).status_code == 200
    assert (await house.http(row["key"]).post("/clients", json={"name": "x"})).status_code == 403
    foreign = await house.http(people["brand2"]["token"]).post(
        "/api-keys", json={"name": "spy", "client_id": client}
    )
    assert foreign.status_code == 422
    assert (await house.http(people["brand2"]["token"]).get(f"/api-keys/{row['id']}")).status_code == 404
    own = (await house.http(people["client1"]["token"]).get("/api-keys")).json()["items"]
    assert row["id"] in {key["id"] for key in own}
    assert {key["client_id"] for key in own} == {client}


async def test_rights_of_a_key_are_those_of_a_restricted_admin(house: House, people: dict[str, Any]) -> None:
    """Read-only when nothing is said, nothing more than what is said, and never another kind of resource."""
    token = people["brand1"]["token"]
    narrow = await made(house, token, restricted=True)
    assert await status(house, narrow["key"]) == 200
    assert (await house.http(narrow["key"]).post("/clients", json={"name": "n"})).status_code == 403
    writer = await made(house, token, restricted=True, rights={"clients": "c", "brands": ""})
    assert (await house.http(writer["key"]).post("/clients", json={"name": "n"})).status_code == 201
    assert await status(house, writer["key"]) == 403
    assert await status(house, writer["key"], "/brands") == 403
    misspelt = await house.http(token).post(
        "/api-keys", json={"name": "m", "restricted": True, "rights": {"client": "r"}}
    )
    assert misspelt.status_code == 422
    assert misspelt.json()["errors"][0]["field"] == "rights.client"


async def test_a_key_cannot_make_keys(house: House, people: dict[str, Any]) -> None:
    """One that leaked would otherwise outlive its revocation."""
    row = await made(house, people["brand1"]["token"])
    for method, path, body in (
        ("POST", "/api-keys", {"name": "heir"}),
        ("PATCH", f"/api-keys/{row['id']}", {"expires_at": None, "name": "renamed"}),
        ("DELETE", f"/api-keys/{row['id']}", None),
    ):
        answer = await house.http(row["key"]).request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "people_only")
    assert (await house.http(row["key"]).get("/auth/me")).status_code == 403


@pytest.mark.parametrize("how", ["delete", "deactivate", "reset", "expire"])
async def test_a_key_ends_within_moments(house: House, people: dict[str, Any], how: str) -> None:
    """Whoever revokes a leaked key must not have to wait for a cache."""
    http = house.http(people["brand1"]["token"])
    soon = datetime.now(UTC) + timedelta(seconds=1)
    row = await made(house, people["brand1"]["token"])
    assert await status(house, row["key"]) == 200
    if how == "delete":
        assert (await http.delete(f"/api-keys/{row['id']}")).status_code == 204
    else:
        patch = {"deactivate": {"active": False}, "reset": {"reset_key": True}}.get(
            how, {"expires_at": soon.isoformat()}
        )
        changed = await http.patch(f"/api-keys/{row['id']}", json=patch)
        assert changed.status_code == 200, changed.text
        if how == "reset":
            assert await status(house, changed.json()["key"]) == 200

    async def refused() -> bool:
        return await status(house, row["key"]) == 401

    await until(refused, equals=True)


async def test_another_process_knows_a_key_from_redis_and_forgets_it_by_the_stream(
    house: House, people: dict[str, Any], settings: Settings, redis: Redis
) -> None:
    """call-control, billing and notifier start later, or live elsewhere."""
    row = await made(house, people["brand1"]["token"], name="elsewhere")
    await house.book.write()
    verifier, stop = TokenVerifier(settings, redis), asyncio.Event()
    with pytest.raises(Unavailable):
        await verifier.verify(row["key"])  # its tail has not begun: a revocation could be unknown
    verifier._heard_at = 1e12
    found = await verifier.verify(row["key"])
    assert (found.level, found.brand_id, found.username, found.admin_id) == (
        "brand",
        people["brand1"]["brand_id"],
        "elsewhere",
        None,
    )
    tail = asyncio.create_task(verifier.run(stop))
    await house.http(people["brand1"]["token"]).delete(f"/api-keys/{row['id']}")

    async def gone() -> bool:
        try:
            await verifier.verify(row["key"])
        except Unauthorized:
            return True
        return False

    await until(gone, equals=True)
    stop.set()
    await tail
    assert STALE_TAIL_S <= 60


async def test_the_hash_follows_the_table_also_when_redis_lost_it(
    house: House, people: dict[str, Any], redis: Redis
) -> None:
    """Else an emptied Redis would lock all integrators out until each key is changed."""
    row = await made(house, people["brand1"]["token"])
    prefix = row["key_prefix"]
    await house.book.write()
    await redis.delete(API_KEYS_HASH)
    await house.book.write()
    assert await redis.hexists(API_KEYS_HASH, prefix)
    assert await KnownApiKeys(redis).find(prefix) is not None
    await house.http(people["brand1"]["token"]).delete(f"/api-keys/{row['id']}")
    await house.book.write()
    assert not await redis.hexists(API_KEYS_HASH, prefix)


async def test_what_a_key_writes_is_in_the_audit_log_under_its_name(
    house: House, people: dict[str, Any]
) -> None:
    """Who changed it must be answerable for machines too."""
    row = await made(house, people["brand1"]["token"], name="billing bridge")
    client = await house.http(row["key"]).post("/clients", json={"name": "made by a key"})
    trail = await house.http(people["brand1"]["token"]).get("/audit-log", params={"admin_id": row["id"]})
    [entry] = trail.json()["items"]
    assert (entry["username"], entry["entity_id"], entry["action"]) == (
        "billing bridge",
        client.json()["id"],
        "create",
    )


@pytest.mark.parametrize(
    "key",
    ["llk_aaaaaaaa_" + "x" * 43, "llk_short_x", "llk_aaaaaaaa_" + "x" * 42, "llk_" + "é" * 52],
)
async def test_a_forged_key_is_refused(house: House, key: str) -> None:
    """Unknown prefix, other length, other alphabet."""
    headers = {b"Authorization": f"Bearer {key}".encode()}
    assert (await house.http().get("/clients", headers=headers)).status_code == 401


async def test_a_right_prefix_with_another_secret_is_refused(house: House, people: dict[str, Any]) -> None:
    """The prefix is shown in lists: it must open nothing."""
    row = await made(house, people["brand1"]["token"])
    forged = row["key"][:13] + "A" * 43
    assert key_parts(forged) is not None
    assert await status(house, forged) == 401


async def test_an_end_in_the_past_is_refused_by_name(house: House, people: dict[str, Any]) -> None:
    """It would be a key that never works."""
    for end in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2027-01-01T00:00:00"):
        answer = await house.http(people["brand1"]["token"]).post(
            "/api-keys", json={"name": "late", "expires_at": end}
        )
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "expires_at"), end


async def test_a_key_says_when_it_was_last_used(house: House, people: dict[str, dict[str, Any]]) -> None:
    """To the minute, by any process; it is no change of the row, and never goes backwards."""
    redis: Redis = house.verifier._redis  # type: ignore[assignment]
    token = people["platform"]["token"]
    key, unused = await made(house, token), await made(house, token)
    assert key["last_used_at"] is None
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert (await house.http(key["key"]).get("/brands")).status_code == 200
    assert (await house.http(key["key"] + "x").get("/brands")).status_code == 401
    await house.verifier.uses.tell()
    book = KeyUseBook(house.db, redis)
    await book.take()
    row = (await house.http(token).get(f"/api-keys/{key['id']}")).json()
    assert before < datetime.fromisoformat(row["last_used_at"]) < datetime.now(UTC) + timedelta(seconds=1)
    assert (row["version"], row["updated_at"]) == (key["version"], key["updated_at"])
    stale = (await house.http(token).get("/api-keys", params={"last_used_at__isnull": "true"})).json()
    assert unused["id"] in {each["id"] for each in stale["items"]}
    assert key["id"] not in {each["id"] for each in stale["items"]}
    ghost = str(uuid4())
    await redis.hset(KEY_USES_HASH, mapping={key["id"]: 1_000, ghost: 1_000})
    await book.take()
    again = (await house.http(token).get(f"/api-keys/{key['id']}")).json()
    assert again["last_used_at"] == row["last_used_at"]
    assert await redis.hget(KEY_USES_HASH, ghost) is None


async def test_uses_are_told_once_a_minute_and_not_lost_while_redis_is_away(settings: Settings) -> None:
    """A thousand admissions are one command a minute; what could not be told is told later."""
    redis = await connect(settings)
    uses = KeyUses(redis)
    told: list[dict[str, int]] = []

    class Away:
        broken = False

        async def hset(self, _name: str, mapping: dict[str, int]) -> None:
            if self.broken:
                raise ConnectionError
            told.append(mapping)

    uses._redis = away = Away()  # type: ignore[assignment]
    for _ in range(1_000):
        uses.note("edge-1")
        await uses.tell_if_due()
    assert [set(each) for each in told] == [{"edge-1"}]
    away.broken = True
    with pytest.raises(ConnectionError):
        await uses.tell()
    away.broken = False
    uses.note("edge-2")
    await uses.tell()
    assert set(told[-1]) == {"edge-1", "edge-2"}
    await redis.aclose()
