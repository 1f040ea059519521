"""One tenant never sees or touches another's rows: in the query layer, and again in Postgres."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.support.provisioning_api import Api, provisioning_api

TENANT_TABLES = ("brands", "clients", "devices", "ddis", "carriers", "routes", "audit_log")


async def test_a_statement_without_scope_returns_no_row(api: Api) -> None:
    """A connection that somebody took past the one hand-out place must show nothing."""
    brand = await api.brand()
    await api.client(brand)
    async with api.db.engine.begin() as tx:
        for table in (*TENANT_TABLES, "outbox"):
            assert await tx.scalar(text(f"select count(*) from {table}")) == 0, table
    async with api.db.transaction(Scope.system()) as tx:
        assert await tx.scalar(text("select count(*) from clients"))


async def test_row_security_holds_where_a_query_forgets_its_condition(api: Api) -> None:
    """The second line of defence: `select * from clients` as a brand shows that brand's only."""
    one, other = await api.brand(), await api.brand()
    mine, theirs = await api.client(one), await api.client(other)
    async with api.db.transaction(Scope.brand(one["id"])) as tx:
        seen = set((await tx.execute(text("select id::text from clients"))).scalars())
        assert mine["id"] in seen
        assert theirs["id"] not in seen
    async with api.db.transaction(Scope.client(one["id"], mine["id"])) as tx:
        assert set((await tx.execute(text("select id::text from clients"))).scalars()) == {mine["id"]}
        assert set((await tx.execute(text("select id::text from brands"))).scalars()) == {one["id"]}


@pytest.mark.parametrize(
    "statement",
    [
        "update clients set name = 'taken' where id = :theirs",
        "delete from clients where id = :theirs",
    ],
)
async def test_a_write_to_anothers_row_touches_nothing(api: Api, statement: str) -> None:
    """Were USING missing on writes, a forged id would change another tenant."""
    one, other = await api.brand(), await api.brand()
    theirs = await api.client(other)
    async with api.db.transaction(Scope.brand(one["id"])) as tx:
        done = await tx.execute(text(statement), {"theirs": UUID(theirs["id"])})
        assert done.rowcount == 0


async def test_a_row_cannot_be_written_into_anothers_brand(api: Api) -> None:
    """WITH CHECK: a brand must not plant rows at another one."""
    one, other = await api.brand(), await api.brand()
    plant = text(
        "insert into carriers"
        " select gen_random_uuid(), 1, now(), now(), :brand, 'x', '', true, null, false, 'EUR'"
    )
    with pytest.raises(DBAPIError, match="row-level security"):
        async with api.db.transaction(Scope.brand(one["id"])) as tx:
            await tx.execute(plant, {"brand": UUID(other["id"])})


async def test_two_tenants_interleaved_on_two_connections_see_their_own_only(settings: Settings) -> None:
    """A scope that outlived its transaction would show one tenant's rows to the next."""
    async with provisioning_api(settings, pool_size=2) as api:
        one, other = await api.brand(), await api.brand()
        for brand in (one, other):
            await api.client(brand)

        async def look(brand: dict[str, str]) -> None:
            answer = await api.get(brand["name"], "clients?limit=500")
            assert {row["brand_id"] for row in answer.json()["items"]} == {brand["id"]}

        await asyncio.gather(*(look(one if n % 2 else other) for n in range(200)))


async def test_the_scope_ends_with_a_transaction_that_failed(settings: Settings) -> None:
    """Rolled back or not, the next one on this connection starts without a tenant."""
    db = Database(settings, "provisioning", pool_size=1)
    with pytest.raises(RuntimeError):
        async with db.transaction(Scope.system()):
            raise RuntimeError("use case failed")
    async with db.engine.begin() as tx:
        assert not await tx.scalar(text("select current_setting('landline.level', true)"))
    await db.close()


async def test_raw_connections_carry_the_scope_too(api: Api) -> None:
    """High-volume code uses asyncpg directly; it goes through the same hand-out place."""
    brand = await api.brand()
    async with api.db.asyncpg(Scope.brand(brand["id"])) as conn:
        assert await conn.fetchval("select count(*) from brands") == 1
    async with api.db.session(Scope.brand(brand["id"])) as conn:
        assert await conn.fetchval("select count(*) from brands") == 1


async def test_what_lies_outside_the_scope_does_not_exist(api: Api) -> None:
    """404, never 403: an id must not tell that something is there."""
    one, other = await api.brand(), await api.brand()
    theirs = await api.client(other)
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = await api.call(one["name"], method, f"clients/{theirs['id']}", json=body)
        assert (method, answer.status_code) == (method, 404)
    assert (await api.get(one["name"], f"clients?id={theirs['id']}")).json()["items"] == []


async def test_references_do_not_cross_brands(api: Api) -> None:
    """A foreign id in a body is answered like one that does not exist."""
    one, other = await api.brand(), await api.brand()
    theirs = await api.made(other["name"], "transformation-sets", {"name": "theirs"})
    for foreign in (theirs["id"], str(uuid4())):
        answer = await api.post(one["name"], "clients", {"name": "c", "transformation_set_id": foreign})
        assert answer.status_code == 422
        assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
            ("transformation_set_id", "not_found")
        ]
    client = await api.client(other)
    for who in (one["name"], "platform"):
        body = {"brand_id": one["id"], "client_id": client["id"], "name": "d1"}
        assert (await api.post(who, "devices", body)).status_code == 422


@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("client", "POST", "clients", 403),
        ("client", "GET", "carriers", 403),
        ("client", "GET", "audit-log", 403),
        ("client", "DELETE", "devices/{device}", 403),
        ("client", "PATCH", "devices/{device}", 200),
        ("brand", "POST", "brands", 403),
        ("brand", "GET", "edges", 403),
        ("brand", "GET", "brands", 200),
        ("nobody", "GET", "brands", 401),
    ],
)
async def test_each_level_may_do_what_its_table_says(
    api: Api, who: str, method: str, path: str, status: int
) -> None:
    """Rights are per kind of resource: 403 there, and 401 without a token."""
    brand = await api.brand()
    client = await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "d"})
    names = {"client": client["name"], "brand": brand["name"], "nobody": "nobody"}
    body = {"description": "kitchen"} if method == "PATCH" else {} if method == "POST" else None
    answer = await api.call(names[who], method, path.format(device=device["id"]), json=body)
    assert answer.status_code == status, answer.text


async def test_a_restricted_admin_reads_only_until_given_more(api: Api) -> None:
    """New restricted admins must not be able to write by accident."""
    from landline.chassis.auth import Principal

    brand = await api.brand()
    api.who.known["narrow"] = Principal(
        "brand", brand["id"], admin_id="9", rights={"clients": "rc", "carriers": ""}
    )
    assert (await api.post("narrow", "clients", {"name": "c"})).status_code == 201
    assert (await api.post("narrow", "destination-patterns", {"name": "c", "prefix": "+"})).status_code == 403
    assert (await api.get("narrow", "destination-patterns")).status_code == 200
    assert (await api.get("narrow", "carriers")).status_code == 403
