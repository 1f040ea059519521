"""Around outbound calls: who may ask, what bad input does, heartbeats, operators, an outage, simulation."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from call_control.consumers.config import ConfigHandler
from landline.chassis.stream_consumer import StreamConsumer
from landline.contracts import streams
from landline.contracts.envelope import FIELD, seal
from landline.contracts.provisioning.events import EntityChanged

from tests.support import configured as c
from tests.support.outbound_story import API, PEOPLE, Story, operator, telling
from tests.support.stores import TestStores


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """A brand ready to call."""
    async with telling(stores.redis_url, tmp_path) as told:
        yield told


def basic(name: str, key: str) -> str:
    """An Authorization header as Kamailio's http_client sends it."""
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


KEYS = {
    "bearer": (f"Bearer {c.KEY}", 200),
    "basic": (basic("edge1", c.KEY), 200),
    "basic, another edge's name": (basic("edge2", c.KEY), 401),
    "another key of the same prefix": (f"Bearer {c.KEY[:-1]}x", 401),
    "no key of ours": ("Bearer hello", 401),
    "broken basic": ("Basic !!!", 401),
    "another scheme": ("Digest x", 401),
    "nothing": ("", 401),
}


@pytest.mark.parametrize(("given", "status"), KEYS.values(), ids=KEYS)
async def test_only_an_edge_key_may_ask(story: Story, given: str, status: int) -> None:
    """Anybody who could ask for admissions could spend every client's money."""
    answer = await story.post("/calls", c.call(), Authorization=given)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["code"] == "unauthorized"


async def test_a_disabled_edge_is_out_and_a_new_key_is_in(story: Story) -> None:
    """A stolen edge is switched off in provisioning: what is remembered of its key must not help it."""
    assert (await story.post("/calls", c.call())).status_code == 200
    await story.configure(c.edge(2, enabled=False))
    assert (await story.post("/calls", c.call())).status_code == 401
    fresh = "llk_fedcba98_" + "n" * 43
    await story.configure(c.edge(3, key=fresh))
    assert (await story.post("/calls", c.call(), Authorization=f"Bearer {fresh}")).status_code == 200


async def test_bad_input_names_the_field_and_touches_nothing(story: Story) -> None:
    """Promise 7. The table of fields is in the unit tests; here: through HTTP, and no key was written."""
    before = await story.parts.redis.dbsize()
    for body, fields in (
        (c.call(request_user="6" * 40), ["request_user"]),
        (c.call(auth_user="a\x00b", from_user=7), ["from_user"]),
        (c.call(no_such="x", source_ip=1), ["no_such", "source_ip"]),
    ):
        answer = await story.post("/calls", body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["field"] for error in answer.json()["errors"]] == fields
    for raw in (b"{", b"\xff", b"[" * 3000):
        answer = await story.http.post(f"{API}/calls", content=raw)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")
    assert (await story.http.post(f"{API}/calls", content=b" " * 70_000)).status_code == 413
    call_id = "17-019a0000-0000-7000-8000-00000000dead"
    bad_end = await story.post(f"/calls/{call_id}/ended", {"at": "yesterday"})
    assert (bad_end.status_code, bad_end.json()["errors"][0]["field"]) == (422, "at")
    assert await story.parts.redis.dbsize() == before


async def test_a_change_in_provisioning_acts_on_the_next_call(story: Story) -> None:
    """Promise 6: event on the stream, consumer, read model, invalidation, decision: under a second."""
    stop = asyncio.Event()
    handler = ConfigHandler(story.model, story.clock)
    consumer = StreamConsumer(story.parts.redis, "call-control", [streams.CONFIG], handler)
    running = asyncio.create_task(consumer.run(stop))
    await story.call()
    try:
        data = {**(c.client().data or {}), "enabled": False}
        event = EntityChanged(entity="client", entity_id=c.CLIENT, entity_version=2, data=data)
        sealed = seal(event, producer="provisioning", now_ms=0, brand_id=c.BRAND, client_id=c.CLIENT)
        await story.parts.redis.xadd(streams.CONFIG, {FIELD: sealed})
        async with asyncio.timeout(1):
            while (await story.call()).get("reason") != "disabled":
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await running


async def test_an_operator_hangs_up_and_the_edge_is_told(story: Story) -> None:
    """REST hangup: the next heartbeat names the call; it is billed to the second of the command."""
    call = await story.call()
    ringing = await story.http.post(f"{API}/calls/{call['call_id']}/hangup", headers=operator())
    assert (ringing.status_code, ringing.json()["code"]) == (409, "not_answered")
    await story.report(call, "answered")
    story.clock.advance_s(30)
    hangup = await story.http.post(f"{API}/calls/{call['call_id']}/hangup", headers=operator())
    assert hangup.status_code == 202
    answer = await beat(story, [{"call_id": call["call_id"], "state": "answered"}])
    assert answer["hang_up"] == [call["call_id"]]
    story.clock.advance_s(5)
    await story.report(call, "ended")
    assert (await story.usage())["unposted"] == "0.60"
    gone = await story.http.post(f"{API}/calls/{call['call_id']}/hangup", headers=operator())
    assert (gone.status_code, gone.json()["code"]) == (409, "call_over")
    nobody = await story.http.post(f"{API}/calls/x/hangup", headers=operator())
    assert nobody.status_code == 404


async def test_an_emergency_call_is_never_hung_up(story: Story) -> None:
    """Not by money, not by limits, not by an operator's mistake (4.12)."""
    number = {"number": "112", "country": "ES"}
    await story.configure(c.row("emergency_number", "019a0000-0000-7000-8000-000000000e01", number))
    call = await story.call(request_user="112")
    await story.report(call, "answered")
    answer = await story.http.post(f"{API}/calls/{call['call_id']}/hangup", headers=operator())
    assert (answer.status_code, answer.json()["code"]) == (409, "emergency_call")


async def test_hanging_up_twice_is_hanging_up_once(story: Story) -> None:
    """An impatient operator clicks again: the second to which the call is billed must not move."""
    call = await story.call()
    await story.report(call, "answered")
    for _ in range(2):
        story.clock.advance_s(10)
        answer = await story.http.post(f"{API}/calls/{call['call_id']}/hangup", headers=operator())
        assert answer.status_code == 202
    await story.report(call, "ended")
    assert (await story.usage())["unposted"] == "0.20"


async def beat(story: Story, calls: list[dict[str, Any]], seq: int = 0) -> dict[str, Any]:
    """One whole list of the edge's calls."""
    body = {
        "instance_id": "i1",
        "boot_id": "b1",
        "seq": seq,
        "last": True,
        "taken_at": story.now_s,
        "calls": calls,
    }
    answer = await story.post("/edges/heartbeat", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_forgotten_call_comes_back_by_its_ticket(story: Story) -> None:
    """Redis lost its disk: the edge still talks. Unknown first, resync, then known and charged."""
    call = await story.call()
    await story.report(call, "answered")
    await story.parts.redis.flushall()
    await story.configure(*c.everything(story.parts.settings.data / "rates"))
    await story.top_up(10_000_000)
    story.clock.advance_s(30)
    listed = {"call_id": call["call_id"], "state": "answered", "answered_at": story.now_s - 30}
    answer = await beat(story, [listed, {"call_id": "rubbish"}])
    assert (answer["unknown"], answer["resync"], answer["hang_up"]) == (
        [call["call_id"], "rubbish"],
        True,
        [],
    )
    resync = await story.post(
        "/edges/resync", {"calls": [{**listed, "ticket": call["ticket"]}, {"call_id": "rubbish"}]}
    )
    assert resync.json() == {"restored": [call["call_id"]], "unknown": ["rubbish"]}
    story.clock.advance_s(30)
    await story.report(call, "ended")
    assert (await story.usage())["unposted"] == "1.20"


async def test_live_calls_are_seen_within_ones_scope_only(story: Story) -> None:
    """Promise 5: platform, brand and client see their call; those of another brand or client do not."""
    call = await story.call()
    other = "019a0000-0000-7000-8000-00000000ffff"
    verifier = story.app.state.verifier
    async with asyncio.timeout(5):
        while verifier.missing():
            await asyncio.sleep(0.02)
    for headers, visible in (
        (PEOPLE.token("platform"), True),
        (PEOPLE.token("brand", c.BRAND), True),
        (PEOPLE.token("client", c.BRAND, c.CLIENT), True),
        (PEOPLE.token("client", c.BRAND, other), False),
        (PEOPLE.token("brand", other), False),
    ):
        listed = await story.http.get(f"{API}/calls", headers=headers)
        assert [item["call_id"] for item in listed.json()["items"]] == ([call["call_id"]] if visible else [])
        usage = await story.http.get(f"{API}/clients/{c.CLIENT}/usage", headers=headers)
        assert usage.status_code == (200 if visible else 404)
    foreign = await story.http.post(
        f"{API}/calls/{call['call_id']}/hangup", headers=PEOPLE.token("brand", other)
    )
    assert foreign.status_code == 404
    assert (await story.http.get(f"{API}/calls", headers={"Authorization": ""})).status_code == 401


async def test_live_calls_come_in_pages_and_can_be_filtered(story: Story) -> None:
    """The newest first; a cursor goes on where the page ended."""
    await story.configure(c.client(2, max_calls=0))
    made = []
    for _ in range(3):
        made.append((await story.call())["call_id"])
        story.clock.advance_s(1)
    first = (await story.http.get(f"{API}/calls?limit=2", headers=operator())).json()
    rest = (
        await story.http.get(f"{API}/calls?limit=2&cursor={first['next_cursor']}", headers=operator())
    ).json()
    assert [item["call_id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    for query, count in (
        (f"client_id={c.CLIENT}", 3),
        (f"client_id={c.BRAND}", 0),
        (f"brand_id={c.BRAND}", 3),
        (f"brand_id={c.CLIENT}", 0),
    ):
        found = (await story.http.get(f"{API}/calls?{query}", headers=operator())).json()
        assert len(found["items"]) == count


async def test_a_simulation_answers_like_a_call_and_changes_nothing(story: Story) -> None:
    """Would it be allowed now, at what price, by which route, and why: every step, no counter moved."""
    asked = {k: v for k, v in c.call().items() if k not in ("attempt_id", "sip_call_id")}
    before = await story.usage(), await story.parts.redis.dbsize()
    answer = await story.post("/simulate", {**asked, "duration_s": 90}, **operator())
    told = answer.json()
    assert (told["decision"], told["price"], told["max_duration_s"]) == ("allow", "1.80", 500)
    assert [line["step"] for line in told["trace"]][-1] == "counters"
    assert {line["outcome"] for line in told["trace"]} == {"continue"}
    assert len(told["routes"]) == 2
    assert (await story.usage(), await story.parts.redis.dbsize()) == before


async def test_a_simulation_tells_every_refusal(story: Story) -> None:
    """Counters are read, not taken: the answer must be the one a call would get."""
    await story.call()
    for body, client, reason in (
        ({"request_user": "alice"}, {}, "invalid_number"),
        ({}, {"max_calls": 1}, "max_calls_reached"),
        ({}, {"max_daily_usage": "1.00"}, "daily_limit_reached"),
        ({"auth_user": None, "auth_realm": None}, {}, "challenge"),
    ):
        version = story.clock.now_ms() - 1_795_348_800_000 + 2
        story.clock.advance_s(0.001)
        await story.configure(c.client(version, **client))
        told = (await story.post("/simulate", c.call(**body), **operator())).json()
        refused = told["denial"]["reason"] if told["denial"] else told["decision"]
        assert refused == reason
        assert told["routes"] == []
    await story.configure(c.client(50), c.brand(2, max_calls=1))
    assert (
        (await story.post("/simulate", c.call(), **operator()))
        .json()["denial"]["detail"]
        .startswith("brand limit")
    )
    await story.configure(c.brand(3))
    await story.top_up(0, sequence=9)
    assert (await story.post("/simulate", c.call(), **operator())).json()["denial"]["reason"] == "no_credit"


async def test_a_simulation_is_for_operators_of_the_brand(story: Story) -> None:
    """Prices and routes of one brand are no business of another's operator, nor of clients or edges."""
    async with asyncio.timeout(5):
        while story.app.state.verifier.missing():
            await asyncio.sleep(0.02)
    body = {**c.call(), "at": "2026-11-22T03:00:00Z"}
    assert (await story.post("/simulate", body, **PEOPLE.token("brand", c.BRAND))).status_code == 200
    other = PEOPLE.token("brand", "019a0000-0000-7000-8000-00000000ffff")
    assert (await story.post("/simulate", body, **other)).status_code == 404
    assert (
        await story.post("/simulate", body, **PEOPLE.token("client", c.BRAND, c.CLIENT))
    ).status_code == 403
    assert (await story.post("/simulate", body)).status_code == 401
    assert (await story.post("/simulate", {**body, "at": "noon"}, **operator())).status_code == 422


async def test_redis_away_is_a_503_and_emergency_calls_go_on(story: Story, stores: TestStores) -> None:
    """Unknown never means allowed, but promise 4 holds: 112 goes out, and its ticket settles it later."""
    number = c.row(
        "emergency_number", "019a0000-0000-7000-8000-000000000e01", {"number": "112", "country": "ES"}
    )
    await story.configure(number)
    await story.call()
    stores.valkey.kill()
    try:
        refused = await story.post("/calls", c.call())
        assert (refused.status_code, refused.json()["code"]) == (503, "counters_unavailable")
        assert int(refused.headers["retry-after"]) > 0
        emergency = await story.call(request_user="112")
        assert (emergency["decision"], emergency["call_class"]) == ("allow", "emergency")
    finally:
        stores.valkey.start()
    story.clock.advance_s(60)
    ended = await story.report(emergency, "ended", answered_at=story.now_s - 50, ticket=emergency["ticket"])
    assert ended == 204
    assert (await story.call())["decision"] == "allow"


async def test_the_edge_api_is_in_openapi(story: Story) -> None:
    """Bare routes are documented all the same: integrators generate their clients from it."""
    schema = (await story.http.get(f"{API}/openapi.json")).json()
    body = schema["paths"][f"{API}/calls"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].endswith("/CallRequest")
    assert {"get", "post"} <= set(schema["paths"][f"{API}/calls"])
    assert "SimulateRequest" in schema["components"]["schemas"]
    assert json.dumps(schema).count('"$ref": "#/$defs') == 0


async def test_the_noop_is_700_bytes_and_needs_a_key(story: Story) -> None:
    """The bench compares with it: it must authenticate like an admission."""
    answer = await story.post("/noop", c.call())
    assert (answer.status_code, len(answer.content)) == (200, 700)
    assert (await story.post("/noop", c.call(), Authorization="Bearer x")).status_code == 401
