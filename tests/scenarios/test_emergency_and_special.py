"""Emergency and special numbers over HTTP (domain.md section 4.12): nothing refuses, cuts or bills them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from call_control.adapters.placement import Change
from landline.contracts.call_control.events import CallEnded

from tests.support import configured as c
from tests.support.outbound_story import API, Story, operator, telling
from tests.support.stores import TestStores

NUMBERS = (
    c.row("emergency_number", "019a0000-0000-7000-8000-000000000e01", {"number": "112", "country": "ES"}),
    c.row("special_number", "019a0000-0000-7000-8000-000000000e03", {"number": "+34900100200"}),
)


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """A brand ready to call, with the two kinds of numbers."""
    async with telling(stores.redis_url, tmp_path) as told:
        await told.configure(*NUMBERS)
        yield told


async def test_no_counter_refuses_an_emergency_call(story: Story) -> None:
    """Every limit is met, the balance is gone, the client is switched off: 112 goes out, again and again."""
    await story.call()
    await story.top_up(-5_000_000, sequence=2)
    limits = {"max_calls": 1, "max_daily_usage": "0.01", "enabled": False, "ip_filter": True}
    await story.configure(c.client(2, **limits), c.brand(2, max_calls=1, max_calls_per_minute=1))
    assert (await story.call())["reason"] == "disabled"
    for _ in range(3):
        call = await story.call(request_user="112", privacy="id")
        assert (call["decision"], call["call_class"]) == ("allow", "emergency")
        assert (call["withhold"], call["caller"]) == (False, c.NUMBER), "somebody must be able to call back"
        assert call["max_duration_s"] == 10_800


async def test_an_emergency_call_leaves_an_unpriced_record_and_is_never_cut(story: Story) -> None:
    """Half an hour on an empty balance: not hung up by people, not cut by money, nothing charged."""
    await story.top_up(0, sequence=2)
    call = await story.call(request_user="112")
    assert await story.report(call, "answered", server_id=c.SERVER) == 204
    hang_up = await story.http.post(f"{API}/calls/{call['call_id']}/hangup", headers=operator())
    assert (hang_up.status_code, hang_up.json()["code"]) == (409, "emergency_call")
    story.clock.advance_s(1800)
    assert await story.report(call, "ended", ticket=call["ticket"]) == 204
    [event] = await story.events("call.ended.v1")
    told = event.read(CallEnded)
    assert (told.duration_s, told.charge_micros, told.call.tariff) == (1800, 0, None)
    assert (told.call.class_, told.cause) == ("emergency", "normal")
    assert (await story.usage())["unposted"] == "0.00"


async def test_a_special_number_is_free_but_takes_a_slot(story: Story) -> None:
    """No rate, no money; the limits of calls stay (4.12)."""
    await story.top_up(0, sequence=2)
    gone = Change("profile", c.PROFILE, 9, c.BRAND, c.CLIENT, None, "9-0")
    await story.configure(gone, c.client(2, max_calls=1))
    call = await story.call(request_user="900100200")
    assert (call["decision"], call["call_class"]) == ("allow", "special")
    assert (await story.call(request_user="900100200"))["reason"] == "max_calls_reached"
    await story.talk(call, 60)
    [event] = await story.events("call.ended.v1")
    told = event.read(CallEnded)
    assert (told.charge_micros, told.call.tariff, told.call.class_) == (0, None, "special")


async def test_billing_none_is_not_asked_for_money(story: Story) -> None:
    """No profile, no balance, no daily limit: only calls are counted, and the record has no price."""
    gone = Change("profile", c.PROFILE, 9, c.BRAND, c.CLIENT, None, "9-0")
    await story.configure(gone, c.client(2, billing_method="none", max_calls=1))
    call = await story.call()
    assert (call["decision"], call["billing_method"], call["max_duration_s"]) == ("allow", "none", 10_800)
    assert (await story.call())["reason"] == "max_calls_reached"
    await story.talk(call, 60)
    [event] = await story.events("call.ended.v1")
    assert event.read(CallEnded).charge_micros == 0


async def test_the_lower_cap_of_brand_and_client_bounds_a_call(story: Story) -> None:
    """3 h on any call, lower by brand or client (4.13); the edge is told."""
    await story.configure(c.client(2, billing_method="postpaid"))
    assert (await story.call())["max_duration_s"] == 10_800
    await story.configure(c.brand(2, max_call_s=900))
    assert (await story.call())["max_duration_s"] == 900
    await story.configure(c.client(3, billing_method="postpaid", max_call_s=300, max_calls=0))
    assert (await story.call())["max_duration_s"] == 300
    assert (await story.call(request_user="112"))["max_duration_s"] == 10_800
