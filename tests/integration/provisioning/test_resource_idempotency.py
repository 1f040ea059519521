"""Idempotency-Key: the same POST twice has one effect and one answer (contracts section 2)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from landline.chassis.postgres import Scope
from sqlalchemy import text

from tests.support.provisioning_api import Api


async def keyed(api: Api, who: str, key: str, body: dict[str, Any], path: str = "clients") -> httpx.Response:
    """A POST with a key."""
    return await api.post(who, path, body, headers={"Idempotency-Key": key})


async def test_the_same_request_gets_the_same_answer(api: Api) -> None:
    """A client that lost the first answer must not create a second row."""
    brand = await api.brand()
    first = await keyed(api, brand["name"], "k1", {"name": "Casa"})
    again = await keyed(api, brand["name"], "k1", {"name": "Casa"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (again.headers["location"], again.headers["etag"]) == (
        first.headers["location"],
        first.headers["etag"],
    )
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len((await api.get(brand["name"], "clients")).json()["items"]) == 1


async def test_a_key_with_another_body_is_refused(api: Api) -> None:
    """Answering the old row would claim to have created something else."""
    brand = await api.brand()
    await keyed(api, brand["name"], "k1", {"name": "Casa"})
    other = await keyed(api, brand["name"], "k1", {"name": "Otra"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_belongs_to_principal_and_path(api: Api) -> None:
    """Two tenants that count 1, 2, 3 must not get each other's answers."""
    one, other = await api.brand(), await api.brand()
    first = await keyed(api, one["name"], "1", {"name": "Casa"})
    second = await keyed(api, other["name"], "1", {"name": "Casa"})
    third = await keyed(api, one["name"], "1", {"name": "Casa"}, path="transformation-sets")
    assert len({first.json()["id"], second.json()["id"], third.json()["id"]}) == 3


async def test_a_refused_request_may_be_tried_again_with_its_key(api: Api) -> None:
    """Only effects are remembered: a 409 that was resolved must not stick for a day."""
    brand = await api.brand()
    client = await api.client(brand, name="Casa")
    assert (await keyed(api, brand["name"], "k1", {"name": "Casa"})).status_code == 409
    await api.delete(brand["name"], f"clients/{client['id']}")
    assert (await keyed(api, brand["name"], "k1", {"name": "Casa"})).status_code == 201


async def test_parallel_requests_with_one_key_have_one_effect(api: Api) -> None:
    """The second while the first runs: 409 with Retry-After, or the first's answer once it is done."""
    brand = await api.brand()
    answers = await asyncio.gather(*(keyed(api, brand["name"], "k1", {"name": "Casa"}) for _ in range(12)))
    assert {a.status_code for a in answers} <= {201, 409}
    created = [a for a in answers if a.status_code == 201]
    assert len({a.json()["id"] for a in created}) == 1
    assert sum("idempotent-replayed" not in a.headers for a in created) == 1
    assert all(
        a.json()["code"] == "request_in_progress" and a.headers["retry-after"]
        for a in answers
        if a.status_code == 409
    )
    assert len((await api.get(brand["name"], "clients")).json()["items"]) == 1


async def test_while_the_first_runs_the_second_is_told_to_wait(api: Api) -> None:
    """Deterministically: the first's lock is held open here."""
    brand = await api.brand()
    from landline.chassis.idempotency import RequestKey

    who = api.who.known[brand["name"]]
    key = RequestKey("slow", f"{who.identity}\0POST\0/api/provisioning/v1/clients", b"")
    lock = int.from_bytes(key.id[:8], "big", signed=True)
    async with api.db.transaction(Scope.system()) as tx:
        await tx.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": lock})
        answer = await keyed(api, brand["name"], "slow", {"name": "Casa"})
        assert (answer.status_code, answer.json()["code"]) == (409, "request_in_progress")
        assert answer.headers["retry-after"] == "1"
    assert (await keyed(api, brand["name"], "slow", {"name": "Casa"})).status_code == 201


async def test_a_secret_is_replayed_but_not_readable_in_the_table(api: Api) -> None:
    """The answer holds a device's password: whoever copies the table must not get it."""
    brand = await api.brand()
    client = await api.client(brand)
    body = {"client_id": client["id"], "name": "phone"}
    first = await keyed(api, brand["name"], "k-secret", body, path="devices")
    password = first.json()["password"]
    assert (await keyed(api, brand["name"], "k-secret", body, path="devices")).json()["password"] == password
    async with api.db.transaction(Scope.system()) as tx:
        stored = (await tx.execute(text("select id, answer from idempotency_keys"))).all()
    assert stored
    assert all(password.encode() not in bytes(r.answer) and b"k-secret" not in bytes(r.id) for r in stored)


async def test_after_a_day_a_key_is_free_again(api: Api) -> None:
    """Kept 24 h, not for ever."""
    brand = await api.brand()
    await keyed(api, brand["name"], "k1", {"name": "Casa"})
    async with api.db.transaction(Scope.system()) as tx:
        await tx.execute(text("update idempotency_keys set expires_at = now() - interval '1 second'"))
    assert (await keyed(api, brand["name"], "k1", {"name": "Otra"})).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "tab\there"])
async def test_a_key_must_have_a_form(api: Api, key: str) -> None:
    """It becomes part of a hash; odd ones are mistakes of the sender."""
    brand = await api.brand()
    answer = await keyed(api, brand["name"], key, {"name": "Casa"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"
