"""`GET calls` and `GET calls/events`: who sees which live calls, page by page and as they happen."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from call_control.adapters.call_streams import CallStreams
from call_control.api import events
from call_control.app.live_feed import MOST_WAITING_BYTES, REPLAY_MS, LiveFeed
from call_control.domain.live_event import EntryId, Position, Scope
from landline.chassis.postgres import Scope as DbScope
from landline.chassis.settings import Settings
from landline.contracts.call_control.events import CallEnded, CallRinging
from landline.contracts.envelope import fields, seal
from landline.contracts.provisioning.events import SessionRevoked
from landline.contracts.streams import CONFIG, calls
from landline.kernel.clock import SystemClock

from tests.support import configured as c
from tests.support.calls import facts, new_call
from tests.support.event_reader import Reader, on_a_port, watching
from tests.support.outbound_story import API, PEOPLE, Story, operator, telling

OTHER_BRAND = "019a0000-0000-7000-8000-0000000000fb"
OTHER_CLIENT = "019a0000-0000-7000-8000-0000000000fc"
LIFE = ["call.admitted", "call.ringing", "call.answered", "call.ended"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """One running call-control; its client may have any number of calls."""
    folder = tmp_path_factory.mktemp("live")
    async with telling(settings.redis_url, folder, pg_url=settings.pg_url) as story:
        other = c.row("brand", OTHER_BRAND, {"name": "O", "sip_domain": "o.example", "partition": 3})
        await story.configure(c.client(2, max_calls=0), other)
        await story.top_up(1_000_000_000, 2)
        while story.app.state.verifier.missing():
            await asyncio.sleep(0.02)
        yield story


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(story: Story) -> AsyncIterator[str]:
    """The same on a port."""
    async with on_a_port(story.app) as url:
        yield url


def client_token() -> dict[str, str]:
    return PEOPLE.token("client", c.BRAND, c.CLIENT)


async def life(story: Story) -> str:
    """A whole call of a few seconds; its id."""
    call = await story.call()
    assert await story.report(call, "ringing") == 204
    await story.talk(call, 3)
    return str(call["call_id"])


def of(reader: Reader, call_id: str) -> list[str]:
    """What was told of a call."""
    return [event.name for event in reader.events if event.data.get("call_id") == call_id]


async def test_everybody_hears_the_calls_of_their_scope(story: Story, url: str) -> None:
    """Platform, brand and client hear the call; another brand hears nothing of it."""
    people = [operator(), PEOPLE.token("platform"), PEOPLE.token("brand", c.BRAND), client_token()]
    async with (
        watching(url, people[0]) as service,
        watching(url, people[1]) as platform,
        watching(url, people[2]) as brand,
        watching(url, people[3]) as client,
        watching(url, PEOPLE.token("brand", OTHER_BRAND)) as stranger,
        watching(url, people[1], client_id=c.CLIENT) as narrowed,
    ):
        call_id = await life(story)
        for reader in (service, platform, brand, client, narrowed):
            await reader.until(lambda r: of(r, call_id) == LIFE)
        assert platform.events[-1].data["charge"] == "0.06"
        assert (platform.events[-1].data["duration_s"], platform.events[-1].data["cause"]) == (3, "normal")
        assert "charge" not in client.events[-1].data
        assert client.events[1].data["callee"] == c.MOBILE
        assert stranger.names() == []


async def test_a_refusal_is_heard_by_its_client(story: Story, url: str) -> None:
    """A family's portal shows at once why the call did not go out."""
    async with watching(url, client_token()) as client:
        await story.call(request_user="no number")
        await client.until(lambda r: r.names() == ["call.rejected"])
        told = client.events[-1].data
        assert (told["reason"], told["sip_code"]) == ("invalid_number", 484)
        assert "source_ip" not in told


async def test_a_stream_resumes_after_the_last_event_heard(story: Story, url: str) -> None:
    """The train was in a tunnel: what happened meanwhile is told, once, in order, then life goes on."""
    token = PEOPLE.token("brand", c.BRAND)
    async with watching(url, token) as before:
        first = await life(story)
        await before.until(lambda r: of(r, first) == LIFE)
        middle = next(event.id for event in before.events if event.name == "call.ringing")
    missed = await life(story)
    async with watching(url, token, middle) as after:
        assert after.events[0].data == {"resumed": True}
        await after.until(lambda r: of(r, missed) == LIFE)
        assert of(after, first) == LIFE[2:]
        now = await life(story)
        await after.until(lambda r: of(r, now) == LIFE)
        assert after.names() == LIFE[2:] + LIFE + LIFE


async def test_a_stream_resumes_after_its_greeting(story: Story, url: str) -> None:
    """Nothing had happened yet when the connection broke: what then happened is not lost."""
    async with watching(url, client_token()) as before:
        greeted = before.last_id
    missed = await life(story)
    async with watching(url, client_token(), greeted) as after:
        await after.until(lambda r: of(r, missed) == LIFE)


async def test_who_watches_all_partitions_misses_none(story: Story, url: str) -> None:
    """A platform's position holds for 64 streams: it may hear twice, and `event_id` tells."""
    async with watching(url, operator()) as before:
        first = await life(story)
        await before.until(lambda r: of(r, first) == LIFE)
    event = CallRinging(at_ms=1)
    sealed = seal(event, producer="t", now_ms=1, brand_id=OTHER_BRAND, client_id=OTHER_CLIENT, call_id="3-x")
    await story.parts.redis.xadd(calls(3), fields(sealed))
    async with watching(url, operator(), before.last_id) as after:
        await after.until(lambda r: of(r, "3-x") == ["call.ringing"])
        again = [e.data["event_id"] for e in after.events if e.name != "hello"]
        assert len(again) == len(set(again))


@pytest.mark.parametrize("ago_ms", [REPLAY_MS + 60_000, 10**12])
async def test_too_long_an_absence_is_told_as_such(story: Story, url: str, ago_ms: int) -> None:
    """Streams are trimmed: whoever may have missed something must ask for the calls anew."""
    old = SystemClock().now_ms() - ago_ms
    async with watching(url, client_token(), str(Position(old, c.PARTITION, EntryId(old, 0)))) as reader:
        await reader.until(lambda r: r.names() == ["reset"])


async def test_quiet_streams_are_kept_alive_and_an_ended_session_ends_its_stream(
    story: Story, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies close what is silent; a revoked token must not go on listening."""
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.1)
    token = PEOPLE.token("client", c.BRAND, c.CLIENT, sid="to-be-ended")
    async with watching(url, token) as reader:
        await reader.until(lambda r: r.comments >= 2)
        revoked = seal(SessionRevoked(sid="to-be-ended"), producer="t", now_ms=1)
        await story.parts.redis.xadd(CONFIG, fields(revoked))
        await reader.until(lambda r: r.over)
        assert [(e.name, e.data) for e in reader.events[-1:]] == [
            ("unauthorized", {"reason": "session_revoked"})
        ]


async def test_who_does_not_read_is_dropped_and_nobody_else_waits(story: Story) -> None:
    """A phone in a pocket must cost neither memory nor the others' time."""
    feed, stop = LiveFeed(CallStreams(story.parts.redis), SystemClock().now_ms), asyncio.Event()
    task = asyncio.create_task(feed.run(stop))
    slow, quick = [await feed.watch(Scope(c.BRAND), [c.PARTITION], None) for _ in range(2)]
    event = CallRinging(at_ms=1)
    sealed = seal(event, producer="t", now_ms=1, brand_id=c.BRAND, client_id=c.CLIENT, call_id="17-x")
    heard, sent = 0, 0
    while not slow.over:
        pipe = story.parts.redis.pipeline()
        for _ in range(400):
            pipe.xadd(calls(c.PARTITION), fields(sealed))
        await pipe.execute()
        sent += 400
        heard += (await quick.take(1)).count(b"event: call.ringing")
    while heard < sent:
        heard += (await quick.take(5)).count(b"event: call.ringing")
    assert not quick.over
    last = await slow.take(0)
    assert b"event: dropped" in last
    assert len(last) < 1_000 < MOST_WAITING_BYTES
    feed.leave(slow)
    feed.leave(quick)
    assert feed.watchers == 0
    stop.set()
    await task
    await story.parts.redis.delete(calls(c.PARTITION))


@pytest.mark.parametrize("text", ["x", "1-2-3", "1-64-3-4", "1-2-3-4-5", "9" * 40])
async def test_a_foreign_position_is_refused(url: str, text: str) -> None:
    """422 that names the header."""
    async with watching(url, client_token(), text) as reader:
        assert reader.status == 422
        assert "Last-Event-ID" in reader.body


async def test_what_lies_outside_ones_scope_does_not_exist(url: str) -> None:
    """404 for other people's clients, 401 without a token."""
    async with watching(url, PEOPLE.token("brand", OTHER_BRAND), client_id=c.CLIENT) as reader:
        assert reader.status == 404
    async with watching(url, client_token(), brand_id=OTHER_BRAND) as reader:
        assert reader.status == 404
    async with watching(url, {}) as reader:
        assert reader.status == 401


async def test_live_calls_are_paged_filtered_counted_and_exported(story: Story) -> None:
    """Seven calls in pages of three, each once, newest first; filters narrow; CSV is the whole list."""
    live = [await _later(story) for _ in range(7)]
    assert await story.report(live[0], "answered") == 204
    assert await story.report(live[1], "ringing") == 204
    order = [call["call_id"] for call in reversed(live)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3, "client_id": c.CLIENT}
    while True:
        page = (await story.http.get(f"{API}/calls", headers=operator(), params=query)).json()
        seen += [call["call_id"] for call in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == order
    assert await _listed(story, state="answered") == [live[0]["call_id"]]
    assert await _listed(story, state="ringing") == [live[1]["call_id"]]
    assert await _listed(story, callee="+34999999999") == []
    assert await _listed(story, brand_id=OTHER_BRAND) == []
    since = (await story.http.get(f"{API}/calls", headers=operator(), params={"limit": 1})).json()["items"][0]
    assert await _listed(story, admitted_at__gte=since["admitted_at"]) == order[:1]
    assert await _listed(story, admitted_at__lt=since["admitted_at"]) == order[1:]
    for query in ({}, {"brand_id": c.BRAND}, {"client_id": c.CLIENT}):
        counted = await story.http.get(f"{API}/calls", headers=operator(), params={**query, "count": "true"})
        assert counted.json()["total"] == 7
    text = await story.http.get(f"{API}/calls", headers={**client_token(), "Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [row["call_id"] for row in rows] == order
    assert {row["held"] for row in rows} == {""}
    for call in live:
        await story.report(call, "ended")
    assert await _listed(story) == []


async def _later(story: Story) -> dict[str, Any]:
    story.clock.advance_s(1)
    return await story.call()


async def _listed(story: Story, **query: str) -> list[str]:
    answer = await story.http.get(f"{API}/calls", headers=operator(), params=query)
    assert answer.status_code == 200, answer.text
    return [call["call_id"] for call in answer.json()["items"]]


@pytest.mark.parametrize(
    "query",
    [
        {"state": "dead"}, {"nothing": "1"}, {"cursor": "x"}, {"limit": "0"}, {"sort": "caller"},
        {"admitted_at__gte": "noon"}, {"client_id": "x"}, {"count": "yes"},
        {"count": "true", "state": "ringing"},
    ],
)  # fmt: skip
async def test_a_question_that_makes_no_sense_is_named(story: Story, query: dict[str, str]) -> None:
    """422 with the parameter."""
    answer = await story.http.get(f"{API}/calls", headers=operator(), params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == next(iter(query))


async def test_a_caller_who_withholds_is_anonymous_to_the_called_client(story: Story) -> None:
    """In the list, in its filter, and to no one but the client."""
    secret = "+34600999888"
    hidden = facts(c.PARTITION, story.clock.now_ms(), brand_id=c.BRAND, client_id=c.CLIENT, caller=secret,
                   direction="inbound", withheld=True, tariff=None)  # fmt: skip
    await story.parts.store.admit(new_call(facts=hidden), story.clock.now_ms())
    mine = await story.http.get(f"{API}/calls", headers=client_token())
    assert [call["caller"] for call in mine.json()["items"]] == ["anonymous"]
    asked = await story.http.get(f"{API}/calls", headers=client_token(), params={"caller": secret})
    assert asked.json()["items"] == []
    assert await _listed(story, caller=secret) == [hidden.call_id]


async def test_a_hang_up_is_an_operators_act_and_its_reason_is_kept(story: Story) -> None:
    """Who ended a family's call, and why, is asked afterwards: the audit log knows."""
    call = await _later(story)
    assert await story.report(call, "answered") == 204
    path, why = f"{API}/calls/{call['call_id']}/hangup", {"X-Reason": "fraud case 4711"}
    assert (await story.http.post(path, headers=client_token())).status_code == 403
    assert (await story.http.post(path, headers=PEOPLE.token("brand", OTHER_BRAND))).status_code == 404
    keyed = {**PEOPLE.token("brand", c.BRAND), **why, "Idempotency-Key": "once"}
    answers = [await story.http.post(path, headers=keyed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    async with story.parts.db.asyncpg(DbScope.system()) as conn:
        rows = await conn.fetch("select * from audit_log where entity_id = $1", call["call_id"])
    [entry] = [dict(row) for row in rows]
    assert (entry["action"], entry["reason"], entry["level"]) == ("hangup", "fraud case 4711", "brand")
    assert (str(entry["brand_id"]), str(entry["client_id"])) == (c.BRAND, c.CLIENT)
    log = await story.http.get(f"{API}/audit-log", headers=PEOPLE.token("brand", c.BRAND))
    assert [row["reason"] for row in log.json()["items"] if row["entity_id"] == call["call_id"]] == [
        "fraud case 4711"
    ]
    await story.report(call, "ended")
    [ended] = [e for e in await story.events("call.ended.v1") if e.call_id == call["call_id"]]
    assert (ended.read(CallEnded).cause, ended.read(CallEnded).ended_by) == ("operator", "system")


async def test_an_edges_key_is_noted_as_used(story: Story) -> None:
    """In memory: an admission writes nothing for it (the minute's telling is tested with API keys)."""
    uses = story.app.state.verifier.uses
    await uses.tell()
    await story.call()
    assert set(uses._noted) == {c.EDGE}
