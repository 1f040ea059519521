"""The snapshot that cold readers start from: complete, at one moment, closed, and for services only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from landline.chassis.postgres import Scope
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from landline.contracts import streams
from landline.contracts.envelope import FIELD, unseal
from landline.contracts.provisioning.events import EntityChanged
from provisioning.api.brands import BRANDS
from provisioning.api.clients import CLIENTS
from provisioning.snapshot import snapshot
from sqlalchemy import text

from tests.support.accounts import REGISTRY, House, running_house


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(settings: Settings) -> AsyncIterator[House]:
    redis = await connect(settings)
    async with running_house(settings, redis) as running:  # type: ignore[arg-type]
        yield running
    await redis.aclose()


async def lines(house: House) -> list[dict[str, Any]]:
    """The snapshot over HTTP, as a service reads it."""
    http = house.http(house.settings.internal_key.get_secret_value())
    answer = await http.get("/internal/snapshot")
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


async def published(house: House) -> list[EntityChanged]:
    """What the config stream holds, once the outbox is empty."""
    async with asyncio.timeout(10):
        while True:
            async with house.db.transaction(Scope.system()) as tx:
                if await tx.scalar(text("select count(*) from outbox")) == 0:
                    break
            await asyncio.sleep(0.02)
    entries = await house.app.state.redis.xrange(streams.CONFIG)
    events = [unseal(entry[FIELD]) for _, entry in entries]
    return [e.read(EntityChanged) for e in events if e.type.endswith(".changed.v1")]


async def test_an_empty_platform_has_a_complete_snapshot(house: House) -> None:
    """The first start of all: a reader must be able to tell empty from cut short."""
    first, *rest = await lines(house)  # the first signing key may be on the stream already
    assert set(first) == {"position"}
    assert rest == [{"complete": True, "rows": 0}]


async def test_the_snapshot_holds_every_row_as_it_was_published(house: House) -> None:
    """A field that only one of the two carries would make admissions depend on how a reader started."""
    brand = await house.row(BRANDS, name="One", sip_domain="one.example", country="ES")
    client = await house.row(CLIENTS, brand_id=brand, name="Casa", max_daily_usage="10.50")
    events = await published(house)
    first, *rows, last = await lines(house)
    newest = (await house.app.state.redis.xrevrange(streams.CONFIG, count=1))[0][0].decode()
    assert (first, last) == ({"position": newest}, {"complete": True, "rows": 2})
    assert {(r["entity"], r["entity_id"], r["entity_version"]) for r in rows} == {
        ("brand", str(brand), 1),
        ("client", str(client), 1),
    }
    by_id = {event.entity_id: event.data for event in events}
    assert all(by_id[row["entity_id"]] == row["data"] for row in rows)
    owners = {r["entity"]: (r["brand_id"], r["client_id"]) for r in rows}
    assert owners == {"brand": (str(brand), None), "client": (str(brand), str(client))}
    assert [r["data"]["max_daily_usage"] for r in rows if r["entity"] == "client"] == ["10.50"]


async def test_a_row_that_comes_while_it_is_read_is_not_in_it_but_after_its_position(house: House) -> None:
    """One moment for all tables; what happens later is on the stream, so nothing is lost in between."""
    brand = await house.row(
        BRANDS, name=f"B {uuid4().hex[:8]}", sip_domain=f"{uuid4().hex[:8]}.example", country="ES"
    )
    await published(house)
    reading = snapshot(REGISTRY, house.db, house.app.state.redis)
    position = json.loads(await anext(reading))["position"]
    first_block = await anext(reading)
    late = await house.row(CLIENTS, brand_id=brand, name="Late")
    rest = b"".join([first_block, *[block async for block in reading]])
    assert str(late) not in rest.decode()
    assert json.loads(rest.splitlines()[-1])["complete"] is True
    await published(house)
    after = await house.app.state.redis.xrange(streams.CONFIG, min=f"({position}")
    assert str(late) in str(after)


async def test_thousands_of_rows_arrive_whole(house: House) -> None:
    """More than one fetch of the cursor: none doubled, none missing."""
    brand = await house.row(BRANDS, name="Many", sip_domain="many.example", country="ES")
    await house.row(CLIENTS, brand_id=brand, name="Template")
    copy = text(
        "insert into clients select (jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(),"
        " 'name', 'c' || n))).* from clients c, generate_series(1, 2500) n where c.name = 'Template'"
    )
    async with house.db.transaction(Scope.system()) as tx:
        await tx.execute(copy)
        expected = await tx.scalar(
            text("select (select count(*) from clients) + (select count(*) from brands)")
        )
    _, *rows, last = await lines(house)
    assert last == {"complete": True, "rows": expected}
    assert len({row["entity_id"] for row in rows}) == expected


@pytest.mark.parametrize("token", [None, "wrong", "admin"])
async def test_only_services_read_it(house: House, token: str | None) -> None:
    """It holds all tenants' rows and the devices' sealed secrets."""
    if token == "admin":
        login = await house.login("admin", house.settings.admin_password.get_secret_value())
        token = login["access_token"]
    answer = await house.http(token).get("/internal/snapshot")
    assert answer.status_code in (401, 403)
    assert "position" not in answer.text
