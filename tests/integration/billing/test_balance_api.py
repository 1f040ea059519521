"""Balances moved by hand: exactly once by key, in parallel too, and never across tenants."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from billing.app.audit import audit
from landline.chassis.postgres import Database, Scope
from landline.contracts import streams
from landline.kernel.ids import new_id

from tests.integration.billing.ledger_view import postings
from tests.support.billing_api import BillingApi
from tests.support.billing_calls import Client, sealed


async def test_a_client_made_a_moment_ago_can_be_topped_up_at_once(api: BillingApi) -> None:
    """Integrators create and top up in one go; the account follows the config stream within moments."""
    client = Client()
    operation = asyncio.create_task(api.operate("platform", client, "increment", "10.00", "first"))
    await asyncio.sleep(0)
    await api.client(client)
    answer = await operation
    assert answer.status_code == 201, answer.text
    assert answer.json()["balance"] == "10.00"
    shown = await api.get(api.customer(client), f"/clients/{client.client_id}/balance")
    assert shown == {"client_id": client.client_id, "balance": "10.00", "sequence": 1, "currency": "EUR"}


async def test_the_same_key_in_parallel_moves_money_once(api: BillingApi, db: Database) -> None:
    """A browser that repeats, a proxy that repeats: one top-up."""
    client = await api.client(Client())
    who = api.operator(client.brand_id)
    answers = await asyncio.gather(*(api.operate(who, client, "increment", "5", "key") for _ in range(20)))
    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) <= {201, 409}
    again = await api.operate(who, client, "increment", "5", "key")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert await postings(db, client.client_id) == [(1, "top_up", "5.00", "5.00")]


async def test_the_same_key_counts_once_when_its_answer_is_gone(api: BillingApi, db: Database) -> None:
    """Keys of answers live 24 h; money is remembered for ever."""
    client = await api.client(Client())
    who = api.operator(client.brand_id)
    first = await api.operate(who, client, "increment", "5", "old-key")
    async with db.asyncpg(Scope.system()) as conn:
        await conn.execute("delete from idempotency_keys")
    again = await api.operate(who, client, "increment", "5", "old-key")
    other = await api.operate(who, client, "increment", "6", "other-key")
    assert first.status_code == 201, first.text
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert other.json()["balance"] == "11.00"
    async with db.asyncpg(Scope.system()) as conn:
        await conn.execute("delete from idempotency_keys")
    changed = await api.operate(who, client, "increment", "7", "old-key")
    assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")


async def test_many_keys_and_calls_at_once_leave_one_unbroken_ledger(api: BillingApi, db: Database) -> None:
    """Balance operations and charges race for the same account: no gap, no lost money."""
    clients = [await api.client(Client()) for _ in range(3)]
    operations = [
        api.operate(api.operator(c.brand_id), c, "increment" if n % 3 else "decrement", "1.00", f"k{n}")
        for n in range(30)
        for c in clients
    ]
    for client in clients:
        for _ in range(20):
            await api.redis.xadd(streams.calls(17), {b"event": sealed(client.ended())})
    answers = await asyncio.gather(*operations)
    assert {answer.status_code for answer in answers} == {201}
    async with asyncio.timeout(20):
        while len([p for c in clients for p in await postings(db, c.client_id)]) < 150:
            await asyncio.sleep(0.05)
    for client in clients:
        lines = await postings(db, client.client_id)
        assert [line[0] for line in lines] == list(range(1, 51))
        assert lines[-1][3] == "7.00"  # +20 -10 and 20 calls of 0.15
    async with db.asyncpg(Scope.system()) as conn:
        assert await audit(conn) == []


async def test_the_ledger_stream_follows_in_order_of_each_client(api: BillingApi) -> None:
    """call-control applies postings by sequence: gaps cost it a question each."""
    client = await api.client(Client())
    for n in range(5):
        await api.operate("platform", client, "increment", "1", f"s{n}")
    async with asyncio.timeout(10):
        while True:
            made = await api.events(streams.LEDGER, "posting.made.v1")
            mine = [e for e in made if e["client_id"] == client.client_id]
            if len(mine) == 5:
                break
            await asyncio.sleep(0.02)
    assert [(e["sequence"], e["balance_after_micros"]) for e in mine] == [(n, n * 10**6) for n in range(1, 6)]


BAD = {
    "a number": {"operation": "increment", "amount": 5, "reason": "x"},
    "zero": {"operation": "increment", "amount": "0", "reason": "x"},
    "negative": {"operation": "increment", "amount": "-5", "reason": "x"},
    "too fine": {"operation": "increment", "amount": "0.0000001", "reason": "x"},
    "too much": {"operation": "increment", "amount": "99999999999", "reason": "x"},
    "an exponent": {"operation": "increment", "amount": "1e3", "reason": "x"},
    "an unknown operation": {"operation": "steal", "amount": "5", "reason": "x"},
    "an unknown field": {"operation": "increment", "amount": "5", "reason": "x", "to": "me"},
    "NUL": {"operation": "increment", "amount": "5", "reason": "a\x00b"},
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_operations_are_named_and_change_nothing(api: BillingApi, db: Database, name: str) -> None:
    """Money needs exact input: nothing is guessed."""
    client = await api.client(Client())
    path = f"/clients/{client.client_id}/balance/operations"
    headers = {"Idempotency-Key": new_id(), "X-Reason": "test"}
    answer = await api.call("platform", "POST", path, json=BAD[name], headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in ("amount", "operation", "to", "reason")
    assert await postings(db, client.client_id) == []


async def test_money_needs_a_key_and_a_reason(api: BillingApi) -> None:
    """Without a key a repeat doubles; without a reason nobody knows why later."""
    client = await api.client(Client())
    body = {"operation": "increment", "amount": "5"}
    answer = await api.call("platform", "POST", f"/clients/{client.client_id}/balance/operations", json=body)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"Idempotency-Key", "X-Reason"}


async def test_no_tenant_sees_or_moves_anothers_money(api: BillingApi) -> None:
    """Outside one's scope a client does not exist."""
    mine, theirs = await api.client(Client()), await api.client(Client())
    stranger, customer = api.operator(mine.brand_id), api.customer(mine)
    await api.operate("platform", theirs, "increment", "9", "x")
    for who in (stranger, customer):
        assert (await api.call(who, "GET", f"/clients/{theirs.client_id}/balance")).status_code == 404
        listed = await api.get(who, "/postings", client_id=theirs.client_id)
        assert listed["items"] == []
    assert (await api.operate(stranger, theirs, "increment", "9", "y")).status_code == 404
    assert (await api.operate(customer, mine, "increment", "9", "z")).status_code == 403


async def test_postings_are_listed_in_the_order_of_the_ledger(api: BillingApi) -> None:
    """A statement out of order makes no sense to anyone."""
    client = await api.client(Client())
    for n in range(5):
        await api.operate("platform", client, "increment", f"{n + 1}", f"p{n}")
    who = api.customer(client)
    page = await api.get(who, "/postings", sort="sequence", limit=3)
    rest = await api.get(who, "/postings", sort="sequence", limit=3, cursor=page["next_cursor"])
    items = page["items"] + rest["items"]
    assert [(p["sequence"], p["amount"]) for p in items] == [(n, f"{n}.00") for n in range(1, 6)]
    assert [p["balance_after"] for p in items] == ["1.00", "3.00", "6.00", "10.00", "15.00"]
    large = await api.get(who, "/postings", amount__gte="4")
    assert len(large["items"]) == 2
    assert rest["next_cursor"] is None
