"""Barring, risk and speed told as stories over HTTP: the denial, what it says, and what `simulate` says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from landline.contracts.call_control.events import CallRejected

from tests.support import configured as c
from tests.support.outbound_story import API, Story, operator, telling
from tests.support.stores import TestStores


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """A brand ready to call, its client without a limit of calls at once."""
    async with telling(stores.redis_url, tmp_path) as told:
        await told.configure(c.client(2, max_calls=0, billing_method="postpaid"))
        yield told


async def simulated(story: Story, **changes: Any) -> dict[str, Any]:
    """What an operator is told of the same call."""
    body = {k: v for k, v in c.call(**changes).items() if k != "attempt_id"}
    answer = await story.http.post(f"{API}/simulate", json=body, headers=operator())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def place_and_end(story: Story, **changes: Any) -> dict[str, Any]:
    """A call that nobody answers, so that only its speed counts."""
    call = await story.call(**changes)
    if call["decision"] == "allow":
        await story.report(call, "ended", cause="cancelled", sip_code=487)
    return call


async def test_out_of_the_box_a_client_places_thirty_calls_a_minute(story: Story) -> None:
    """The thirty-first is told when to come again, and comes through then."""
    for _ in range(30):
        assert (await place_and_end(story))["decision"] == "allow"
        story.clock.advance_s(1)
    denied = await story.call()
    assert (denied["reason"], denied["sip_code"]) == ("too_fast", 503)
    assert denied["detail"] == "client limit 30 calls a minute, 30 in the last one"
    assert denied["retry_after_s"] == 30
    told = await simulated(story)
    assert (told["denial"]["reason"], told["denial"]["retry_after_s"]) == ("too_fast", 30)
    assert told["trace"][-1]["step"] == "barring", "4.7, though it is counted with the rest"
    story.clock.advance_s(30)
    assert (await place_and_end(story))["decision"] == "allow"
    assert (await story.call())["reason"] == "too_fast", "one left the minute, one came"


async def test_of_many_calls_in_parallel_exactly_the_limit_comes_through(story: Story) -> None:
    """Counted in the script that creates the call: two workers at once can't both take the last one."""
    await story.configure(c.brand(2, max_calls_per_minute=7))
    answers = await asyncio.gather(*(story.call() for _ in range(40)))
    assert sum(a["decision"] == "allow" for a in answers) == 7
    assert {a["reason"] for a in answers if a["decision"] == "deny"} == {"too_fast"}
    assert (await story.usage())["active_calls"] == 7, "a denied call leaves no trace in any counter"


async def test_a_device_may_be_slower_than_its_client(story: Story) -> None:
    """A hacked phone is stopped while the others of the home go on."""
    await story.configure(c.device(version=2, max_calls_per_minute=2))
    other = {"auth_user": "casa2", "from_user": "casa2"}
    for _ in range(2):
        await place_and_end(story, **other)
        await place_and_end(story)
    denied = await story.call()
    assert denied["detail"] == "device limit 2 calls a minute, 2 in the last one"
    assert (await story.call(**other))["decision"] == "allow"


async def test_calls_that_were_refused_do_not_count_as_fast(story: Story) -> None:
    """Redialling a barred number must not lock the phone."""
    await story.configure(c.brand(2, max_calls_per_minute=1))
    for _ in range(5):
        assert (await story.call(request_user="alice"))["reason"] == "invalid_number"
    assert (await story.call())["decision"] == "allow"


@pytest.mark.parametrize("behind", ["no_route", "no_rate", "blocked"])
@pytest.mark.parametrize("limit", ["too_fast", "hourly_limit_reached"])
async def test_speed_is_denied_before_what_comes_behind_it(story: Story, limit: str, behind: str) -> None:
    """4.7 wins over 4.8 to 4.10 (decision 0019): people would else mend a route and find the next denial."""
    limits = {"max_calls_per_minute": 1} if limit == "too_fast" else {"spend_per_hour": "1.20"}
    await story.configure(c.brand(2, **limits))
    await story.talk(await story.call(), 60)
    story.clock.advance_s(-10)  # the minute is not over for the speed
    broken = {
        "no_route": (c.route(version=2, destination_pattern_id="019a0000-0000-7000-8000-0000000000ff"), {}),
        "no_rate": (c.brand(3, **limits), {"request_user": "00442071234567"}),
        "blocked": (c.route(version=2, mode="block", carrier_id=None), {}),
    }
    change, asked = broken[behind]
    await story.configure(change)
    denied = await story.call(**asked)
    assert (denied["reason"], denied["rule"]) == (limit, "barring")
    told = await simulated(story, **asked)
    assert (told["denial"]["reason"], told["trace"][-1]["step"]) == (limit, "barring")
    [*_, event] = await story.events("call.rejected.v1")
    assert [line["step"] for line in event.read(CallRejected).trace][-1] == "barring"
    story.clock.advance_s(3600)
    assert (await story.call(**asked))["reason"] == behind
    before = story.parts.batch.round_trips
    await story.call(request_user="alice")
    assert story.parts.batch.round_trips - before == 1, "what is denied before 4.7 asks for no counters"


async def test_the_limit_of_speed_costs_no_round_trip(story: Story) -> None:
    """Architecture section 2: one script, also with the speed counted."""
    await story.call()
    before = story.parts.batch.round_trips
    assert (await story.call())["decision"] == "allow"
    assert story.parts.batch.round_trips - before == 1


async def test_the_hours_spend_refuses_new_calls_until_the_hour_is_over(story: Story) -> None:
    """1.20 a minute: 2.00 an hour pay one minute and not the next one's first lease."""
    await story.configure(c.brand(2, spend_per_hour="2.00"))
    await story.talk(await story.call(), 60)
    denied = await story.call()
    assert (denied["reason"], denied["sip_code"]) == ("hourly_limit_reached", 403)
    assert denied["detail"] == "limit 2.00, spent 1.20, held 0.00, first hold 1.20"
    assert (await simulated(story))["denial"]["reason"] == "hourly_limit_reached"
    cheap = await story.call(request_user="944111222")
    assert cheap["decision"] == "allow", "0.60 has room"
    assert (await story.call(request_user="944111222"))[
        "detail"
    ] == "limit 2.00, spent 1.20, held 0.60, first hold 0.60"
    await story.report(cheap, "ended", cause="cancelled")
    story.clock.advance_s(3600)
    assert (await story.call())["decision"] == "allow"


async def test_a_barred_number_says_by_what(story: Story) -> None:
    """The client's own barring, at this time of its own day."""
    night = {
        "name": "Quiet noon",
        "enabled": True,
        "prefixes": ["+346"],
        "from_time": "13:00",
        "to_time": "14:00",
    }
    await story.configure(c.row("barring", "019a0000-0000-7000-8000-000000000ba1", night, client_id=c.CLIENT))
    denied = await story.call()
    assert (denied["reason"], denied["sip_code"]) == ("barred", 403)
    assert denied["detail"] == "+34600123123 is barred by Quiet noon"
    told = await simulated(story)
    assert told["trace"][-1] == {
        "step": "barring",
        "outcome": "deny",
        "detail": f"barred: {denied['detail']}",
    }
    story.clock.advance_s(3600)
    assert (await story.call())["decision"] == "allow"


async def test_a_risky_or_dear_destination_is_refused_and_why(story: Story) -> None:
    """The platform's row acts on every brand; the brand's cap on every client."""
    row = {"prefix": "+3460", "risk": "high_risk", "country": None}
    risky = c.row("risk_class", "019a0000-0000-7000-8000-0000000000a9", row, brand_id=None)
    await story.configure(risky, c.brand(2, price_cap_per_minute="0.50"))
    denied = await story.call()
    assert (denied["reason"], denied["sip_code"]) == ("risk_barred", 403)
    assert denied["detail"] == "+3460 is high_risk, allowed: normal, special_rate"
    denied = await story.call(request_user="944111222")
    assert (denied["reason"], denied["detail"]) == ("too_expensive", "a minute costs 0.60, cap 0.50")
    assert (await simulated(story, request_user="944111222"))["denial"]["reason"] == "too_expensive"
