"""Outbound calls told as stories: from question to settled call, and every refusal by counters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from call_control.adapters.placement import Change
from call_control.app.keep_leases import keep_once
from landline.contracts.call_control.events import CallEnded, CallRejected, DailyUsageCrossed

from tests.support import configured as c
from tests.support.outbound_story import Story, telling
from tests.support.stores import TestStores


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """A brand ready to call."""
    async with telling(stores.redis_url, tmp_path) as told:
        yield told


async def test_a_call_from_question_to_charge(story: Story) -> None:
    """Admit, ring, answer, end: 90 s at 1.20 a minute cost 1.80, nothing stays held, one event."""
    call = await story.call()
    assert (call["decision"], call["caller"], call["callee"]) == ("allow", c.NUMBER, c.MOBILE)
    assert call["max_duration_s"] == 500  # 10.00 at 0.02 a second
    assert [route["server_id"] for route in call["routes"]] == [c.SERVER, c.SERVER_2]
    assert (await story.usage())["held"] == "1.20"
    assert await story.report(call, "ringing") == 204
    story.clock.advance_s(5)
    assert await story.report(call, "answered", server_id=c.SERVER) == 204
    story.clock.advance_s(90)
    attempts = [{"server_id": c.SERVER, "sip_code": 200, "ms": 812}]
    ended = {"server_id": c.SERVER, "attempts": attempts, "ticket": call["ticket"], "ended_by": "caller"}
    assert await story.report(call, "ended", **ended) == 204
    usage = await story.usage()
    assert (usage["active_calls"], usage["held"], usage["unposted"], usage["available"]) == (
        0,
        "0.00",
        "1.80",
        "8.20",
    )
    [event] = await story.events("call.ended.v1")
    told = event.read(CallEnded)
    assert (told.duration_s, told.charge_micros, told.ended_by) == (90, 1_800_000, "caller")
    assert (told.carrier_id, told.server_id) == (c.CARRIER, c.SERVER)


@pytest.mark.parametrize("how", ["named by the answer", "by another worker", "of another brand", "lost"])
async def test_the_carrier_of_a_call_is_recorded_however_it_ends(story: Story, how: str) -> None:
    """Whoever settles it: without its carrier a call can't be compared with what the carrier bills."""
    call = await story.call()
    assert await story.report(call, "answered", server_id=c.SERVER_2) == 204
    story.parts.facts._on_gap()  # as a worker that has never heard of the brand
    if how == "lost":
        story.clock.advance_s(4_000)
        await keep_once(story.parts.store, story.clock.now_ms(), story.parts.silent_ms)
    else:
        named = {"by another worker": c.SERVER_2, "of another brand": c.DEVICE}.get(how)
        assert await story.report(call, "ended", server_id=named) == 204
    [event] = await story.events("call.ended.v1")
    told = event.read(CallEnded)
    expected = (None, c.DEVICE) if how == "of another brand" else (c.CARRIER, c.SERVER_2)
    assert (told.carrier_id, told.server_id) == expected


async def test_a_repeated_question_has_the_same_answer_until_the_call_is_over(story: Story) -> None:
    """The edge lost the answer and asks again: a second call and a second hold would be a phantom."""
    attempt = c.call()
    first = await story.post("/calls", attempt)
    again = await story.post("/calls", attempt)
    assert first.json() == again.json()
    assert (await story.usage())["active_calls"] == 1
    call = first.json()
    assert await story.report(call, "ended", sip_code=487, cause="cancelled") == 204
    over = await story.post("/calls", attempt)
    assert (over.status_code, over.json()["code"]) == (409, "call_over")


async def test_reports_may_come_twice_late_or_for_nobody(story: Story) -> None:
    """Repeated 204, unknown 404: the edge stops repeating only on these."""
    call = await story.call()
    for _ in range(2):
        assert await story.report(call, "answered") == 204
    story.clock.advance_s(10)
    for _ in range(2):
        assert await story.report(call, "ended") == 204
    assert await story.report(call, "ringing") == 204
    stranger = {"call_id": "17-019a0000-0000-7000-8000-00000000dead"}
    assert await story.report(stranger, "ended") == 404
    assert await story.report({"call_id": "no-call-id"}, "ended") == 404
    assert len(await story.events("call.ended.v1")) == 1


async def test_the_third_call_of_a_client_with_two_is_refused(story: Story) -> None:
    """max_calls: the denial says limit and use; a slot given back is free at once."""
    first, second = await story.call(), await story.call()
    third = await story.call()
    assert (third["decision"], third["reason"], third["sip_code"]) == ("deny", "max_calls_reached", 403)
    assert third["detail"] == "client limit 2, active 2"
    await story.report(second, "ended", cause="cancelled")
    assert (await story.call())["decision"] == "allow"
    await story.report(first, "ended")


async def test_the_brands_calls_count_before_the_clients(story: Story) -> None:
    """Section 4.11: brand, then client."""
    await story.configure(c.brand(2, max_calls=1))
    await story.call()
    assert (await story.call())["detail"] == "brand limit 1, active 1"


async def test_a_denial_is_repeated_for_its_attempt_and_kept_with_its_trace(story: Story) -> None:
    """The same attempt is told the same for 30 s, though the reason has gone; the event says every step."""
    await story.configure(c.client(2, enabled=False))
    attempt = c.call()
    first = (await story.post("/calls", attempt)).json()
    await story.configure(c.client(3))
    assert (await story.post("/calls", attempt)).json() == first
    assert first["reason"] == "disabled"
    assert first["sentence"].startswith("The client or its device is switched off.")
    [event] = await story.events("call.rejected.v1")
    told = event.read(CallRejected)
    assert event.client_id == c.CLIENT
    assert (told.reason, told.device_id, told.callee) == ("disabled", c.DEVICE, "600123123")
    assert [line["step"] for line in told.trace] == ["identity", "dialled", "enabled"]
    assert (await story.call())["decision"] == "allow"


async def test_without_money_there_is_no_call(story: Story) -> None:
    """402 and what is missing; a top-up is enough to call again."""
    await story.configure(c.client(2, max_calls=0))
    await story.top_up(1_000_000, sequence=2)
    denied = await story.call()
    assert (denied["reason"], denied["sip_code"]) == ("no_credit", 402)
    assert denied["detail"] == "available 1.00, first hold 1.20"
    await story.top_up(3_000_000, sequence=3)
    assert (await story.call())["max_duration_s"] == 150


async def test_a_pseudo_prepaid_call_is_refused_for_its_first_increment_not_for_three_hours(
    story: Story,
) -> None:
    """216.00 would be the price of the cap: nobody needs as much on the balance to call."""
    await story.configure(c.client(2, billing_method="pseudoprepaid"))
    await story.top_up(10_000, sequence=2)
    denied = await story.call()
    assert (denied["reason"], denied["detail"]) == ("no_credit", "available 0.01, first hold 0.02")
    await story.top_up(10_000_000, sequence=3)
    await story.configure(c.client(3, billing_method="pseudoprepaid", max_daily_usage="0.01"))
    denied = await story.call()
    assert (denied["reason"], denied["limit"], denied["value"]) == ("daily_limit_reached", "0.01", "0.00")
    assert denied["detail"] == "limit 0.01, spent 0.00, held 0.00, first hold 0.02"


async def test_a_pseudo_prepaid_call_gets_what_the_balance_pays(story: Story) -> None:
    """It holds once: here all there is, 500 s; a second call finds nothing left."""
    await story.configure(c.client(2, billing_method="pseudoprepaid"))
    call = await story.call()
    assert call["max_duration_s"] == 500
    assert (await story.usage())["held"] == "10.00"
    assert (await story.call())["reason"] == "no_credit"
    await story.talk(call, 60)
    assert (await story.usage())["available"] == "8.80"


@pytest.mark.parametrize(("limit", "cause"), [("2.00", "daily_limit"), (None, "credit"), ("10.00", "credit")])
async def test_a_pseudo_prepaid_call_that_is_cut_says_what_ran_out(
    story: Story, limit: str | None, cause: str
) -> None:
    """Who still has money must read that the day is full, not that the balance is empty."""
    await story.configure(c.client(2, billing_method="pseudoprepaid", max_daily_usage=limit))
    call = await story.call()
    await story.talk(call, call["max_duration_s"] + 20)
    [told] = [event.read(CallEnded) for event in await story.events("call.ended.v1")]
    assert (told.duration_s, told.cause, told.unbilled_s) == (call["max_duration_s"], cause, 20)
    crossed = [e.read(DailyUsageCrossed).threshold for e in await story.events("daily_usage.crossed.v1")]
    assert crossed.count(100) == (1 if limit else 0)


async def test_at_the_daily_limit_calls_are_refused_and_the_mail_is_told_once(story: Story) -> None:
    """100 % counts as reached by the denial (section 6): one event however often people try."""
    await story.configure(c.client(2, max_daily_usage="2.00"))
    await story.talk(await story.call(), 60)
    for _ in range(3):
        denied = await story.call()
        assert (denied["reason"], denied["sip_code"]) == ("daily_limit_reached", 403)
    assert denied["detail"] == "limit 2.00, spent 1.20, held 0.00, first hold 1.20"
    crossed = [
        event.read(DailyUsageCrossed).threshold for event in await story.events("daily_usage.crossed.v1")
    ]
    assert crossed == [100]
    assert (await story.usage())["max_daily_usage"] == "2.00"


async def test_the_clients_own_lower_cap_wins(story: Story) -> None:
    """client_spend_cap tightens max_daily_usage."""
    await story.configure(c.client(2, max_daily_usage="50.00", client_spend_cap="1.00"))
    assert (await story.call())["detail"] == "limit 1.00, spent 0.00, held 0.00, first hold 1.20"


async def test_a_postpaid_client_is_bound_by_its_credit_only(story: Story) -> None:
    """credit_limit null: no limit; else the balance may fall to minus that."""
    await story.configure(c.client(2, billing_method="postpaid", max_calls=0))
    assert (await story.call())["max_duration_s"] == 10_800
    await story.top_up(0, sequence=2)
    await story.configure(c.client(3, billing_method="postpaid", credit_limit="2.00", max_calls=0))
    denied = await story.call()
    assert denied["decision"] == "deny", "1.20 of 2.00 is held by the first call"
    assert denied["reason"] == "no_credit"


async def test_of_many_calls_at_once_exactly_the_limit_is_admitted(story: Story) -> None:
    """Promise 1 through HTTP: 60 parallel questions against max_calls 10."""
    await story.configure(
        c.client(2, max_calls=10, billing_method="postpaid"), c.brand(2, max_calls_per_minute=0)
    )
    for _ in range(3):
        answers = await asyncio.gather(*(story.call() for _ in range(60)))
        admitted = [answer for answer in answers if answer["decision"] == "allow"]
        assert len(admitted) == 10
        assert {a["reason"] for a in answers if a["decision"] == "deny"} == {"max_calls_reached"}
        await asyncio.gather(*(story.report(call, "ended", cause="cancelled") for call in admitted))
        assert (await story.usage())["active_calls"] == 0


async def test_an_admission_costs_one_round_trip(story: Story) -> None:
    """The promise of architecture section 2: with facts in memory, one script, allowed or refused."""
    await story.configure(c.client(2, max_calls=0))
    await story.call()
    await story.call(auth_user="ghost", from_user="ghost")
    for changes, decision in (({}, "allow"), ({"request_user": "alice"}, "deny")):
        before = story.parts.batch.round_trips
        assert (await story.call(**changes))["decision"] == decision
        assert story.parts.batch.round_trips - before == 1


async def test_a_challenge_leaves_no_trace(story: Story) -> None:
    """The first INVITE of every registering device is one: it must cost nothing and count nothing."""
    await story.call()
    before = await story.parts.redis.dbsize()
    assert await story.call(auth_user=None, auth_realm=None) == {"decision": "challenge"}
    assert await story.parts.redis.dbsize() == before


async def test_an_unanswered_call_costs_nothing_and_is_told(story: Story) -> None:
    """Unanswered calls leave a record with their cause (section 6)."""
    call = await story.call()
    story.clock.advance_s(20)
    assert await story.report(call, "ended", sip_code=486, cause="busy") == 204
    [event] = await story.events("call.ended.v1")
    told = event.read(CallEnded)
    assert (told.duration_s, told.charge_micros, told.cause, told.sip_code) == (0, 0, "busy", 486)
    assert (await story.usage())["available"] == "10.00"


async def test_a_price_change_never_touches_a_call_that_talks(story: Story, tmp_path: Path) -> None:
    """The tariff is pinned at admission (section 4.10)."""
    call = await story.call()
    await story.configure(c.deck(tmp_path / "rates", 2, [("+34", "9.00")]))
    await story.talk(call, 60)
    assert (await story.usage())["unposted"] == "1.20"
    assert (await story.call())["reason"] == "no_credit"


async def test_a_number_fit_for_one_route_only_leaves_the_rest_out(story: Story) -> None:
    """An answer must fit Kamailio's buffers (6 kB): routes that don't are dropped from the end, never cut."""
    host = ".".join(["x" * 60] * 3) + ".example"
    fat: dict[str, Any] = {"host": host, "from_domain": host, "send_rpid": True, "outbound_proxy": host}
    servers = [f"019a0000-0000-7000-8000-0000000002{n:02d}" for n in range(5)]
    await story.configure(*(c.server(each, **fat) for each in servers), c.server(version=2, enabled=False))
    answer = await story.post("/calls", c.call())
    assert len(answer.content) <= 6_000
    assert 1 <= len(answer.json()["routes"]) < 5


async def test_a_repeated_question_keeps_its_allow_whatever_changed_since(story: Story) -> None:
    """The edge never got the first answer: its call lives, and refusing it now would leave the slot taken."""
    attempt = c.call()
    first = (await story.post("/calls", attempt)).json()
    await story.configure(c.client(2, enabled=False))
    assert (await story.post("/calls", attempt)).json() == first
    await story.report(first, "ended", cause="cancelled")
    assert (await story.post("/calls", attempt)).status_code == 409
    assert len(await story.events("call.rejected.v1")) == 0


async def test_a_device_given_to_another_client_calls_on_that_ones_account(story: Story) -> None:
    """The worker still knows the name's old owner: it must look again, or bill the wrong client."""
    other = "019a0000-0000-7000-8000-0000000000cc"
    await story.call()
    gone = Change("device", c.DEVICE, 2, c.BRAND, c.CLIENT, None, "2-0")
    row = {**(c.client().data or {}), "name": "Other", "billing_method": "none", "outgoing_ddi_id": None}
    new = c.row("device", "019a0000-0000-7000-8000-0000000000d7", {"name": "casa1"}, client_id=other)
    number = c.ddi("019a0000-0000-7000-8000-0000000000a7", "+34944048187", owner=other)
    moved = [gone, c.row("client", other, row, client_id=other), new, number]
    assert await story.model.apply(moved, story.clock.now_ms()) == []
    story.parts.facts._clients.forget((c.BRAND, c.CLIENT))  # the name itself is still remembered
    call = await story.call(asserted_identity="944048187")
    assert (call["client_id"], call["caller"]) == (other, "+34944048187")


@pytest.mark.parametrize("record", [("none", False), ("outbound", True), ("all", True), ("inbound", False)])
async def test_a_number_says_whether_its_calls_are_recorded(story: Story, record: tuple[str, bool]) -> None:
    """The edge starts the recording from this flag alone."""
    mode, expected = record
    await story.configure(c.ddi(version=2, record=mode))
    assert (await story.call())["record"] is expected
