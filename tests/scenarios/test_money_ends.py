"""Balances and daily limits that end in the middle of things."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import redis
from landline.contracts.streams import calls, dead_letters

from tests.support.books import command
from tests.support.story_edge import Edge
from tests.support.stream_view import all_read
from tests.support.world import BY_THE_MINUTE, MOBILE, NOTIFIER, Brand, Home, Platform, Row, until


def test_a_prepaid_call_is_cut_when_the_money_ends(brand: Brand, edge: Edge) -> None:
    """Five seconds of money buy five seconds, however late the edge hangs up; the rest is our loss."""
    home = brand.home(billing_method="prepaid", balance="0.05")
    call = edge.admit(home, MOBILE)
    assert call.answer["max_duration_s"] == 5
    answered_at = call.answered()
    assert edge.heartbeat(call)["hang_up"] == []
    told = until(lambda: edge.heartbeat(call)["hang_up"], "the edge is told to hang up")
    assert told == [call.id]
    assert time.time() >= answered_at + 5
    assert home.usage()["available"] == "0.00"
    until(lambda: time.time() > answered_at + 7.2, "the edge is slow")
    call.ended(answered_at + 7.2)
    record = home.record(call.id)
    assert (record["duration_s"], record["price"]) == (5, "0.05")
    assert (record["unbilled_s"], record["unbilled_amount"]) == (2, "0.02")
    assert (record["cause"], record["ended_by"]) == ("credit", "system")
    assert home.settled()["available"] == "0.00"
    assert home.balance() == "0.00"
    denial = edge.denied(home, MOBILE)
    assert (denial["reason"], denial["sip_code"]) == ("no_credit", 402)
    home.top_up("0.03", key="second-money")
    assert edge.admit(home, MOBILE).answer["max_duration_s"] == 3


def test_two_calls_share_a_balance_to_the_last_micro(brand: Brand, edge: Edge) -> None:
    """Each may think it has five seconds; together they have five."""
    home = brand.home(billing_method="prepaid", balance="0.05")
    first, second = edge.admit(home, MOBILE), edge.admit(home, MOBILE)
    started = first.answered()
    second.answered(started)
    until(lambda: len(edge.heartbeat(first, second)["hang_up"]) == 2, "both are told to hang up")
    for call in (first, second):
        call.ended()
    paid = [home.record(call.id) for call in (first, second)]
    assert sum(record["duration_s"] for record in paid) == 5
    assert sum(float(record["price"]) for record in paid) == 0.05
    assert home.settled()["available"] == "0.00"


def limited(brand: Brand, name: str, **fields: Any) -> Home:
    """A home that may spend 1.40 a day, with two addresses."""
    emails = [f"{name}-a@example.net", f"{name}-b@example.net"]
    return brand.home(max_daily_usage="1.40", daily_usage_emails=emails, **fields)


def mails_to(platform: Platform, home_name: str) -> list[Row]:
    """Caught mails to the addresses of `limited`."""
    mails = platform.public.get("/dev/mails", limit=1000)
    return [mail for mail in mails if f"{home_name}-" in mail["to"]]


def test_the_daily_limit_denies_and_mails_once_per_threshold_and_address(
    platform: Platform, brand: Brand, edge: Edge
) -> None:
    """Two calls of 0.60 pass 80 %; a third has no room: one mail each, to each, also after redelivery."""
    home = limited(brand, "garcia", language="es")
    for _ in range(2):
        edge.talk(home, BY_THE_MINUTE, 1)
    denial = edge.denied(home, BY_THE_MINUTE)
    assert (denial["reason"], denial["sip_code"]) == ("daily_limit_reached", 403)
    edge.denied(home, BY_THE_MINUTE)
    mails = until(lambda: _at_least(4, mails_to(platform, "garcia")), "four mails")
    addressed = Counter((mail["to"], "80 %" in mail["subject"]) for mail in mails)
    assert set(addressed.values()) == {1}, addressed
    assert len(addressed) == 4
    assert all("límite diario" in mail["subject"] for mail in mails)
    assert home.usage()["day_spend"] == "1.20"
    home.change(max_daily_usage="2.40")
    allowed = until(lambda: _allow(edge.ask(home, BY_THE_MINUTE)), "the raised limit acts")
    edge.post(f"/calls/{allowed['call_id']}/ended", {"at": time.time(), "cause": "cancelled"})

    redeliver(platform, home)
    assert len(mails_to(platform, "garcia")) == 4
    log = list(brand.api.items(f"{NOTIFIER}/notifications", client_id=home.id))
    assert sorted(row["state"] for row in log) == ["sent"] * 4
    assert len(home.postings()) == 2
    assert len([record for record in home.records() if record["price"] == "0.60"]) == 2


def _allow(answer: Row) -> Row | None:
    return answer if answer["decision"] == "allow" else None


def _at_least(n: int, found: list[Row]) -> list[Row] | None:
    return found if len(found) >= n else None


def redeliver(platform: Platform, home: Home) -> None:
    """Put every event of the client into its stream once more, and wait until all have read them."""
    with redis.Redis.from_url(platform.stack.redis_url()) as store:
        for key in store.scan_iter("{p*}:landline:calls", count=1000):
            entries: Any = store.xrange(key)
            for _, fields in entries:
                if home.id.encode() in fields[b"event"]:
                    store.xadd(key, fields)
        until(lambda: all_read(store), "everybody has read everything")


def test_the_mails_speak_the_clients_language(platform: Platform, brand: Brand, edge: Edge) -> None:
    """An English household in a Spanish brand gets English."""
    home = limited(brand, "smith", language="en")
    for _ in range(2):
        edge.talk(home, BY_THE_MINUTE, 1)
    mails = until(lambda: _at_least(2, mails_to(platform, "smith")), "two mails")
    assert all("of the daily limit" in mail["subject"] for mail in mails)
    assert {mail["to"] for mail in mails} == {"smith-a@example.net", "smith-b@example.net"}


def test_an_operator_can_take_back_only_what_no_call_holds(brand: Brand, edge: Edge) -> None:
    """0.05 on the account, 0.02 of it on a live call: 0.03 can be given away, 0.04 can not."""
    home = brand.home(billing_method="prepaid", balance="0.05")
    call = edge.admit(home, MOBILE)

    def take(amount: str, key: str, **more: Any) -> Any:
        path = f"/api/billing/v1/clients/{home.id}/balance/operations"
        body = {"operation": "decrement", "amount": amount, "within_available": True, **more}
        headers = {"X-Reason": "tests", "Idempotency-Key": f"{key}-{home.id}"}
        return brand.api.http.post(path, json=body, headers=headers)

    refused = take("0.04", "too-much")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_available")
    assert home.balance() == "0.05"
    assert take("0.04", "up", operation="increment").status_code == 422
    taken = [take("0.03", "enough") for _ in range(2)]
    assert [answer.status_code for answer in taken] == [201, 201]
    assert home.balance() == "0.02"
    until(lambda: home.usage()["settled"] == "0.02", "call-control hears of it")
    until(lambda: home.usage()["held"] == "0.02", "only the call holds money")
    call.ended(cause="cancelled")
    assert home.settled()["available"] == "0.02"


def test_reconcile_fails_while_a_call_lies_in_the_dead_letters(platform: Platform) -> None:
    """Such a call is in no record and no balance: that all counters agree must not be all that is said."""
    grave = dead_letters(calls(63), "billing")
    with redis.Redis.from_url(platform.stack.redis_url()) as store:
        store.xadd(grave, {"entry_id": "1-1", "reason": "a bug", "event": "{}"})
        try:
            told = command(platform.stack, "call_control", "reconcile")
        finally:
            store.delete(grave)
    assert told.returncode == 1
    assert "1 dead letters of billing on {p63}:landline:calls" in told.stdout
    assert command(platform.stack, "call_control", "reconcile").returncode == 0
