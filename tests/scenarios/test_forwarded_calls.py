"""Calls from outside told as stories: forwards of every kind, boxes, call waiting, and what they cost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from call_control.adapters.keys import keys_of

from tests.support import configured as c
from tests.support.inbound_story import NEXT_NUMBER, STRANGER, House, at_home
from tests.support.outbound_story import API, operator
from tests.support.stores import TestStores

FAR = "+34600999888"
EMERGENCY = "019a0000-0000-7000-8000-000000000e01"


@pytest_asyncio.fixture(loop_scope="session")
async def house(stores: TestStores, tmp_path: Path) -> AsyncIterator[House]:
    """Casa, called by a provider."""
    async with at_home(stores.redis_url, tmp_path) as told:
        yield told


async def test_an_unconditional_forward_rings_no_device_and_is_billed(house: House) -> None:
    """Two calls in one dialog: the one that came in, and an outbound one of the client, with the caller kept,
    the called number in Diversion (RFC 5806), 30 s at 1.20 a minute."""
    await house.register()
    await house.story.configure(c.call_forward("unconditional", FAR))
    call = await house.arrives()
    assert (call["decision"], call["direction"], call["callee"], call["caller"]) == (
        "allow",
        "outbound",
        FAR,
        STRANGER,
    )
    assert [leg["call_id"] for leg in call["legs"]] == [call["child_call_id"]]
    route = call["routes"][0]
    assert (route["from_user"], route["diversion"]) == (
        STRANGER,
        f"<sip:{c.NUMBER}@{c.DOMAIN}>;reason=unconditional;counter=1",
    )
    assert call["max_duration_s"] == 500
    assert (await house.story.usage())["active_calls"] == 2
    assert await house.story.report(call, "ringing") == 204
    leg = {"leg_call_id": call["child_call_id"]}
    assert await house.story.report(call, "answered", server_id=c.SERVER, **leg) == 204
    house.story.clock.advance_s(30)
    assert await house.story.report(call, "ended", ticket=call["ticket"], server_id=c.SERVER, **leg) == 204
    ended = await house.ended()
    came, went = ended[call["call_id"]], ended[call["child_call_id"]]
    assert (came.duration_s, came.charge_micros, came.call.direction) == (30, 0, "inbound")
    assert (went.duration_s, went.charge_micros, went.server_id) == (30, 600_000, c.SERVER)
    assert (went.carrier_id, came.carrier_id, came.server_id) == (c.CARRIER, None, None)
    assert (went.call.parent_call_id, went.call.ddi_id, went.call.hops) == (call["call_id"], c.DDI, 1)
    await house.nothing_left()


@pytest.mark.parametrize(
    ("kind", "sip_code", "reason"),
    [("busy", 486, "user-busy"), ("no_answer", 408, "no-answer"), ("not_registered", 503, "unavailable")],
)
async def test_a_device_that_does_not_take_it_forwards(
    house: House, kind: str, sip_code: int, reason: str
) -> None:
    """Admitted only when it is reached; asked again, the same answer; the device has its line back."""
    await house.register()
    await house.story.configure(c.call_forward(kind, FAR, no_answer_timeout_s=15))
    call = await house.arrives()
    [target] = call["targets"]
    assert target["ring_timeout_s"] == (15 if kind == "no_answer" else 180)
    assert (await house.story.usage())["active_calls"] == 1
    onward = await house.failed(call, sip_code)
    assert onward["call_id"] == call["call_id"]
    assert onward["routes"][0]["diversion"].endswith(f";reason={reason};counter=1")
    again = await house.failed(call, sip_code)
    assert again["child_call_id"] == onward["child_call_id"]
    assert (await house.story.usage())["active_calls"] == 2
    leg = {"leg_call_id": onward["child_call_id"]}
    assert await house.story.report(call, "answered", **leg) == 204
    house.story.clock.advance_s(10)
    assert await house.story.report(call, "ended", **leg) == 204
    ended = await house.ended()
    assert [each.charge_micros for each in ended.values()] == [0, 200_000]
    await house.nothing_left()


async def test_a_forward_that_rings_in_vain_closes_with_its_parent(house: House) -> None:
    """The caller hangs up while the far end rings: both calls cost nothing and say why."""
    await house.register()
    await house.story.configure(c.call_forward("busy", FAR))
    call = await house.arrives()
    onward = await house.failed(call, 486)
    assert await house.story.report(call, "ended", sip_code=487, cause="cancelled", ended_by="caller") == 204
    ended = await house.ended()
    assert ended[call["call_id"]].cause == "cancelled"
    assert (ended[onward["child_call_id"]].cause, ended[onward["child_call_id"]].charge_micros) == (
        "not_reached",
        0,
    )
    await house.nothing_left()


async def test_a_leg_that_was_not_reached_is_closed_by_the_answer(house: House) -> None:
    """The device answered after all, while the forward was being tried."""
    await house.register()
    await house.story.configure(c.call_forward("no_answer", FAR))
    call = await house.arrives()
    onward = await house.failed(call, 408)
    assert await house.story.report(call, "answered") == 204
    assert (await house.ended())[onward["child_call_id"]].cause == "not_reached"
    house.story.clock.advance_s(10)
    assert await house.story.report(call, "ended") == 204
    assert sum(each.charge_micros for each in (await house.ended()).values()) == 0
    await house.nothing_left()


async def test_a_forward_without_credit_is_refused_and_the_call_is_undone(house: House) -> None:
    """A forwarded leg passes all of section 4: the outside hears it, the client can read it."""
    await house.register()
    await house.story.configure(c.call_forward("unconditional", "+870776123456"))
    attempt = "019a0000-0000-7000-8000-0000000000aa"
    refused = await house.arrives(attempt_id=attempt)
    assert (refused["decision"], refused["reason"], refused["sip_code"]) == ("deny", "no_rate", 403)
    assert await house.arrives(attempt_id=attempt) == refused
    [came] = (await house.ended()).values()
    assert (came.cause, came.sip_code) == ("forward_refused", 403)
    [told] = await house.story.events("call.rejected.v1")
    assert told.client_id == c.CLIENT
    await house.nothing_left()


async def test_a_forward_to_voicemail_costs_nothing(house: House) -> None:
    """The box of the device, at the application server."""
    await house.register()
    await house.story.configure(c.call_forward("no_answer"), c.call_forward("not_registered"))
    call = await house.arrives()
    onward = await house.failed(call, 480)
    assert onward["targets"] == [{"kind": "voicemail", "uri": f"sip:vm+{c.DEVICE}@default"}]
    assert onward["ticket"] == call["ticket"]
    await house.story.talk(call, 12)
    [came] = (await house.ended()).values()
    assert (came.duration_s, came.charge_micros) == (12, 0)
    await house.nothing_left()


async def test_a_device_that_is_away_forwards_at_once(house: House) -> None:
    """Nobody is registered: no ringing is tried first."""
    await house.story.configure(c.call_forward("not_registered", FAR))
    call = await house.arrives()
    assert (call["callee"], call["direction"]) == (FAR, "outbound")
    assert await house.story.report(call, "ended", sip_code=487) == 204
    await house.nothing_left()


async def test_call_waiting_ends_at_the_devices_own_limit(house: House) -> None:
    """Received calls only, atomically: two ring, the third is busy, or goes where busy calls go."""
    await house.register()
    first, second = await house.arrives(), await house.arrives()
    third = await house.arrives()
    assert (third["reason"], third["sip_code"]) == ("max_calls_reached", 486)
    assert "device limit 2, active 2" in third["detail"]
    await house.story.configure(c.call_forward("busy", FAR))
    fourth = await house.arrives()
    assert fourth["routes"][0]["diversion"].endswith(";reason=user-busy;counter=1")
    for call in (first, second, fourth):
        assert await house.story.report(call, "ended", sip_code=487) == 204
    assert (await house.arrives())["targets"][0]["kind"] == "device"
    for live in await house.story.parts.store.live_calls():
        assert await house.story.report({"call_id": live.call_id}, "ended", sip_code=487) == 204
    await house.nothing_left()


async def test_a_302_is_followed_like_a_forward(house: House) -> None:
    """In the writing of the device: national digits; REFER stays refused at the edge."""
    await house.register()
    call = await house.arrives()
    onward = await house.failed(call, 302, redirect_to="<sip:600999888@192.0.2.9>")
    assert onward["callee"] == FAR
    assert onward["routes"][0]["diversion"].endswith(";reason=deflection;counter=1")
    assert await house.story.report(call, "ended", sip_code=487) == 204
    await house.nothing_left()


@pytest.mark.parametrize(
    ("sip_code", "reason", "answered_with"),
    [(486, "busy", 486), (408, "no_answer", 480), (603, "declined", 603), (503, "not_registered", 480)],
)
async def test_without_a_forward_the_caller_hears_what_the_device_said(
    house: House, sip_code: int, reason: str, answered_with: int
) -> None:
    """And the call itself is ended by its edge."""
    await house.register()
    call = await house.arrives()
    denied = await house.failed(call, sip_code)
    assert (denied["reason"], denied["sip_code"]) == (reason, answered_with)
    assert await house.story.report(call, "ended", sip_code=answered_with) == 204
    await house.nothing_left()


async def test_who_withholds_stays_unknown_on_the_forwarded_leg(house: House) -> None:
    """To the carrier, unless it is trusted; to the client, in everything it reads; not to the operator."""
    await house.register()
    await house.story.configure(
        c.call_forward("unconditional", FAR), c.server(version=2), c.server(c.SERVER_2, 2, trusted=True)
    )
    call = await house.arrives(privacy="id")
    plain, trusted = sorted(call["routes"], key=lambda route: route["pai"] or "")
    assert (plain["from_user"], plain["from_domain"], plain["privacy"], plain["pai"]) == (
        "anonymous",
        "anonymous.invalid",
        "id",
        None,
    )
    assert STRANGER in trusted["pai"]
    assert c.NUMBER in plain["diversion"]
    assert await house.story.report(call, "ended", sip_code=487) == 204
    for each in (await house.ended()).values():
        assert each.call.hides_caller
        assert each.call.caller == STRANGER
    await house.nothing_left()


async def test_a_loop_of_forwards_is_refused(house: House) -> None:
    """casa1 forwards to casa2's number, and that one back."""
    await house.story.configure(
        c.call_forward("unconditional", c.NUMBER_2),
        c.call_forward("unconditional", c.NUMBER, device_id=c.OTHER_DEVICE),
    )
    refused = await house.arrives()
    assert (refused["reason"], refused["sip_code"]) == ("forward_loop", 482)
    assert {each.cause for each in (await house.ended()).values()} == {"forward_refused", "onnet_refused"}
    await house.nothing_left()


@pytest.mark.parametrize(("times", "outcome"), [(4, "allow"), (5, "too_many_forwards")])
async def test_five_hops_are_enough(house: House, times: int, outcome: str) -> None:
    """Those before it came to us count too: its Diversion headers tell."""
    await house.story.configure(c.call_forward("unconditional", FAR))
    diversion = [{"number": "+34911000111", "reason": "unconditional", "counter": times}]
    call = await house.arrives(diversion=diversion)
    assert call.get("reason", call["decision"]) == outcome
    if outcome == "allow":
        assert call["routes"][0]["diversion"].endswith("counter=5")
        assert await house.story.report(call, "ended", sip_code=487) == 204
    await house.nothing_left()


async def test_a_filters_forward_comes_before_the_device(house: House) -> None:
    """Out of hours to a number; the device would have taken it."""
    await house.register()
    await house.story.configure(
        c.ddi(version=3, target="device", device_id=c.DEVICE, call_filter_id=c.FILTER),
        c.call_filter(unconditional_forward=True, forward_target="number", forward_number=FAR),
    )
    call = await house.arrives()
    assert (call["callee"], call["routes"][0]["diversion"].split(";")[1]) == (FAR, "reason=unconditional")
    assert await house.story.report(call, "ended", sip_code=487) == 204
    await house.nothing_left()


async def test_failed_is_for_calls_that_ring(house: House) -> None:
    """404 for a stranger, 409 for a call that talks or is over, 422 for nonsense."""
    await house.register()
    call = await house.arrives()
    path = f"/calls/{call['call_id']}/failed"
    assert (await house.story.post("/calls/17-nonsense/failed", {"sip_code": 486})).status_code == 404
    bad = await house.story.post(path, {"sip_code": "busy"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "sip_code")
    evil = await house.story.post(path, {"sip_code": 302, "redirect_to": "sip:1\r\nX: y"})
    assert (evil.status_code, evil.json()["errors"][0]["field"]) == (422, "redirect_to")
    assert await house.story.report(call, "answered") == 204
    assert (await house.story.post(path, {"sip_code": 486})).json()["code"] == "call_answered"
    assert await house.story.report(call, "ended") == 204
    assert (await house.story.post(path, {"sip_code": 486})).json()["code"] == "call_over"
    await house.nothing_left()


async def test_on_forward_to_a_neighbour_three_calls_share_the_dialog(house: House) -> None:
    """In, out, and in again at another brand: all three are answered and ended by the first one's reports."""
    from tests.support.inbound_story import NEXT_DEVICE, NEXT_PARTITION

    await house.register(NEXT_DEVICE, NEXT_PARTITION)
    await house.story.configure(c.call_forward("unconditional", NEXT_NUMBER))
    call = await house.arrives()
    assert (call["direction"], len(call["legs"])) == ("inbound", 2)
    assert call["targets"][0]["caller"] == STRANGER
    leg = {"leg_call_id": call["child_call_id"]}
    assert await house.story.report(call, "answered", **leg) == 204
    house.story.clock.advance_s(60)
    assert await house.story.report(call, "ended", **leg) == 204
    ended = await house.ended()
    assert len(ended) == 3
    assert {each.duration_s for each in ended.values()} == {60}
    assert ended[call["legs"][0]["call_id"]].charge_micros == 600_000
    await house.nothing_left()


async def test_an_end_that_does_not_name_its_leg_ends_the_one_that_talked(house: House) -> None:
    """The answer named it; an edge that restarted meanwhile may know the first call only."""
    await house.story.configure(c.call_forward("unconditional", FAR))
    call = await house.arrives()
    assert await house.story.report(call, "answered", leg_call_id=call["child_call_id"]) == 204
    house.story.clock.advance_s(10)
    assert await house.story.report(call, "ended", ended_by="caller") == 204
    went = (await house.ended())[call["child_call_id"]]
    assert (went.cause, went.ended_by, went.duration_s, went.charge_micros) == (
        "normal",
        "caller",
        10,
        200_000,
    )
    await house.nothing_left()


@pytest.mark.parametrize("which", ["call_id", "child_call_id"])
async def test_a_hang_up_cuts_all_calls_of_the_dialog(house: House, which: str) -> None:
    """People see the call that came in; what costs is the leg behind it, however late its edge hangs up."""
    await house.story.configure(c.call_forward("unconditional", FAR))
    call = await house.arrives()
    leg = {"leg_call_id": call["child_call_id"]}
    assert await house.story.report(call, "answered", **leg) == 204
    house.story.clock.advance_s(7)
    assert (await hang_up(house, call[which])).status_code == 202
    house.story.clock.advance_s(20)
    assert await house.story.report(call, "ended", **leg) == 204
    told = (await house.ended()).values()
    assert {(each.duration_s, each.cause, each.ended_by) for each in told} == {(7, "operator", "system")}
    assert sum(each.charge_micros for each in told) == 140_000
    await house.nothing_left()


async def test_a_call_that_leads_to_an_emergency_call_is_not_hung_up(house: House) -> None:
    """The two share a dialog: ending the one would end the other (domain.md 4.12)."""
    number = c.row("emergency_number", EMERGENCY, {"number": "112", "country": "ES"})
    await house.story.configure(number, c.call_forward("unconditional", "+34112"))
    call = await house.arrives()
    assert call["call_class"] == "emergency"
    assert await house.story.report(call, "answered", leg_call_id=call["child_call_id"]) == 204
    refused = await hang_up(house, call["call_id"])
    assert (refused.status_code, refused.json()["code"]) == (409, "emergency_call")


async def hang_up(house: House, call_id: str) -> httpx.Response:
    """As an operator."""
    return await house.story.http.post(f"{API}/calls/{call_id}/hangup", headers=operator())


async def test_legs_that_redis_forgot_are_settled_by_their_tickets(house: House) -> None:
    """A lost disk: the edge lists both calls, proves them by their own tickets, and one report ends both."""
    await house.story.configure(c.call_forward("unconditional", FAR))
    call = await house.arrives()
    [child] = call["legs"]
    leg = {"leg_call_id": child["call_id"]}
    assert await house.story.report(call, "answered", **leg) == 204
    answered_at = house.story.now_s
    keys, redis = keys_of(c.PARTITION), house.story.parts.redis
    gone = [keys.call(live.call_id) for live in await house.story.parts.store.live_calls()]
    gone += [
        keys.client(c.CLIENT),
        keys.brand(c.BRAND),
        keys.day(c.CLIENT, "2026-11-22"),
        keys.live,
        keys.due,
    ]
    for name in gone:
        assert await redis.delete(name) == 1
    await house.story.top_up(10_000_000, sequence=5)
    house.story.clock.advance_s(20)
    listed = [(call["call_id"], call["ticket"]), (child["call_id"], child["ticket"])]
    calls = [
        {"call_id": call_id, "state": "answered", "answered_at": answered_at, "ticket": ticket}
        for call_id, ticket in listed
    ]
    back = await house.story.post("/edges/resync", {"calls": calls})
    assert back.status_code == 200, back.text
    assert (await house.story.usage())["active_calls"] == 2
    house.story.clock.advance_s(10)
    assert await house.story.report(call, "ended", ticket=call["ticket"], **leg) == 204
    ended = await house.ended()
    assert (ended[call["call_id"]].duration_s, ended[child["call_id"]].duration_s) == (30, 30)
    assert ended[child["call_id"]].charge_micros == 600_000
    await house.nothing_left()
