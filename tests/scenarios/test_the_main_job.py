"""A call, end to end, through public HTTP only: what the platform is for."""

from __future__ import annotations

import time

from landline.kernel.ids import new_id

from tests.support.story_edge import Edge
from tests.support.world import BILLING, BY_THE_MINUTE, CALL_CONTROL, MOBILE, Brand, until


def test_a_call_is_admitted_talks_and_ends_up_in_the_ledger(brand: Brand, edge: Edge) -> None:
    """The main job: decision, numbers, lease, record, price, posting and balance agree to the micro."""
    home = brand.home()
    call = edge.admit(home, MOBILE)
    answer = call.answer
    assert (answer["caller"], answer["callee"]) == (home.number, "+34600123123")
    assert (answer["client_id"], answer["brand_id"]) == (home.id, brand.id)
    assert (answer["device_id"], answer["ddi_id"]) == (home.device_id, home.ddi_id)
    assert (answer["billing_method"], answer["language"]) == ("postpaid", "es")
    assert {route["carrier_id"] for route in answer["routes"]} == {brand.ids["carriers"]}
    assert all(route["uri"].startswith("sip:") for route in answer["routes"])
    assert {r["uri"].partition("@")[2].partition(":")[0] for r in answer["routes"]} <= {
        "198.51.100.9",
        "198.51.100.10",
    }
    assert answer["max_duration_s"] == 10_800
    assert len(call.ticket) <= 700

    live = home.live_calls()
    assert [(c["call_id"], c["state"], c["held"]) for c in live] == [(call.id, "admitted", "0.02")]
    call.ringing()
    assert home.live_calls()[0]["state"] == "ringing"
    answered_at = call.answered()
    assert home.live_calls()[0]["state"] == "answered"
    until(lambda: float(home.live_calls()[0]["held"]) >= 0.04, "the keeper extends the lease")
    usage = home.usage()
    assert (usage["active_calls"], usage["day_spend"]) == (1, "0.00")
    assert usage["held"] == usage["day_held"]
    until(lambda: time.time() > answered_at + 3.3, "three seconds of talk")
    call.ended(answered_at + 3.3, attempts=[{"server_id": call.server_id, "sip_code": 200, "ms": 12}])

    record = home.record(call.id)
    assert (record["duration_s"], record["price"], record["cause"]) == (3, "0.03", "normal")
    assert (record["caller"], record["callee"]) == (home.number, "+34600123123")
    assert (record["prefix"], record["destination"]) == ("+346", "Spain mobile")
    assert (record["carrier_id"], record["server_id"]) == (brand.ids["carriers"], call.server_id)
    assert (record["unbilled_s"], record["ended_by"], record["sip_code"]) == (0, "caller", 200)
    assert list(record["spend_by_day"].values()) == [30_000]
    usage = home.settled()
    assert (usage["available"], usage["held"], usage["active_calls"]) == ("-0.03", "0.00", 0)
    assert (usage["day_spend"], usage["day_held"]) == ("0.03", "0.00")
    [posting] = home.postings()
    assert (posting["kind"], posting["amount"], posting["balance_after"]) == ("charge", "-0.03", "-0.03")
    assert (posting["call_id"], posting["sequence"]) == (call.id, 1)
    assert home.balance() == "-0.03"
    assert home.live_calls() == []


def test_a_call_that_nobody_answers_costs_nothing_and_is_recorded(brand: Brand, edge: Edge) -> None:
    """Better than the model system: unanswered calls leave a record with their cause, and no posting."""
    home = brand.home()
    call = edge.admit(home, MOBILE)
    call.ringing()
    call.ended(cause="no_answer", sip_code=487)
    record = home.record(call.id)
    assert (record["duration_s"], record["cause"], record["sip_code"]) == (0, "no_answer", 487)
    assert record["answered_at"] is None
    assert float(record["price"] or 0) == 0
    assert home.settled()["day_spend"] == "0.00"
    assert home.postings() == []


def test_simulation_tells_price_and_trace_and_changes_nothing(brand: Brand, edge: Edge) -> None:
    """An operator asks what a call would do: the counters must not notice."""
    home = brand.home(max_calls=1)
    before = home.usage()
    body = {**edge.request(home, BY_THE_MINUTE), "duration_s": 61}
    told = brand.api.post(f"{CALL_CONTROL}/simulate", body)
    assert (told["decision"], told["price"], told["callee"]) == ("allow", "1.20", "+442079460000")
    assert told["routes"]
    assert [line["outcome"] for line in told["trace"]]
    assert home.usage() == before
    assert home.live_calls() == []
    quoted = {"client_id": home.id, "number": "+442079460000", "duration_s": 61}
    assert brand.api.post(f"{BILLING}/price-quotes", quoted)["price"] == "1.20"
    edge.admit(home, MOBILE).answered()
    told = brand.api.post(f"{CALL_CONTROL}/simulate", body)
    assert (told["decision"], told["denial"]["reason"]) == ("deny", "max_calls_reached")


def test_max_calls_counts_ringing_calls_and_is_free_again_after_the_end(brand: Brand, edge: Edge) -> None:
    """A household's second call waits for the first one's end, and a denial takes no slot."""
    home = brand.home(max_calls=1)
    call = edge.admit(home, MOBILE)
    denial = edge.denied(home, MOBILE)
    assert (denial["reason"], denial["sip_code"]) == ("max_calls_reached", 403)
    assert denial["detail"] == "client limit 1, active 1"
    call.ended(cause="cancelled", sip_code=487)
    edge.admit(home, MOBILE).ended(cause="cancelled", sip_code=487)
    assert home.usage()["active_calls"] == 0


def test_the_same_attempt_gets_the_same_answer_while_its_call_lives(brand: Brand, edge: Edge) -> None:
    """A repeated INVITE must not take a second slot; after the end it must not call again."""
    home = brand.home(max_calls=2)
    attempt = {"attempt_id": new_id(), "sip_call_id": "the-same-dialog@edge.example"}
    first = edge.ask(home, MOBILE, **attempt)
    assert edge.ask(home, MOBILE, **attempt) == first
    assert home.usage()["active_calls"] == 1
    edge.post(f"/calls/{first['call_id']}/answered", {"at": time.time()})
    assert edge.ask(home, MOBILE, **attempt) == first
    edge.post(f"/calls/{first['call_id']}/ended", {"at": time.time()})
    again = edge.post("/calls", edge.request(home, MOBILE, **attempt))
    assert (again.status_code, again.json()["code"]) == (409, "call_over")
    refused = {"attempt_id": new_id()}
    denial = edge.denied(home, "12x", **refused)
    assert edge.denied(home, "12x", **refused) == denial


def test_reports_out_of_order_late_and_twice_settle_a_call_once(brand: Brand, edge: Edge) -> None:
    """UDP, retries and two workers reorder everything: one record, one charge, whatever came when."""
    home = brand.home()
    call = edge.admit(home, MOBILE)
    start = time.time()
    until(lambda: time.time() > start + 2.2, "two seconds of talk")
    call.ended(start + 2.1, answered_at=start)  # `answered` never arrived before
    call.answered(start)
    call.ringing()
    call.ended(start + 2.1, answered_at=start)
    call.ended(start + 9, answered_at=start, cause="failed")
    assert edge.ask(home, MOBILE)["decision"] == "allow"
    record = home.record(call.id)
    assert (record["duration_s"], record["price"], record["cause"]) == (2, "0.02", "normal")
    assert len(home.postings()) == 1
    assert [r["id"] for r in home.records()] == [call.id]


def test_a_late_ringing_does_not_take_a_call_back_from_answered(brand: Brand, edge: Edge) -> None:
    """Else the reaper would close a call that talks."""
    home = brand.home()
    call = edge.admit(home, MOBILE)
    call.answered()
    call.ringing()
    call.answered()
    assert [c["state"] for c in home.live_calls()] == ["answered"]
    call.ended()


def test_reports_of_unknown_calls_are_404(brand: Brand, edge: Edge) -> None:
    """The edge stops repeating a report on 404: it must never get one for a call of ours, nor 5xx here."""
    for call_id in (f"7-{new_id()}", "7-nonsense", "99-" + new_id(), "%7Bp7%7D:landline:call:x"):
        for kind in ("ringing", "answered", "ended"):
            told = edge.post(f"/calls/{call_id}/{kind}", {"at": time.time()})
            assert (told.status_code, told.json()["code"]) == (404, "not_found"), (call_id, kind)
