"""Login, refresh, logout, impersonation, own password and second factor, on real stores."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pyotp
import pytest
import pytest_asyncio
from landline.chassis.postgres import Scope
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from provisioning.accounts import sessions, throttle
from provisioning.accounts.admins import ADMINS
from provisioning.accounts.wiring import Accounts, open_accounts
from provisioning.api.brands import BRANDS
from provisioning.api.clients import CLIENTS
from provisioning.main import rotated
from pydantic import ValidationError
from sqlalchemy import text

from tests.support.accounts import PASSWORD, House, running_house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(settings: Settings) -> AsyncIterator[House]:
    redis = await connect(settings)
    async with running_house(settings, redis) as running:  # type: ignore[arg-type]
        yield running
    await redis.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(house: House) -> dict[str, UUID]:
    """A brand and a client, another brand with its client."""
    rows: dict[str, UUID] = {}
    for n in ("1", "2"):
        brand = await house.row(BRANDS, name=f"Brand {n}", sip_domain=f"sip{n}.example", country="ES")
        rows[f"brand{n}"] = brand
        rows[f"client{n}"] = await house.row(CLIENTS, brand_id=brand, name="Casa")
    return rows


async def person(house: House, **fields: Any) -> str:
    """A new admin with a user name of its own."""
    name = f"p-{uuid4().hex[:10]}"
    await house.row(ADMINS, username=name, password=PASSWORD, **fields)
    return name


def sid(tokens: dict[str, Any]) -> str:
    return str(jwt.decode(tokens["access_token"], options={"verify_signature": False})["sid"])


async def code(house: House, token: str) -> str:
    """What `/auth/me` says to a token: the problem's code, or `ok`."""
    answer = await house.http(token).get("/auth/me")
    return "ok" if answer.status_code == 200 else str(answer.json()["code"])


async def test_the_first_admin_logs_in_with_the_operators_password(house: House) -> None:
    """Without it nobody could ever configure the platform."""
    tokens = await house.login("admin", house.settings.admin_password.get_secret_value())
    me = (await house.http(tokens["access_token"]).get("/auth/me")).json()
    assert (tokens["expires_in"], tokens["token_type"]) == (600, "Bearer")
    assert (me["username"], me["level"], me["rights"]) == ("admin", "platform", None)


async def test_a_restart_keeps_the_first_admins_own_password_and_the_signing_key(house: House) -> None:
    """Else every restart would reset the password to the one in the environment, and end all sessions."""
    before = await house.app.state.accounts.keys.jwks()
    settings = house.settings.model_copy(update={"admin_password": house.settings.internal_key})
    await open_accounts(settings, house.db, house.app.state.redis)
    await house.login("admin", house.settings.admin_password.get_secret_value())
    assert await house.app.state.accounts.keys.jwks() == before


async def test_tokens_name_the_place_of_the_admin(house: House, place: dict[str, UUID]) -> None:
    """The claims are what keeps tenants apart in every service."""
    brand, client = str(place["brand1"]), str(place["client1"])
    table = [
        ({}, ("platform", None, None)),
        ({"brand_id": brand}, ("brand", brand, None)),
        ({"brand_id": brand, "client_id": client}, ("client", brand, client)),
    ]
    for fields, expected in table:
        tokens = await house.login(await person(house, **fields))
        who = await house.verifier.verify(tokens["access_token"])
        assert (who.level, who.brand_id, who.client_id) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"username": "admin", "password": "wrong"},
        {"username": "nobody", "password": "wrong"},
        {"username": "nobody", "password": "a password nobody has"},
        {"username": "' or true --", "password": "x"},
        {"username": "admin", "password": "x" * 1024},
    ],
)
async def test_a_wrong_login_never_says_what_was_wrong(house: House, body: dict[str, str]) -> None:
    """Telling unknown users from wrong passwords gives guessers the list of users."""
    answer = await house.post("/auth/login", body)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "wrong user name or password"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("login", {}, {"username", "password"}),
        ("login", {"username": "a", "password": "b", "admin": True}, {"admin"}),
        ("login", {"username": 1, "password": None}, {"username", "password"}),
        ("login", {"username": "", "password": ""}, {"username", "password"}),
        ("login", {"username": "a" * 201, "password": "b" * 1025}, {"username", "password"}),
        ("login", {"username": "a\x00", "password": "b"}, {"username"}),
        ("login", {"username": "a", "password": "b", "otp": "1"}, {"otp"}),
        ("refresh", {}, {"refresh_token"}),
        ("refresh", {"refresh_token": "x" * 201}, {"refresh_token"}),
        ("refresh", {"refresh_token": ["x"]}, {"refresh_token"}),
    ],
)
async def test_bad_input_names_its_fields(
    house: House, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    """Never a 500, and never a login by a body that was not understood."""
    answer = await house.http().post(f"/auth/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert {error["field"] for error in answer.json()["errors"]} == fields


async def test_odd_refresh_tokens_are_just_unknown(house: House) -> None:
    """Text that Postgres can't keep, or that is no token of ours, is a 401."""
    for token in ("\x00", "llr_", "é" * 50, "x"):
        answer = await house.post("/auth/refresh", {"refresh_token": token})
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_refresh_token")


async def test_an_inactive_admin_is_out_at_once(house: House) -> None:
    """No login, no refresh, and its access token dies before its ten minutes."""
    name = await person(house)
    tokens = await house.login(name)
    admin = await house.login("admin", house.settings.admin_password.get_secret_value())
    http = house.http(admin["access_token"])
    row = (await http.get("/admins", params={"username": name})).json()["items"][0]
    assert (await http.patch(f"/admins/{row['id']}", json={"active": False})).status_code == 200
    await house.revoked(sid(tokens))
    assert await code(house, tokens["access_token"]) == "session_revoked"
    again = await house.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    login = await house.post("/auth/login", {"username": name, "password": PASSWORD})
    assert (again.status_code, login.status_code) == (401, 401)


async def test_refreshing_goes_on_and_on(house: House) -> None:
    """A person that works all day logs in once."""
    tokens = await house.login(await person(house))
    session = sid(tokens)
    for _ in range(3):
        answer = await house.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
        assert answer.status_code == 200
        assert answer.json()["refresh_token"] != tokens["refresh_token"]
        tokens = answer.json()
        assert sid(tokens) == session
        assert await code(house, tokens["access_token"]) == "ok"


async def test_a_refresh_token_used_twice_ends_the_whole_session(house: House) -> None:
    """Two holders of one token: one of them stole it, and nobody can tell which."""
    first = await house.login(await person(house))
    second = (await house.post("/auth/refresh", {"refresh_token": first["refresh_token"]})).json()
    stolen = await house.post("/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "invalid_refresh_token")
    await house.revoked(sid(first))
    assert await code(house, second["access_token"]) == "session_revoked"
    after = await house.post("/auth/refresh", {"refresh_token": second["refresh_token"]})
    assert after.status_code == 401


async def test_of_parallel_refreshes_of_one_token_one_wins(house: House) -> None:
    """Two winners would be two sessions out of one token; the losers are a replay and end the session."""
    tokens = await house.login(await person(house))
    body = {"refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(*(house.post("/auth/refresh", body) for _ in range(12)))
    assert sorted(a.status_code for a in answers) == [200, *[401] * 11]
    winner = next(a.json() for a in answers if a.status_code == 200)
    after = await house.post("/auth/refresh", {"refresh_token": winner["refresh_token"]})
    assert after.status_code == 401


async def test_an_expired_session_cannot_be_renewed(house: House) -> None:
    """Thirty days after the login it ends, however often it was renewed."""
    tokens = await house.login(await person(house))
    async with house.db.transaction(Scope.system()) as tx:
        past = text("update sessions set expires_at = now() - interval '2 days' where id = :id")
        await tx.execute(past, {"id": UUID(sid(tokens))})
    answer = await house.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 401
    async with house.db.transaction(Scope.system()) as tx:
        await sessions.purge(tx)
        left = await tx.scalar(
            text("select count(*) from refresh_tokens where session_id = :id"), {"id": UUID(sid(tokens))}
        )
    assert left == 0


async def test_logout_ends_the_session_in_another_process(house: House) -> None:
    """call-control and billing never ask provisioning: they must hear of it by the stream."""
    environment = {
        **os.environ,
        "LANDLINE_REDIS_URL": house.settings.redis_url,
        "LANDLINE_INTERNAL_KEY": house.settings.internal_key.get_secret_value(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.verifier_process",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    async def verdict(token: str) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(token.encode() + b"\n")
        return json.loads(await process.stdout.readline())

    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"ready\n"
        name = await person(house)
        tokens, other = await house.login(name), await house.login(name)
        assert await verdict(tokens["access_token"]) == ["platform", None, None, name]
        assert (await house.http(tokens["access_token"]).post("/auth/logout")).status_code == 204
        await house.revoked(sid(tokens))
        while await verdict(tokens["access_token"]) != "session_revoked":
            pass
        assert await verdict(other["access_token"]) == ["platform", None, None, name]
        assert await verdict(tokens["access_token"][:-4] + "AAAA") == "unauthorized"
        process.stdin.close()
        assert await process.wait() == 0


async def test_a_logged_out_session_cannot_be_renewed(house: House) -> None:
    """Logging out on a borrowed computer must be final."""
    tokens = await house.login(await person(house))
    await house.http(tokens["access_token"]).post("/auth/logout")
    answer = await house.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 401


async def test_guessing_at_an_account_is_slowed_and_says_for_how_long(house: House) -> None:
    """From changing addresses too; the right password does not help while one has to wait."""
    name = await person(house)
    answers = [
        await house.http().post("/auth/login", json={"username": name, "password": f"guess {n}"})
        for n in range(9)
    ]
    assert [a.status_code for a in answers] == [401] * 8 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["code"] == "too_many_attempts"
    right = await house.post("/auth/login", {"username": name.upper(), "password": PASSWORD})
    assert right.status_code == 429
    assert (await house.post("/auth/login", {"username": "x", "password": "y"})).status_code == 401


async def test_parallel_guesses_are_counted_before_they_are_checked(house: House) -> None:
    """Else a thousand guesses at once would all be let in by a count that is still zero."""
    name = await person(house)
    body = {"username": name, "password": "guess"}
    answers = await asyncio.gather(*(house.post("/auth/login", body) for _ in range(30)))
    assert sum(a.status_code == 401 for a in answers) == 8
    assert sum(a.status_code == 429 for a in answers) == 22


async def test_one_address_guessing_at_many_accounts_is_slowed(house: House) -> None:
    """Password spraying stays below every account's own limit."""
    subject = throttle.Subject.address("203.0.113.99")
    async with house.db.transaction(Scope.system()) as tx:
        for _ in range(subject.free - 1):
            await throttle.count_attempt(tx, [subject])
    http = house.http(address="203.0.113.99")
    statuses = [
        (await http.post("/auth/login", json={"username": f"u{n}", "password": "x"})).status_code
        for n in range(2)
    ]
    assert statuses == [401, 429]


async def test_people_behind_an_own_address_do_not_slow_each_other(house: House) -> None:
    """A portal is one address for everybody; its accounts are still throttled, and so are its neighbours."""
    settings = Settings(_env_file=None, login_own_networks="203.0.113.96/28, 2001:db8:7::/48")
    own = ("203.0.113.99", "::ffff:203.0.113.99", "2001:db8:7:1::1")
    assert [throttle.of_address(settings, address) for address in own] == [[], [], []]
    others = ("203.0.113.112", "2001:db8:8::1", "unknown", None)
    assert [len(throttle.of_address(settings, address)) for address in others] == [1, 1, 1, 1]
    house.settings.login_own_networks = "203.0.113.160/28"
    house.settings.__dict__.pop("own_networks", None)
    http = house.http(address="203.0.113.161")
    body = {"password": "x"}
    tried = [await http.post("/auth/login", json={"username": f"nat{n}", **body}) for n in range(45)]
    assert {answer.status_code for answer in tried} == {401}
    again = [await http.post("/auth/login", json={"username": "nat0", **body}) for _ in range(9)]
    assert {answer.status_code for answer in again} == {401, 429}
    house.settings.login_own_networks = ""
    house.settings.__dict__.pop("own_networks", None)


def test_an_own_network_that_is_none_is_refused_at_the_start() -> None:
    """Not at somebody's login."""
    with pytest.raises(ValidationError, match=r"login_own_networks[\s\S]*203.0.113.300"):
        Settings(_env_file=None, login_own_networks="192.0.2.1, 203.0.113.300")


async def test_the_pause_doubles_up_to_a_quarter_of_an_hour(house: House) -> None:
    """A guesser is left with about a hundred tries a day; an owner waits fifteen minutes at most."""
    subject = throttle.Subject("a test", 2)
    ready = text("update login_throttle set blocked_until = clock_timestamp() where subject = :s")
    pauses = []
    for _ in range(13):
        async with house.db.transaction(Scope.system()) as tx:
            await throttle.count_attempt(tx, [subject])
            left = "select extract(epoch from blocked_until - last_at) from login_throttle where subject = :s"
            pauses.append(round(float(await tx.scalar(text(left), {"s": subject.key}))))
            await tx.execute(ready, {"s": subject.key})
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


async def test_a_right_password_clears_the_account_but_not_the_address(house: House) -> None:
    """Else an own account would let a guesser clear its way to everybody else's."""
    name = await person(house)
    http = house.http(address="203.0.113.50")
    for _ in range(5):
        await http.post("/auth/login", json={"username": name, "password": "wrong"})
    assert (await http.post("/auth/login", json={"username": name, "password": PASSWORD})).status_code == 200
    query = text("select failures from login_throttle where subject = :s")
    async with house.db.transaction(Scope.system()) as tx:
        account = await tx.scalar(query, {"s": throttle.Subject.account(name).key})
        address = await tx.scalar(query, {"s": throttle.Subject.address("203.0.113.50").key})
    assert (account, address) == (None, 5)


async def test_an_hour_of_quiet_forgets(house: House) -> None:
    """Somebody who mistypes once a day must never be locked out."""
    subject = throttle.Subject("quiet", 2)
    quiet = text(
        "update login_throttle set last_at = now() - interval '2 h', blocked_until = now() where subject = :s"
    )
    count = text("select failures from login_throttle where subject = :s")
    key = {"s": subject.key}
    async with house.db.transaction(Scope.system()) as tx:
        for _ in range(2):
            await throttle.count_attempt(tx, [subject])
        await tx.execute(quiet, key)
        await throttle.count_attempt(tx, [subject])
        anew = await tx.scalar(count, key)
        await tx.execute(quiet, key)
        await throttle.purge(tx)
        purged = await tx.scalar(count, key)
    assert (anew, purged) == (1, None)


async def test_operators_act_as_those_below_and_it_is_recorded(house: House, place: dict[str, UUID]) -> None:
    """Support works as the client, never with the client's password; the log names who it was."""
    name = await person(house)
    root = await house.login(name)
    as_brand = await house.post("/auth/impersonate", {"brand_id": str(place["brand1"])}, root["access_token"])
    assert as_brand.status_code == 200, as_brand.text
    as_client = await house.http(as_brand.json()["access_token"]).post(
        "/auth/impersonate",
        json={"client_id": str(place["client1"])},
        headers={"X-Reason": "ticket 7", "X-Request-ID": "request-7"},
    )
    who = await house.verifier.verify(as_client.json()["access_token"])
    me = (await house.http(root["access_token"]).get("/auth/me")).json()
    assert (who.level, who.brand_id, who.client_id) == ("client", str(place["brand1"]), str(place["client1"]))
    assert (who.username, who.impersonator_id) == (name, me["admin_id"])
    query = text(
        "select action, level, impersonator_id, reason from audit_log where username = :name"
        " order by created_at, id"
    )
    async with house.db.transaction(Scope.system()) as tx:
        entries = [tuple(row) for row in await tx.execute(query, {"name": name})]
        of_request = text("select action from audit_log where request_id = 'request-7'")
        traced = await tx.scalar(of_request)
    assert entries == [
        ("login", "platform", None, None),
        ("impersonate", "brand", me["admin_id"], None),
        ("impersonate", "client", me["admin_id"], "ticket 7"),
    ]
    assert traced == "impersonate"


async def test_ending_the_operators_session_ends_its_impersonations(
    house: House, place: dict[str, UUID]
) -> None:
    """A logged-out operator must not live on as one of its clients."""
    root = await house.login(await person(house))
    acting = (
        await house.post("/auth/impersonate", {"client_id": str(place["client1"])}, root["access_token"])
    ).json()
    renewed = (await house.post("/auth/refresh", {"refresh_token": acting["refresh_token"]})).json()
    assert (await house.verifier.verify(renewed["access_token"])).level == "client"
    await house.http(root["access_token"]).post("/auth/logout")
    await house.revoked(sid(acting))
    assert await code(house, renewed["access_token"]) == "session_revoked"


@pytest.mark.parametrize(
    ("level", "target", "status", "error"),
    [
        ("brand1", {"client_id": "client2"}, 404, "not_found"),
        ("brand1", {"brand_id": "brand2"}, 404, "not_found"),
        ("brand1", {"brand_id": "brand1"}, 403, "not_below"),
        ("brand1", {"brand_id": "brand2", "client_id": "client1"}, 404, "not_found"),
        ("client1", {"client_id": "client1"}, 403, "not_below"),
        ("client1", {"client_id": "client2"}, 404, "not_found"),
        ("platform", {"brand_id": "nowhere"}, 404, "not_found"),
        ("platform", {}, 422, "invalid_input"),
    ],
)
async def test_nobody_acts_sideways_or_upwards(
    house: House, place: dict[str, UUID], level: str, target: dict[str, str], status: int, error: str
) -> None:
    """Another tenant does not exist; one's own level and those above are refused."""
    fields = {
        "platform": {},
        "brand1": {"brand_id": place["brand1"]},
        "client1": {"brand_id": place["brand1"], "client_id": place["client1"]},
    }[level]
    tokens = await house.login(await person(house, **fields))
    body = {name: str(place.get(row, uuid4())) for name, row in target.items()}
    answer = await house.post("/auth/impersonate", body, tokens["access_token"])
    assert (answer.status_code, answer.json()["code"]) == (status, error)


async def test_a_restricted_admin_needs_leave_to_impersonate_and_takes_its_rights_along(
    house: House, place: dict[str, UUID]
) -> None:
    """Impersonation must not be a way around restricted rights."""
    body = {"client_id": str(place["client1"])}
    without = await house.login(await person(house, restricted=True, rights={"ddis": "r"}))
    refused = await house.post("/auth/impersonate", body, without["access_token"])
    assert (refused.status_code, refused.json()["code"]) == (403, "may_not_impersonate")
    may = await house.login(await person(house, restricted=True, rights={"ddis": "ru"}, can_impersonate=True))
    acting = await house.post("/auth/impersonate", body, may["access_token"])
    assert (await house.verifier.verify(acting.json()["access_token"])).rights == {"ddis": "ru"}


async def test_changing_ones_password_ends_the_other_sessions(house: House) -> None:
    """Whoever suspects a thief changes the password: the thief must be out, oneself not."""
    name = await person(house)
    mine, thief = await house.login(name), await house.login(name)
    body = {"current_password": PASSWORD, "new_password": "another long phrase"}
    answer = await house.post("/auth/password", body, mine["access_token"])
    assert answer.status_code == 204, answer.text
    await house.revoked(sid(thief))
    assert await code(house, mine["access_token"]) == "ok"
    assert await code(house, thief["access_token"]) == "session_revoked"
    assert (await house.post("/auth/login", {"username": name, "password": PASSWORD})).status_code == 401
    await house.login(name, "another long phrase")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"current_password": "wrong", "new_password": "another long phrase"}, 403, "wrong_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, 422, "invalid_input"),
        ({"current_password": PASSWORD, "new_password": PASSWORD}, 422, "invalid_input"),
        ({"current_password": PASSWORD}, 422, "invalid_input"),
    ],
)
async def test_a_password_change_that_is_refused_changes_nothing(
    house: House, body: dict[str, str], status: int, code: str
) -> None:
    """An open browser must not be enough to take an account over."""
    name = await person(house)
    tokens = await house.login(name)
    answer = await house.post("/auth/password", body, tokens["access_token"])
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    await house.login(name)


async def test_an_impersonator_cannot_change_passwords(house: House, place: dict[str, UUID]) -> None:
    """It acts for a client; the account is still its own."""
    root = await house.login(await person(house))
    body = {"client_id": str(place["client1"])}
    acting = (await house.post("/auth/impersonate", body, root["access_token"])).json()
    change = {"current_password": PASSWORD, "new_password": "another long phrase"}
    answer = await house.post("/auth/password", change, acting["access_token"])
    assert (answer.status_code, answer.json()["code"]) == (403, "own_session_needed")


async def test_a_service_has_no_account(house: House) -> None:
    """The internal key opens resources, not a person's pages."""
    key = house.settings.internal_key.get_secret_value()
    statuses = [
        (await house.http(key).get("/auth/me")).status_code,
        (await house.http(key).post("/auth/logout")).status_code,
        (await house.post("/auth/password", {"current_password": "a", "new_password": "b"}, key)).status_code,
    ]
    assert statuses == [403, 403, 403]


async def enrolled(house: House, name: str) -> tuple[str, list[str]]:
    """An admin with a second factor in force: its secret and recovery codes."""
    tokens = await house.login(name)
    http = house.http(tokens["access_token"])
    begun = (await http.post("/auth/otp", json={"password": PASSWORD})).json()
    otp = pyotp.TOTP(begun["secret"]).at(int(time.time()))
    confirmed = await http.post("/auth/otp/confirm", json={"password": PASSWORD, "otp": otp})
    assert confirmed.status_code == 204, confirmed.text
    return begun["secret"], begun["recovery_codes"]


async def test_a_lost_second_factor_is_removed_by_somebody_above(house: House) -> None:
    """Device and codes lost: without this the account could only be deleted and made anew."""
    name = await person(house)
    await enrolled(house, name)
    tokens = await house.login("admin", house.settings.admin_password.get_secret_value())
    http, query = house.http(tokens["access_token"]), {"username": name}
    row = (await http.get("/admins", params=query)).json()["items"][0]
    reset = await http.patch(f"/admins/{row['id']}", json={"reset_otp": True})
    assert (reset.status_code, reset.json()["otp_enabled"]) == (200, False)
    assert "reset_otp" not in reset.json()
    again = await house.login(name)
    entry = (await http.get("/audit-log", params={"entity_id": row["id"], "action": "update"})).json()[
        "items"
    ][0]
    assert entry["changes"]["otp_enabled"] == {"before": True, "after": False}
    assert entry["changes"]["otp_secret"] == {"before": "***", "after": None}
    fresh = await house.http(again["access_token"]).post("/auth/otp", json={"password": PASSWORD})
    assert fresh.status_code == 200  # it may begin anew
    me = (await http.get("/auth/me")).json()["admin_id"]
    own = await http.patch(f"/admins/{me}", json={"reset_otp": True})
    assert [(e["field"], e["code"]) for e in own.json()["errors"]] == [("reset_otp", "own_account")]


async def test_a_second_factor_is_asked_for_and_each_code_works_once(house: House) -> None:
    """A code read over a shoulder is worth nothing a moment later."""
    name = await person(house)
    secret, _ = await enrolled(house, name)
    body = {"username": name, "password": PASSWORD}
    without = await house.post("/auth/login", body)
    wrong = await house.post("/auth/login", {**body, "otp": "000000x"})
    assert [(a.status_code, a.json()["code"]) for a in (without, wrong)] == [
        (401, "otp_required"),
        (401, "otp_invalid"),
    ]
    current = pyotp.TOTP(secret).at(int(time.time()) + 30)  # the present one was spent by the enrolment
    answers = await asyncio.gather(*(house.post("/auth/login", {**body, "otp": current}) for _ in range(3)))
    assert sorted(a.status_code for a in answers) == [200, 401, 401]


async def test_a_recovery_code_lets_in_once_and_removes_the_factor(house: House) -> None:
    """Without them a lost telephone is a lost account."""
    name = await person(house)
    _, codes = await enrolled(house, name)
    tokens = await house.login(name, otp=codes[0])
    again = await house.post("/auth/login", {"username": name, "password": PASSWORD, "otp": codes[0]})
    assert (again.status_code, again.json()["code"]) == (401, "otp_invalid")
    http = house.http(tokens["access_token"])
    assert (await http.post("/auth/otp", json={"password": PASSWORD})).json()["code"] == "otp_enabled"
    wrong = await http.post("/auth/otp/disable", json={"password": PASSWORD, "otp": codes[0]})
    right = await http.post("/auth/otp/disable", json={"password": PASSWORD, "otp": codes[1]})
    assert (wrong.status_code, right.status_code) == (403, 204)
    await house.login(name)


async def test_the_secret_is_not_readable_in_the_database(house: House) -> None:
    """A stolen backup must not hold everybody's second factor, nor the key that signs tokens."""
    name = await person(house)
    secret, codes = await enrolled(house, name)
    async with house.db.transaction(Scope.system()) as tx:
        row = (await tx.execute(text("select * from admins where username = :n"), {"n": name})).one()
        sealed = await tx.scalar(text("select private_sealed from signing_keys where retired_at is null"))
    assert secret not in str(row)
    assert codes[0] not in str(row)
    assert str(sealed).startswith("s1.")


async def test_a_rotated_signing_key_is_trusted_at_once_and_the_old_one_for_a_while(house: House) -> None:
    """Rotation must log nobody out."""
    name = await person(house)
    old = await house.login(name)
    accounts: Accounts = house.app.state.accounts
    await accounts.keys.ensure(rotate_after=timedelta(0))
    new = await house.login(name)
    kids = [jwt.get_unverified_header(t["access_token"])["kid"] for t in (old, new)]
    assert len(set(kids)) == 2
    assert await code(house, old["access_token"]) == "ok"
    async with asyncio.timeout(5):  # an unknown key is looked up at most once a second
        while await code(house, new["access_token"]) != "ok":
            await asyncio.sleep(0.05)
    published = (await house.http().get("/auth/jwks")).json()["keys"]
    assert set(kids) <= {key["kid"] for key in published}
    assert {(key["kty"], key["crv"], key["alg"]) for key in published} == {("OKP", "Ed25519", "EdDSA")}


async def test_a_leaked_signing_key_is_withdrawn_by_command(house: House) -> None:
    """`provisioning rotate-signing-key --withdraw`: old tokens die everywhere, refresh tokens go on."""
    name = await person(house)
    old = await house.login(name)
    assert await code(house, old["access_token"]) == "ok"
    kid = await rotated(house.settings, withdraw=True)
    async with asyncio.timeout(10):
        while await code(house, old["access_token"]) == "ok":
            await asyncio.sleep(0.02)
    published = (await house.http().get("/auth/jwks")).json()["keys"]
    assert [key["kid"] for key in published] == [kid]
    renewed = await house.post("/auth/refresh", {"refresh_token": old["refresh_token"]})
    assert jwt.get_unverified_header(renewed.json()["access_token"])["kid"] == kid


async def test_a_redis_that_lost_its_data_gets_the_keys_back(house: House) -> None:
    """Else one flushed Redis would lock out everybody until provisioning restarts."""
    redis = house.app.state.redis
    before = await redis.hgetall("landline:signing-keys")
    await redis.delete("landline:signing-keys")
    await redis.hset("landline:signing-keys", "stranger", "AAAA")
    await house.app.state.accounts.keys.ensure()
    assert await redis.hgetall("landline:signing-keys") == before


async def test_another_secrets_key_makes_a_new_signing_key(house: House) -> None:
    """A lost operator's key must not keep the platform from starting."""
    settings = house.settings.model_copy(
        update={
            "secrets_key": type(house.settings.secrets_key)("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
        }
    )
    before = await house.app.state.accounts.keys.jwks()
    other = await open_accounts(settings, house.db, house.app.state.redis)
    assert len((await other.keys.jwks())["keys"]) == len(before["keys"]) + 1
    await house.app.state.accounts.keys.ensure()
