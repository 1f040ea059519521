"""`GET rejections`: what was refused, why, and what to do about it; bounded, whoever scans (promise 3)."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from call_control.adapters.rejection_rows import PostgresRejectionRows, keep_days
from call_control.consumers.rejections import RejectionsHandler
from call_control.domain.rejection import subject_of
from landline.chassis.postgres import Scope
from landline.chassis.settings import Settings
from landline.chassis.stream_consumer import StreamConsumer
from landline.chassis.streams import Entry
from landline.contracts.streams import ALL_CALLS
from landline.kernel.ids import new_id

from tests.support import configured as c
from tests.support.outbound_story import API, NOON_MS, PEOPLE, Story, operator, telling

DAY_MS = 86_400_000
OTHER = "019a0000-0000-7000-8000-0000000000ff"
Row = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """One running call-control with tables; its client may have one call at a time."""
    folder = tmp_path_factory.mktemp("rejections")
    async with telling(settings.redis_url, folder, pg_url=settings.pg_url) as story:
        await story.configure(c.client(2, max_calls=1), c.provider(), c.provider_address("198.51.100.64/26"))
        while story.app.state.verifier.missing():
            await asyncio.sleep(0.02)
        yield story


@pytest_asyncio.fixture(loop_scope="session")
async def story(told: Story) -> AsyncIterator[Story]:
    """The same with no rejection kept, none on the streams, none counted."""
    await told.parts.redis.delete(*ALL_CALLS)
    async for name in told.parts.redis.scan_iter(match="*:rejected:*"):
        await told.parts.redis.delete(name)
    yield told


async def entries(story: Story) -> list[Entry]:
    """All that stands on the brand's stream and on that of callers without a brand."""
    found: list[Entry] = []
    for stream in (ALL_CALLS[0], ALL_CALLS[c.PARTITION]):
        rows: Any = await story.parts.redis.xrange(stream)
        found += [Entry(stream, i.decode(), fields) for i, fields in rows]
    return found


async def kept(story: Story, **limits: int) -> None:
    """What the consumer does with the streams, twice: deliveries repeat."""
    handler = RejectionsHandler(PostgresRejectionRows(story.parts.db), **limits)
    for _ in range(2):
        await handler(await entries(story))


async def listed(story: Story, headers: Any = None, **query: Any) -> list[Row]:
    """`GET rejections`, one page."""
    answer = await story.http.get(f"{API}/rejections", headers=headers or operator(), params=query)
    assert answer.status_code == 200, answer.text
    found: list[Row] = answer.json()["items"]
    return found


def client_token() -> dict[str, str]:
    """The client's own administrator."""
    return PEOPLE.token("client", c.BRAND, c.CLIENT)


async def test_a_refusal_says_rule_limit_value_and_remedy(story: Story) -> None:
    """ "It did not work" is no answer: which limit, how much of it is used, and what to do."""
    attempt = new_id()
    live = await story.call()
    refused = await story.call(attempt_id=attempt)
    await kept(story)
    [row] = await listed(story, attempt_id=attempt)
    assert (row["reason"], row["sip_code"]) == (refused["reason"], refused["sip_code"])
    assert (row["rule"], row["limit"], row["value"]) == ("counters", "1", "1")
    assert row["detail"] == "client limit 1, active 1"
    assert "Raise max_calls" in row["remedy"]
    assert (row["client_id"], row["brand_id"], row["device_id"]) == (c.CLIENT, c.BRAND, c.DEVICE)
    assert (row["caller"], row["callee"], row["source_ip"]) == (c.NUMBER, c.MOBILE, "203.0.113.7")
    assert row["trace"][0]["step"] == "identity"
    assert row["trace"][-1]["outcome"] == "deny"
    [own] = await listed(story, client_token(), attempt_id=attempt)
    differing = {"withheld_caller", "trace"}
    assert own.items() >= {name: value for name, value in row.items() if name not in differing}.items()
    assert "withheld_caller" not in own
    assert [line["step"] for line in own["trace"]] == [line["step"] for line in row["trace"]]
    assert {line["detail"] for line in own["trace"][:-1]} == {""}, "carriers and plans are the operator's"
    assert own["trace"][-1] == row["trace"][-1]
    one = await story.http.get(f"{API}/rejections/{row['id']}", headers=client_token())
    assert one.json()["attempt_id"] == attempt
    assert await story.report(live, "ended") == 204


async def test_money_says_how_much_is_missing(story: Story) -> None:
    """The limit is what there was, the value what the first minute costs."""
    await story.configure(c.client(3, max_calls=0, max_daily_usage="1.00"))
    first = await story.call()
    attempt = new_id()
    assert (await story.call(attempt_id=attempt))["reason"] == "daily_limit_reached" or first
    await kept(story)
    found = await listed(story, reason="daily_limit_reached")
    assert [(row["limit"], row["value"]) for row in found if row["attempt_id"] == attempt] == [
        ("1.00", "0.00")
    ]
    await story.configure(c.client(4, max_calls=1))


@pytest.mark.parametrize("shown", [False, True])
async def test_a_client_without_billing_details_is_told_no_figures_of_money(
    story: Story, shown: bool
) -> None:
    """It was the daily limit: yes. How much has been spent: only if the operator shows prices; nor in CSV."""
    version = 100 + 10 * shown
    await story.configure(c.client(version, max_calls=0, max_daily_usage="0.07", show_billing_details=shown))
    attempt = new_id()
    assert (await story.call(attempt_id=attempt))["reason"] == "daily_limit_reached"
    await kept(story)
    asked = {"attempt_id": attempt}
    [row], [own] = await listed(story, **asked), await listed(story, client_token(), **asked)
    assert (row["limit"], "0.07" in row["detail"]) == ("0.07", True)
    assert (own["limit"] == "0.07", "0.07" in own["detail"]) == (shown, shown)
    assert (own["reason"], own["remedy"]) == (row["reason"], row["remedy"])
    assert own["detail"]
    one = await story.http.get(f"{API}/rejections/{row['id']}", headers=client_token())
    sheet = {**client_token(), "Accept": "text/csv"}
    lines = await story.http.get(f"{API}/rejections", headers=sheet, params=asked)
    assert [attempt in text and ("0.07" in text) == shown for text in (one.text, lines.text)] == [True, True]
    await story.configure(c.client(version + 1, max_calls=1))


@pytest.mark.parametrize("shown", [False, True])
async def test_a_client_without_billing_details_sees_no_money_in_its_usage(story: Story, shown: bool) -> None:
    """How many calls: yes; what they cost and what is left: not. Its operator sees everything."""
    await story.configure(c.client(120 + shown, max_calls=1, show_billing_details=shown))
    path = f"{API}/clients/{c.CLIENT}/usage"
    own = (await story.http.get(path, headers=client_token())).json()
    operators = (await story.http.get(path, headers=PEOPLE.token("brand", c.BRAND))).json()
    money = ("day_spend", "day_held", "available", "held", "settled", "unposted")
    assert all(operators[name] is not None for name in money)
    assert [own[name] for name in money] == [operators[name] if shown else None for name in money]
    assert (own["active_calls"], own["rejected"]) == (operators["active_calls"], operators["rejected"])


async def test_the_list_is_filtered_by_client_reason_and_time(story: Story) -> None:
    """The question of a support desk: what was refused to this family this morning, and why."""
    for user in ("abc", "600", "abd"):
        await story.call(request_user=user)
    story.clock.advance_s(3600)
    await story.call(auth_user="nobody", from_user="nobody")
    await kept(story)
    mine = {"client_id": c.CLIENT, "created_at__gte": "2026-11-22T12:00:00Z"}
    assert {row["reason"] for row in await listed(story, **mine, reason="invalid_number")} == {
        "invalid_number"
    }
    assert await listed(story, **mine, created_at__lt="2026-11-22T12:00:00Z") == []
    [stranger] = await listed(story, reason="unknown_device", created_at__gte="2026-11-22T13:00:00Z")
    assert (stranger["client_id"], stranger["brand_id"]) == (None, c.BRAND)
    assert await listed(story, client_token(), reason="unknown_device") == []
    assert await listed(story, PEOPLE.token("brand", c.BRAND), reason="unknown_device") == [stranger]
    assert await listed(story, PEOPLE.token("brand", OTHER)) == []


async def test_pages_and_csv_hold_every_row_once(story: Story) -> None:
    """A cursor walks the list; CSV is the whole of it."""
    attempts = {new_id() for _ in range(7)}
    for attempt in attempts:
        story.clock.advance_s(1)
        await story.call(attempt_id=attempt, request_user="page", source_ip="203.0.113.70")
    await kept(story)
    seen: list[str] = []
    query: Row = {"source_ip": "203.0.113.70", "limit": 3}
    while True:
        answer = (await story.http.get(f"{API}/rejections", headers=operator(), params=query)).json()
        seen += [row["attempt_id"] for row in answer["items"]]
        if answer["next_cursor"] is None:
            break
        query["cursor"] = answer["next_cursor"]
    assert (len(seen), set(seen)) == (7, attempts)
    headers = {**client_token(), "Accept": "text/csv"}
    text = await story.http.get(f"{API}/rejections", headers=headers, params={"source_ip": "203.0.113.70"})
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [row["attempt_id"] for row in rows] == seen
    assert "withheld_caller" not in rows[0]


async def test_a_withheld_caller_is_anonymous_to_the_called_client(story: Story) -> None:
    """Operators know who it was, for lawful requests; neither list, filter nor trace tells the family."""
    secret = "+34600999888"
    await story.configure(c.ddi(version=7, target="none"))
    answer = await story.call(
        direction="inbound", source_ip="198.51.100.77", auth_user=..., auth_realm=..., from_user="anonymous",
        asserted_identity=secret, privacy="id", request_user=c.NUMBER,
    )  # fmt: skip
    assert answer["decision"] == "deny", answer
    await kept(story)
    [row] = await listed(story, reason=answer["reason"])
    assert (row["direction"], row["caller"], row["withheld_caller"]) == ("inbound", "anonymous", secret)
    text = await story.http.get(
        f"{API}/rejections", headers=client_token(), params={"reason": answer["reason"]}
    )
    assert len(text.json()["items"]) == 1
    assert secret not in text.text
    tried = await story.http.get(
        f"{API}/rejections", headers=client_token(), params={"withheld_caller": secret}
    )
    assert tried.status_code == 422


async def test_a_scanner_leaves_a_thousand_rows_a_day_and_is_counted_beyond(story: Story) -> None:
    """1,100 refused calls of one source: the stream and the table stop at 1,000."""
    await asyncio.gather(
        *(story.call(auth_user="x", from_user="x", source_ip="192.0.2.66") for _ in range(1_100))
    )
    found = await entries(story)
    assert len(found) == 1_000
    await kept(story)
    answer = await story.http.get(
        f"{API}/rejections",
        headers=operator(),
        params={"source_ip": "192.0.2.66", "count": "true", "limit": 1},
    )
    assert answer.json()["total"] == 1_000
    [counter] = [name async for name in story.parts.redis.scan_iter(match="*:rejected:192.0.2.66:*")]
    assert await story.parts.redis.get(counter) == b"1100"
    assert await story.parts.redis.pttl(counter) > 0


async def test_refusals_of_a_client_are_counted_in_its_usage(story: Story) -> None:
    """Above a thousand nothing more is written, but the number still tells of the flood."""
    for _ in range(3):
        await story.call(request_user="no number")
    assert (await story.usage())["rejected"] == 3


async def test_a_scan_from_ever_new_sources_is_bounded_too(story: Story) -> None:
    """Every source its own thousand would be no bound: calls of nobody share one for the day."""
    for number in range(12):
        source = f"192.0.2.{100 + number}"
        await story.call(auth_user="x", from_user="x", source_ip=source, request_domain="nobody.example",
                         auth_realm="nobody.example", from_domain="nobody.example")  # fmt: skip
    await kept(story)
    before = len(await listed(story, reason="unknown_domain", limit=500))
    assert before == 12
    await story.parts.redis.delete(*ALL_CALLS)
    story.clock.advance_s(DAY_MS / 1000)
    for number in range(12):
        await story.call(auth_user="x", from_user="x", source_ip=f"192.0.2.{130 + number}",
                         request_domain="nobody.example", auth_realm="nobody.example",
                         from_domain="nobody.example")  # fmt: skip
    handler = RejectionsHandler(PostgresRejectionRows(story.parts.db), strangers_per_day=5)
    await handler(await entries(story))
    assert len(await listed(story, reason="unknown_domain", limit=500)) == 12 + 5
    again = RejectionsHandler(PostgresRejectionRows(story.parts.db), strangers_per_day=5)
    await again((await entries(story))[6:])
    assert len(await listed(story, reason="unknown_domain", limit=500)) == 12 + 5, "a restart remembers"


@pytest.mark.parametrize(
    ("client_id", "source", "subject"),
    [
        ("c1", "192.0.2.1", "c1"),
        (None, "192.0.2.1", "192.0.2.1"),
        (None, "2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        (None, "2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        (None, "::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_whose_rejections_are_counted_together(client_id: str | None, source: str, subject: str) -> None:
    """A home network owns 2^64 addresses: it is one source."""
    assert subject_of(client_id, source) == subject


async def test_the_consumer_keeps_what_the_streams_bring(story: Story) -> None:
    """The real consumer, its group on all partitions."""
    attempt, stop = new_id(), asyncio.Event()
    await story.call(attempt_id=attempt, request_user="consumer")
    handler = RejectionsHandler(PostgresRejectionRows(story.parts.db))
    consumer = StreamConsumer(story.parts.redis, "call-control", ALL_CALLS, handler)
    task = asyncio.create_task(consumer.run(stop))
    try:
        async with asyncio.timeout(10):
            while not await listed(story, attempt_id=attempt):
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        await task


async def test_rows_are_kept_for_thirty_days(settings: Settings, story: Story) -> None:
    """Days are made ahead and dropped whole; a day that nobody made moves when it is made."""
    await story.call(request_user="days")
    await kept(story)
    day = {"created_at__gte": "2026-11-22T00:00:00Z", "created_at__lt": "2026-11-23T00:00:00Z", "limit": 500}
    before, db = await listed(story, **day), story.parts.db
    assert before
    await keep_days(db, NOON_MS)
    async with db.asyncpg(Scope.system()) as conn:
        assert await conn.fetchval("select count(*) from rejections_2026_11_22") >= len(before)
    await keep_days(db, NOON_MS + 30 * DAY_MS)
    assert await listed(story, **day) == before
    _, dropped = await keep_days(db, NOON_MS + 31 * DAY_MS)
    assert dropped >= 1
    assert await listed(story, **day) == []
    assert await keep_days(db, NOON_MS + 31 * DAY_MS) == (0, 0)


@pytest.mark.parametrize(
    "query",
    [
        {"reason__foo": "x"},
        {"created_at__gte": "yesterday"},
        {"limit": "0"},
        {"nothing": "1"},
        {"client_id": "x"},
    ],
)
async def test_a_filter_that_makes_no_sense_is_named(story: Story, query: dict[str, str]) -> None:
    """422, and never a 500."""
    answer = await story.http.get(f"{API}/rejections", headers=operator(), params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == next(iter(query))
