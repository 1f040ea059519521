"""Edges that are wrong: their clocks, their ids, their keys, their lists (issue 5, bad input and faults)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from landline.contracts.call_control.events import CallEnded
from landline.kernel.ids import new_id

from tests.support import configured as c
from tests.support.outbound_story import Story, telling
from tests.support.stores import TestStores

OTHER_EDGE = "019a0000-0000-7000-8000-000000000098"
OTHER_KEY = "llk_aaaabbbb_" + "j" * 43
AS_OTHER = {"Authorization": f"Bearer {OTHER_KEY}"}
HOUR_S = 3600.0


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """One edge at work, and a second one with a key of its own."""
    async with telling(stores.redis_url, tmp_path) as story:
        await story.configure(
            c.client(2, max_calls=0), c.edge(key=OTHER_KEY, edge_id=OTHER_EDGE, name="edge2")
        )
        yield story


async def ended(story: Story, call: dict[str, Any]) -> CallEnded:
    """How it was settled."""
    [event] = [e for e in await story.events("call.ended.v1") if e.call_id == call["call_id"]]
    return event.read(CallEnded)


@pytest.mark.parametrize("skew_s", [-HOUR_S, -30.0, 0.0, 30.0, HOUR_S])
@pytest.mark.parametrize("told_answer", [True, False])
async def test_an_edge_with_a_wrong_clock_bills_what_was_talked(
    story: Story, skew_s: float, told_answer: bool
) -> None:
    """A clock an hour off must cost neither the family nor the operator an hour."""
    call = await story.call()
    story.clock.advance_s(10)
    answered_at = story.now_s + skew_s
    if told_answer:
        assert await story.report(call, "answered", at=answered_at) == 204
    story.clock.advance_s(47)
    report = {"at": story.now_s + skew_s, "answered_at": answered_at}
    assert await story.report(call, "ended", **report) == 204
    assert (await ended(story, call)).duration_s == 47


@pytest.mark.parametrize(
    ("answered_in_s", "ended_in_s", "duration_s"),
    [
        (20.0, -5.0, 1),  # over before it was answered, and before it was asked for
        (20.0, 10.0, 1),
        (0.0, 1e8, 60),  # three years from now
        (-1e9, 60.0, 60),  # answered in the last century
        (-1e9, 1e9, 60),
    ],
)
async def test_negative_and_huge_durations_are_cut_to_what_can_be_true(
    story: Story, answered_in_s: float, ended_in_s: float, duration_s: int
) -> None:
    """A call lasts at most from its admission to now, and at least a second once answered."""
    call, begun = await story.call(), story.now_s
    story.clock.advance_s(60)
    report = {"at": begun + ended_in_s, "answered_at": begun + answered_in_s}
    assert await story.report(call, "ended", **report) == 204
    assert (await ended(story, call)).duration_s == duration_s


@pytest.mark.parametrize("at", [-1, 1e12, "yesterday", "2026-11-22T12:00:00", None, [], True])
async def test_a_moment_that_is_none_is_refused_by_name(story: Story, at: Any) -> None:
    """422, and the call goes on."""
    call = await story.call()
    answer = await story.post(f"/calls/{call['call_id']}/ended", {"at": at})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "at")
    assert await story.report(call, "ended") == 204


async def test_another_edges_call_does_not_exist(story: Story) -> None:
    """A key that leaks, or an edge that mixes up its ids, must not end other edges' calls."""
    call = await story.call()
    assert await story.report(call, "answered") == 204
    for what in ("ringing", "answered", "ended"):
        answer = await story.post(f"/calls/{call['call_id']}/{what}", {"at": story.now_s}, **AS_OTHER)
        assert answer.status_code == 404, what
    with_ticket = {"at": story.now_s, "ticket": call["ticket"]}
    assert (await story.post(f"/calls/{call['call_id']}/ended", with_ticket, **AS_OTHER)).status_code == 404
    beat = await story.post("/edges/heartbeat", heartbeat(story, call["call_id"]), **AS_OTHER)
    assert (beat.json()["unknown"], beat.json()["hang_up"]) == ([call["call_id"]], [])
    listed = {"call_id": call["call_id"], "ticket": call["ticket"]}
    resync = await story.post("/edges/resync", {"calls": [listed]}, **AS_OTHER)
    assert resync.json() == {"restored": [], "unknown": [call["call_id"]]}
    assert (await story.usage())["active_calls"] == 1
    assert await story.report(call, "ended") == 204


def heartbeat(story: Story, *call_ids: str, seq: int = 1, taken_at: float | None = None) -> dict[str, Any]:
    """A complete list in one page."""
    return {
        "instance_id": "i1", "boot_id": "b1", "seq": seq, "last": True,
        "taken_at": story.now_s if taken_at is None else taken_at,
        "calls": [{"call_id": call_id, "state": "answered"} for call_id in call_ids],
    }  # fmt: skip


async def test_two_instances_of_one_key_keep_their_calls_and_one_dies(story: Story) -> None:
    """An active and a standby edge share a key: neither's lists end the other's calls, but the dead
    one's end as lost where it was last heard of."""
    mine, others = await story.call(), await story.call()
    for call in (mine, others):
        assert await story.report(call, "answered") == 204

    async def beat(instance: str, call: dict[str, Any], seq: int) -> None:
        body = {"instance_id": f"edge1-{instance}", "boot_id": f"boot-{instance}"}
        answer = await story.post("/edges/heartbeat", heartbeat(story, call["call_id"], seq=seq) | body)
        assert (answer.json()["unknown"], answer.json()["hang_up"]) == ([], [])

    for seq in range(1, 6):
        story.clock.advance_s(15)
        await beat("active", mine, seq)
        story.clock.advance_s(15)
        await beat("standby", others, seq)
    assert (await story.usage())["active_calls"] == 2
    for seq in range(6, 16):
        story.clock.advance_s(30)
        await beat("active", mine, seq)
    told = await ended(story, others)
    assert (told.cause, told.duration_s) == ("lost", 150)
    assert (await story.usage())["active_calls"] == 1
    assert await story.report(mine, "ended") == 204
    assert (await ended(story, mine)).cause == "normal"


@pytest.mark.parametrize("skew_s", [-HOUR_S, HOUR_S])
async def test_lists_of_a_wrong_clock_keep_and_lose_calls_all_the_same(story: Story, skew_s: float) -> None:
    """What an edge forgot is lost at the second list without it; what it names goes on."""
    kept, lost = await story.call(), await story.call()
    for call in (kept, lost):
        assert await story.report(call, "answered") == 204
    listed = [(kept, lost), (kept,), (kept,), (kept,)]
    for seq, calls in enumerate(listed, 1):
        story.clock.advance_s(30)
        ids = [call["call_id"] for call in calls]
        body = heartbeat(story, *ids, seq=seq, taken_at=story.now_s + skew_s)
        assert (await story.post("/edges/heartbeat", body)).json()["unknown"] == []
    told = await ended(story, lost)
    assert (told.cause, told.ended_by) == ("lost", "system")
    assert told.duration_s <= 35
    assert (await story.usage())["active_calls"] == 1
    assert await story.report(kept, "ended") == 204
    assert (await ended(story, kept)).duration_s == 120


@pytest.mark.parametrize(
    "changes",
    [
        {"sip_call_id": "another@call"},
        {"request_user": "600123124"},
        {"auth_user": "casa2", "from_user": "casa2"},
    ],
)
async def test_an_attempt_id_used_for_another_call_is_refused(story: Story, changes: dict[str, str]) -> None:
    """The first call's answer would connect the second one to the wrong number, and bill the wrong home."""
    attempt = new_id()
    first = await story.call(attempt_id=attempt)
    again = await story.call(attempt_id=attempt)
    assert again["call_id"] == first["call_id"], "the same question has the same answer"
    other = await story.post("/calls", c.call(attempt_id=attempt, **changes))
    assert (other.status_code, other.json()["code"]) == (409, "attempt_reused")
    assert (await story.usage())["active_calls"] == 1
    assert await story.report(first, "ended") == 204


async def test_a_rule_that_explodes_in_other_engines_is_answered_in_time(story: Story) -> None:
    """(a+)+b on thirty digits takes a backtracking engine years; every call of the brand would wait."""
    for version, pattern in enumerate(("^(1+)+2$", "^(1|11)+(1+)+$", "^((1*)*)*2$"), 2):
        rule = {"transformation_set_id": c.SET, "direction": "callee_in", "priority": 0, "match": pattern,
                "replace": r"\\1"}  # fmt: skip
        await story.configure(
            c.row("transformation_rule", "019a0000-0000-7000-8000-000000000199", rule, version)
        )
        begun = time.perf_counter()
        await story.call(request_user="1" * 31 + "3")
        assert time.perf_counter() - begun < 0.5


@pytest.mark.parametrize(
    ("networks", "status"),
    [([], 200), (["127.0.0.0/8"], 200), (["192.0.2.0/24", "2001:db8::/32"], 401), (["::1/128"], 401)],
)
async def test_an_edges_key_works_only_from_where_it_belongs(
    story: Story, networks: list[str], status: int
) -> None:
    """A key copied from an edge's disk must not open calls from the thief's machine."""
    version = 10 + len(networks) + len("".join(networks))
    await story.configure(c.edge(version, networks=networks))
    answer = await story.post("/calls", c.call())
    assert answer.status_code == status, answer.text
    if status == 401:
        assert "from this address" in answer.json()["detail"]
        assert (await story.usage())["active_calls"] == 0
        assert (await story.post("/calls", c.call(), **AS_OTHER)).status_code == 200, "others work on"
