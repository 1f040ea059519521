"""`__contains` on numbers and names: by an index, exactly what the plain condition finds, in every scope."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from landline.chassis.auth import Principal
from landline.chassis.postgres import Scope
from landline.chassis.resources.finding import found
from landline.chassis.resources.listing import page_statement, parse_list
from landline.chassis.settings import Settings
from sqlalchemy import text

from tests.support.provisioning_api import REGISTRY, Api

NAMES = ["Casa Ñandú", "casa nandu", "100 % Casa", "Casa_1", "Casa 1", "back\\slash", "Other people"]
WANTED = [
    "casa",
    "Casa",
    "ÑANDÚ",
    "nandu",
    "100 %",
    "%",
    "_1",
    "a_1",
    "back\\s",
    "sa",
    "zzz",
    "people",
    "' or 1=1",
]
MANY = """
insert into ddis select row.*
  from (select * from ddis where number = '+34944660001') d, generate_series(1, $1::int) n,
       lateral jsonb_populate_record(null::ddis, to_jsonb(d) || jsonb_build_object('id', gen_random_uuid(),
           'client_id', null, 'number', '+3481' || lpad(n::text, 7, '0'))) row
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scopes(api: Api) -> dict[str, Principal]:
    """Two brands with clients of many names; who may look."""
    found: dict[str, Principal] = {"platform": Principal("platform")}
    for brand in ("one", "two"):
        made = await api.brand()
        for name in NAMES:
            client = await api.made(made["name"], "clients", {"name": name})
        found[brand] = Principal("brand", made["id"])
        found[f"{brand} client"] = Principal("client", made["id"], client["id"])
        number = "+34944660001" if brand == "one" else "+34944660002"
        await api.made(made["name"], "ddis", {"number": number, "client_id": client["id"]})
    return found


async def listed(api: Api, who: Principal, resource: str, wanted: str, field: str) -> tuple[list[Any], bool]:
    """(ids by the finder, whether it answered); asserts that the plain condition finds the same."""
    kind = REGISTRY.named(resource)
    query = parse_list(kind, [(f"{field}__contains", wanted), ("limit", "500")], who)
    async with api.db.transaction(Scope.of(who)) as tx:
        settled = await found(tx, kind, query)
        by_index, plain = [
            (await tx.execute(page_statement(kind, each, who))).mappings().all() for each in (settled, query)
        ]
    assert by_index == plain
    return [row["id"] for row in plain], list(settled.where) != list(query.where)


async def test_every_scope_finds_what_it_would_find_without_an_index(
    api: Api, scopes: dict[str, Principal]
) -> None:
    """Capitals, wildcards and quotes in the text are text; nobody finds a row of somebody else."""
    for name, who in scopes.items():
        for wanted in WANTED:
            ids, answered = await listed(api, who, "clients", wanted, "name")
            assert answered == bool(re.search("[^\\W_]{3}", wanted)), wanted
            if name == "one client":
                assert len(ids) <= 1
    own, _ = await listed(api, scopes["one"], "clients", "casa", "name")
    other, _ = await listed(api, scopes["two"], "clients", "casa", "name")
    assert (len(own), len(other), set(own) & set(other)) == (5, 5, set())
    assert len((await listed(api, scopes["platform"], "ddis", "9446600", "number"))[0]) == 2
    assert len((await listed(api, scopes["one"], "ddis", "9446600", "number"))[0]) == 1


async def test_without_a_scope_a_finder_finds_nothing(api: Api, settings: Settings) -> None:
    """It runs as the owner of the tables: the tenant's condition is its own."""
    word = settings.pg_dsn("provisioning")
    conn = await asyncpg.connect(word, server_settings={"search_path": "provisioning"})
    try:
        assert await conn.fetchval("select clients_containing('%casa%', 10)") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("alter function clients_containing(text, integer) stable")
    finally:
        await conn.close()


async def test_many_rows_are_found_by_the_index_or_in_the_lists_order(
    api: Api, settings: Settings, scopes: dict[str, Principal]
) -> None:
    """What few have: by the trigrams. What thousands have: it says so, and the page is read in order."""
    owner = await asyncpg.connect(
        settings.pg_dsn("landline_owner"), server_settings={"search_path": "provisioning"}
    )
    await owner.execute("select set_config('landline.level', 'system', false)")
    await owner.execute(MANY, 30_000)
    await owner.execute("analyze ddis")
    await owner.execute("set enable_seqscan = off")
    plan = await owner.fetch("explain select id from ddis where lower(number) like '%77777%'")
    assert "ddis_number_contains" in str(plan)
    await owner.close()
    rare, answered = await listed(api, scopes["one"], "ddis", "27777", "number")
    assert (len(rare), answered) == (1, True)
    common, answered = await listed(api, scopes["one"], "ddis", "+3481", "number")
    assert (len(common), answered) == (501, False)


async def test_totals_above_a_hundred_thousand_are_estimates_and_say_so(
    api: Api, monkeypatch: pytest.MonkeyPatch, scopes: dict[str, Principal]
) -> None:
    """Exact below, never less than what was counted above (the limit is lowered here)."""
    brand = next(name for name, who in api.who.known.items() if who.brand_id == scopes["one"].brand_id)
    exact = (await api.get(brand, "clients?count=true&limit=1")).json()
    assert (exact["total"], exact["total_estimated"]) == (len(NAMES), False)
    monkeypatch.setattr("landline.chassis.resources.counting.MOST_EXACT", 3)
    about = (await api.get(brand, "clients?count=true&limit=1")).json()
    assert about["total_estimated"] is True
    assert about["total"] >= 4
    few = (await api.get(brand, "clients?count=true&limit=1&name=Casa 1")).json()
    assert (few["total"], few["total_estimated"]) == (1, False)
    plain = (await api.get(brand, "clients?limit=1")).json()
    assert "total" not in plain


async def test_who_asks_with_many_filters_gets_them_all(api: Api, scopes: dict[str, Principal]) -> None:
    """The finder's ids are one condition among the others."""
    brand = next(name for name, who in api.who.known.items() if who.brand_id == scopes["one"].brand_id)
    both = (await api.get(brand, "clients?name__contains=casa&name__in=Casa 1,Other people")).json()
    assert [row["name"] for row in both["items"]] == ["Casa 1"]
    async with api.db.transaction(Scope.system()) as tx:
        assert await tx.scalar(text("select clients_containing('%Casa 1%', 1)")) is None, (
            "two brands have one"
        )
