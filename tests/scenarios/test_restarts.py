"""Data survives a restart; calls that the platform forgot are settled by their tickets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest
import redis
from landline.kernel.ids import new_id

from tests.scenarios.conftest import SHORT_LEASES
from tests.support.books import assert_books_hold
from tests.support.stack import Stack
from tests.support.story_edge import StoryCall
from tests.support.world import MOBILE, Brand, Home, Platform, until


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brand]:
    """A platform of this module's own, since it is stopped and damaged here."""
    stack = Stack(tmp_path_factory.mktemp("restarts") / "run", env=SHORT_LEASES)
    try:
        yield Platform(stack.start()).brand("Alpha")
    finally:
        stack.stop()


def test_a_live_call_survives_a_restart_and_is_billed_whole(own: Brand) -> None:
    """An upgrade in the evening must not end calls nor forget what they cost."""
    stack, edge = own.platform.stack, own.platform.edge()
    home = own.home(billing_method="prepaid", balance="10.00")
    call = edge.admit(home, MOBILE)
    answered_at = call.answered()
    assert stack.stop() == 0
    stack.start()
    assert not (stack.data / "logs" / "migrate.log").exists()  # old logs are moved; nothing was migrated
    assert [c["call_id"] for c in home.live_calls()] == [call.id]
    ended_at = call.ended()
    talked = int(ended_at - answered_at)
    record = home.record(call.id)
    assert (record["duration_s"], record["unbilled_s"]) == (talked, 0)
    assert float(record["price"]) == talked / 100
    usage = home.settled()
    assert float(usage["available"]) == pytest.approx(10 - talked / 100)
    assert (usage["active_calls"], usage["held"]) == (0, "0.00")
    edge.admit(home, MOBILE).ended(cause="cancelled")
    assert_books_hold(stack)


def test_a_lost_redis_disk_is_rebuilt_and_tickets_settle_what_it_held(own: Brand) -> None:
    """Only the edge remembers these calls: own tickets settle them once, other tickets nothing."""
    stack, edge = own.platform.stack, own.platform.edge()
    home, other = (own.home(billing_method="prepaid", balance="10.00") for _ in range(2))
    before = edge.talk(home, MOBILE, 1)
    assert home.record(before.id)["price"] == "0.01"
    home.settled()
    forgotten, restored, foreign = (edge.admit(each, MOBILE) for each in (home, home, other))
    answered_at = forgotten.answered()
    restored.answered(answered_at)
    foreign.answered(answered_at)
    stack.stop()
    shutil.rmtree(stack.data / "valkey")
    stack.start()

    until(lambda: home.usage()["settled"] == "9.99", "balances are those of the ledger")
    until(edge.is_known, "edges are known again")
    _refuse_all_but_its_own_ticket(forgotten, foreign)
    _restore_from_its_ticket(home, restored, answered_at)
    before.ended_again()

    forgotten.ended(answered_at + 3)
    forgotten.ended_again()
    record = home.record(forgotten.id)
    assert (record["duration_s"], record["price"]) == (3, "0.03")
    restored.ended(answered_at + 4)
    foreign.ended(answered_at + 2)
    assert (home.record(restored.id)["price"], other.record(foreign.id)["price"]) == ("0.04", "0.02")
    assert (home.settled()["available"], other.settled()["available"]) == ("9.92", "9.98")
    charges = sorted(posting["amount"] for posting in home.postings(kind="charge"))
    assert charges == ["-0.01", "-0.03", "-0.04"]
    until(lambda: home.usage()["day_spend"] == "0.08", "the day's spend is that of the records")
    assert_books_hold(stack)


def _refuse_all_but_its_own_ticket(call: StoryCall, foreign: StoryCall) -> None:
    forged = call.ticket[:-6] + ("AAAAAA" if call.ticket[-6:] != "AAAAAA" else "BBBBBB")
    for ticket in (None, "", foreign.ticket, forged, "é" * 20, "x" * 2048):
        told = call.report("ended", answered_at=time.time() - 1, ticket=ticket)
        assert told.status_code == 404, (ticket, told.text)


def _restore_from_its_ticket(home: Home, call: StoryCall, answered_at: float) -> None:
    """A heartbeat names the call, is told to resync, and the call lives again with its hold."""
    edge = call.edge
    stranger = f"3-{new_id()}"
    told = edge.heartbeat(call, stranger)
    assert (sorted(told["unknown"]), told["resync"], told["hang_up"]) == (
        sorted([call.id, stranger]),
        True,
        [],
    )
    listed = {"call_id": call.id, "state": "answered", "answered_at": answered_at, "ticket": call.ticket}
    untrue = {"call_id": stranger, "state": "answered", "answered_at": answered_at, "ticket": call.ticket}
    answer = edge.post("/edges/resync", {"calls": [listed, untrue]})
    assert answer.json() == {"restored": [call.id], "unknown": [stranger]}
    assert [c["call_id"] for c in home.live_calls()] == [call.id]
    until(lambda: float(home.usage()["held"]) >= 0.02, "the restored call holds money")
    assert home.usage()["active_calls"] == 1


def test_an_emptied_redis_heals_under_a_running_platform(own: Brand) -> None:
    """A failover to an empty replica: read model, balances, keys and groups come back by themselves."""
    stack, edge = own.platform.stack, own.platform.edge()
    home = own.home(billing_method="prepaid", balance="10.00")
    call = edge.admit(home, MOBILE)
    answered_at = call.answered()
    with redis.Redis.from_url(stack.redis_url()) as store:
        store.flushall()
    until(lambda: _allows(home), "calls are admitted again")
    own.platform.wait_served()
    until(lambda: time.time() > answered_at + 1, "a second of talk")
    call.ended(answered_at + 1)
    assert home.record(call.id)["price"] == "0.01"
    assert home.settled()["available"] == "9.99"
    assert_books_hold(stack)


def _allows(home: Home) -> bool:
    """Whether the home may call now; the call is given up at once."""
    edge = home.brand.platform.edge()
    answer = edge.post("/calls", edge.request(home, MOBILE))
    if answer.status_code != 200 or answer.json()["decision"] != "allow":
        return False
    StoryCall(edge, answer.json()).ended(cause="cancelled")
    return True
