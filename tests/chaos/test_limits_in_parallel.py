"""Promise 1 over HTTP: no parallel admission ever exceeds a limit, not by one call, not by one micro-unit."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import HEAVY
from tests.support.books import assert_books_hold
from tests.support.load_check import micros
from tests.support.story_edge import BASE, Edge
from tests.support.world import MOBILE, Brand, Home, until

pytestmark = pytest.mark.chaos
ROUNDS = 50 if HEAVY else 2
Row = dict[str, Any]


async def all_at_once(edge: Edge, home: Home, count: int) -> list[Row]:
    """So many admissions of one device in flight at the same moment; their answers."""
    limits = httpx.Limits(max_connections=count)
    headers, base_url = dict(edge.http.headers), edge.http.base_url
    async with httpx.AsyncClient(base_url=base_url, headers=headers, limits=limits, timeout=60) as http:
        bodies = [edge.request(home, MOBILE) for _ in range(count)]
        answers = await asyncio.gather(*(http.post(f"{BASE}/calls", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    return [dict(answer.json()) for answer in answers]


def allowed(answers: list[Row]) -> list[str]:
    """Ids of the calls that may go on."""
    return [answer["call_id"] for answer in answers if answer["decision"] == "allow"]


async def all_ended(edge: Edge, call_ids: list[str], **body: Any) -> None:
    """Report the end of all of them at once."""
    headers, base_url = dict(edge.http.headers), edge.http.base_url
    report = {"at": edge.now(), "cause": "cancelled", "sip_code": 487, **body}
    async with httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60) as http:
        done = await asyncio.gather(*(http.post(f"{BASE}/calls/{c}/ended", json=report) for c in call_ids))
    assert {answer.status_code for answer in done} == {204}


@pytest.mark.parametrize("whose", ["client", "brand"])
async def test_two_hundred_admissions_at_once_get_exactly_ten_slots(
    brand: Brand, edge: Edge, whose: str
) -> None:
    """One too many is a line that a family has not paid for; one too few is a call that did not happen."""
    if whose == "brand":
        owner = brand.platform.brand("Ten", max_calls=10)
        home = owner.home()
    else:
        home = brand.home(max_calls=10)
    for _ in range(ROUNDS):
        answers = await all_at_once(edge, home, 200)
        reasons = Counter(answer.get("reason", "allow") for answer in answers)
        assert reasons == {"allow": 10, "max_calls_reached": 190}
        assert home.usage()["active_calls"] == 10
        await all_ended(edge, allowed(answers))
        assert home.usage()["active_calls"] == 0


async def test_a_daily_limit_holds_under_parallel_admissions(brand: Brand, edge: Edge) -> None:
    """0.50 a day and 0.02 for each first lease: exactly 25 calls."""
    home = brand.home(max_daily_usage="0.50")
    answers = await all_at_once(edge, home, 100)
    reasons = Counter(answer.get("reason", "allow") for answer in answers)
    assert reasons == {"allow": 25, "daily_limit_reached": 75}
    assert home.usage()["day_held"] == "0.50"
    await all_ended(edge, allowed(answers))
    assert home.usage()["day_held"] == "0.00"


async def test_fifty_parallel_calls_never_take_a_prepaid_balance_below_zero(brand: Brand, edge: Edge) -> None:
    """1.00 pays 100 seconds of 50 calls together; whoever talks longer talks at our expense."""
    home = brand.home(billing_method="prepaid", balance="1.00")
    calls = allowed(await all_at_once(edge, home, 60))
    assert len(calls) == 50
    answered_at = edge.now()
    for call_id in calls:
        edge.post(f"/calls/{call_id}/answered", {"at": answered_at})
    cut: set[str] = set()

    def all_cut() -> bool:
        cut.update(edge.heartbeat(*calls)["hang_up"])
        usage = home.usage()
        assert micros(usage["available"]) >= 0
        return len(cut) == len(calls)

    await asyncio.to_thread(until, all_cut, "every call is told to hang up")
    await all_ended(edge, calls, at=answered_at + 2.9, answered_at=answered_at, cause="normal")
    records = [await asyncio.to_thread(home.record, call_id) for call_id in calls]
    assert sum(micros(record["price"]) for record in records) == 1_000_000
    usage = await asyncio.to_thread(home.settled)
    assert (usage["available"], usage["held"], home.balance()) == ("0.00", "0.00", "0.00")
    assert all(micros(p["balance_after"]) >= 0 for p in home.postings())
    assert len(home.postings(kind="charge")) == 50
    await asyncio.to_thread(assert_books_hold, brand.platform.stack)
