"""How Postgres finds the rows of every filtered list: from an index by tenant, never through all tenants'."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from landline.chassis.auth import Principal
from landline.chassis.postgres import Scope
from landline.chassis.resources import Micros, Resource
from landline.chassis.resources.listing import filterable, page_statement, parse_list, sortable
from landline.chassis.settings import Settings
from sqlalchemy import ARRAY, Boolean, Column, DateTime, Integer, Uuid, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.support.provisioning_api import REGISTRY, Api

DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
BRAND, CLIENT = str(uuid4()), str(uuid4())
# Keys of integrators are few, and are looked for by all that an operator knows of one.
_FEW = {"api-keys"}
TENANTS = [
    r
    for r in REGISTRY.resources
    if r.tenancy != "platform" and r.brand_column == "brand_id" and r.name not in _FEW
]
FILL = """
insert into brands
select row.* from (select * from brands limit 1) b, generate_series(1, 20) n,
       lateral jsonb_populate_record(null::brands, to_jsonb(b) || jsonb_build_object(
           'id', gen_random_uuid(), 'name', 'fill ' || n, 'sip_domain', 'fill' || n || '.example')) row;
insert into transformation_sets
select row.* from (select * from transformation_sets limit 1) s, brands b, generate_series(1, 100) n,
       lateral jsonb_populate_record(null::transformation_sets, to_jsonb(s) || jsonb_build_object(
           'id', gen_random_uuid(), 'brand_id', b.id, 'name', 'set ' || n)) row;
insert into transformation_rules
select row.* from (select * from transformation_rules limit 1) r, transformation_sets s,
       lateral jsonb_populate_record(null::transformation_rules, to_jsonb(r) || jsonb_build_object(
           'id', gen_random_uuid(), 'brand_id', s.brand_id, 'transformation_set_id', s.id)) row
 where s.brand_id is not null;
insert into risk_classes
select row.* from (select * from risk_classes where brand_id is null limit 1) r, brands b,
       generate_series(1, 100) n,
       lateral jsonb_populate_record(null::risk_classes, to_jsonb(r) || jsonb_build_object(
           'id', gen_random_uuid(), 'brand_id', b.id, 'prefix', '+99' || n)) row;
analyze transformation_sets; analyze transformation_rules; analyze risk_classes
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def filled(api: Api, settings: Settings) -> None:
    """What the platform shares with brands is found by two indexes at once, if there are rows to find."""
    brand = await api.brand()
    body = {"name": "one", "country": "ES", "generate_rules": True}
    await api.made(brand["name"], "transformation-sets", body)
    owner = await asyncpg.connect(
        settings.pg_dsn("landline_owner"), server_settings={"search_path": "provisioning"}
    )
    await owner.execute("select set_config('landline.level', 'system', false)")
    await owner.execute(FILL)
    await owner.close()


def sample(column: Column[Any]) -> str:
    """Some value of a column's type, as a query parameter."""
    kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
    if isinstance(kind, Uuid):
        return str(uuid4())
    if isinstance(kind, Boolean):
        return "true"
    if isinstance(kind, Micros | Integer):
        return "1"
    return "2026-11-22T21:00:00Z" if isinstance(kind, DateTime) else "x"


def queries(resource: Resource, principal: Principal) -> Iterator[list[tuple[str, str]]]:
    """Every filter with equality, and every order."""
    for name in filterable(resource):
        column = resource.column(name)
        if column is not None and name not in resource.hidden(principal):
            yield [(name, sample(column))]
    for name in sortable(resource):
        if name not in resource.hidden(principal):
            yield [("sort", name)]


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes that read the table or its indexes."""
    if "Scan" in plan["Node Type"] and "Subquery" not in plan["Node Type"]:
        yield plan
    for child in plan.get("Plans", []):
        yield from scans(child)


def by_tenant(scan: dict[str, Any]) -> bool:
    """Whether a scan begins at rows of one tenant, or at the row of a key."""
    condition = str(scan.get("Index Cond", ""))
    if scan["Node Type"] == "Bitmap Heap Scan":  # its index scans are nodes of their own
        return True
    if "Index" not in scan["Node Type"]:
        return False
    # of one row, of what belongs to one, or of one moment
    of_a_row = ("(id =", "_id =", "number =", "entity_id =", "created_at =")
    return "brand_id" in condition or "client_id" in condition or any(c in condition for c in of_a_row)


async def plan_of(
    tx: AsyncConnection, resource: Resource, principal: Principal, params: list[tuple[str, str]]
) -> dict[str, Any]:
    query = parse_list(resource, params, principal)
    statement = page_statement(resource, query, principal)
    sql = str(statement.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    found: Any = (await tx.exec_driver_sql(f"explain (format json) {sql}")).scalar()
    plans = json.loads(found) if isinstance(found, str) else found
    plan: dict[str, Any] = plans[0]["Plan"]
    return plan


@pytest.mark.parametrize("level", ["brand", "client"])
@pytest.mark.parametrize("resource", TENANTS, ids=lambda r: r.name)
async def test_every_filter_and_order_starts_from_an_index_by_tenant(
    api: Api, resource: Resource, level: str
) -> None:
    """Without one, the list of a small brand reads the rows of all the others, and gets slower with them."""
    principal = Principal("brand", BRAND) if level == "brand" else Principal("client", BRAND, CLIENT)
    if "r" not in resource.rights.of(principal):
        return
    scope = Scope.brand(BRAND) if level == "brand" else Scope.client(BRAND, CLIENT)
    bad = []
    async with api.db.transaction(scope) as tx:
        # The tables here are tiny: without this every plan would rightly read them whole.
        await tx.execute(text("set local enable_seqscan = off"))
        for params in queries(resource, principal):
            wrong = await ways_without_a_tenant(tx, resource, principal, params)
            if wrong:
                bad.append(
                    (params, [(s["Node Type"], s.get("Index Name"), s.get("Index Cond")) for s in wrong])
                )
    assert bad == []


async def ways_without_a_tenant(
    tx: AsyncConnection, resource: Resource, principal: Principal, params: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """The scans that begin elsewhere, in the plan or, for "mine or the platform's", in the one by bitmaps.

    On a few rows Postgres thinks reading an index in order as cheap as joining two bitmaps.
    """
    wrong: list[dict[str, Any]] = []
    for ordered in ("on", "off") if resource.shared else ("on",):
        await tx.execute(text(f"set local enable_indexscan = {ordered}"))
        wrong = [s for s in scans(await plan_of(tx, resource, principal, params)) if not by_tenant(s)]
        if not wrong:
            break
    await tx.execute(text("set local enable_indexscan = on"))
    return wrong


RARE = [
    ("ddis", "state", "quarantine", "ddis_state"),
    ("ddis", "kind", "out", "ddis_out"),
    ("ddis", "record", "all", "ddis_record"),
    ("ddis", "target", "fax", "ddis_boxes"),
    ("ddis", "client_id__isnull", "true", "ddis_pool"),
    ("ddis", "country", "PT", "ddis_country"),
    ("clients", "billing_method", "prepaid", "clients_billing_method"),
    ("clients", "country", "PT", "clients_country"),
    ("clients", "enabled", "false", "clients_disabled"),
    ("clients", "ip_filter", "true", "clients_filtered"),
    ("clients", "max_daily_usage__gte", "1.00", "clients_limited"),
    ("devices", "direct_connectivity", "true", "devices_direct"),
    ("devices", "enabled", "false", "devices_disabled"),
]


@pytest.mark.parametrize(("resource", "name", "value", "index"), RARE)
async def test_rare_values_have_indexes_of_their_own(
    api: Api, resource: str, name: str, value: str, index: str
) -> None:
    """A brand with a million numbers and three in quarantine: found by those three."""
    async with api.db.transaction(Scope.brand(BRAND)) as tx:
        await tx.execute(text("set local enable_seqscan = off"))
        plan = await plan_of(tx, REGISTRY.named(resource), Principal("brand", BRAND), [(name, value)])
    assert index in {s.get("Index Name") for s in scans(plan)}, plan
