"""What depends on the time of day, told with a test clock that all processes share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.scenarios.conftest import SHORT_LEASES
from tests.support.books import assert_books_hold
from tests.support.stack import running_stack
from tests.support.story_edge import Edge
from tests.support.world import BY_THE_MINUTE, MOBILE, Brand, Platform, until

SILENT_S = 60


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brand]:
    """A platform whose clock this module moves, always forward."""
    env = {**SHORT_LEASES, "LANDLINE_TEST_CLOCK": "1", "LANDLINE_EDGE_SILENT_S": str(SILENT_S)}
    with running_stack(tmp_path_factory.mktemp("clock") / "run", env=env) as stack:
        yield Platform(stack).brand("Alpha")


@pytest.fixture
def edge(own: Brand) -> Edge:
    """An edge that lives in the platform's time."""
    edge = own.platform.edge()
    edge.now = lambda: now(own)
    return edge


def now(own: Brand) -> float:
    """The platform's time in epoch seconds."""
    return datetime.fromisoformat(own.platform.public.get("/dev/clock")["now"]).timestamp()


def move_to(own: Brand, moment: float) -> None:
    """Make it that moment everywhere."""
    assert moment > now(own)
    own.platform.public.post("/dev/clock", {"now": moment})


def evening_before(own: Brand, zone: str, seconds: float) -> datetime:
    """So many seconds before the next midnight of a zone that lies more than half a day ahead."""
    local = datetime.fromtimestamp(now(own), ZoneInfo(zone)) + timedelta(hours=12)
    midnight = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)
    return midnight.astimezone(UTC) - timedelta(seconds=seconds)


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/New_York", "Pacific/Auckland"])
def test_spend_counts_on_the_clients_own_day_and_the_limit_is_free_after_its_midnight(
    own: Brand, edge: Edge, zone: str
) -> None:
    """A household in New York must not get its limit back at midnight in Madrid."""
    move_to(own, evening_before(own, zone, 60).timestamp())
    home = own.home(timezone=zone, max_daily_usage="1.00")
    today = datetime.fromtimestamp(now(own), ZoneInfo(zone)).date()
    call = edge.talk(home, BY_THE_MINUTE, 1)
    assert edge.denied(home, BY_THE_MINUTE)["reason"] == "daily_limit_reached"
    assert home.record(call.id)["spend_by_day"] == {today.isoformat(): 600_000}
    usage = home.usage()
    assert (usage["day"], usage["day_spend"]) == (today.isoformat(), "0.60")

    move_to(own, now(own) + 61)
    tomorrow = (today + timedelta(days=1)).isoformat()
    usage = home.usage()
    assert (usage["day"], usage["day_spend"], usage["day_held"]) == (tomorrow, "0.00", "0.00")
    edge.talk(home, BY_THE_MINUTE, 1)
    assert home.usage()["day_spend"] == "0.60"
    assert edge.denied(home, BY_THE_MINUTE)["reason"] == "daily_limit_reached"


def test_a_call_over_midnight_counts_on_both_days(own: Brand, edge: Edge) -> None:
    """Each lease counts on the day in which it is reserved; record and counters add up."""
    home = own.home(max_daily_usage="5.00")
    before = evening_before(own, "Europe/Madrid", SILENT_S - 10)
    midnight = before + timedelta(seconds=SILENT_S - 10)
    move_to(own, before.timestamp())
    call = edge.admit(home, MOBILE)
    answered_at = call.answered()
    today = home.usage()["day"]
    until(lambda: float(home.usage()["day_held"]) > 0.02, "a second lease")
    move_to(own, midnight.timestamp() - 1)
    until(lambda: home.usage()["day"] != today, "midnight")
    # What the old day's last lease covers counts there: only later seconds are the new day's.
    until(lambda: float(home.usage()["day_held"]) >= 0.06, "three leases of the new day")
    call.ended()
    record, usage = home.record(call.id), home.usage()
    assert set(record["spend_by_day"]) == {today, usage["day"]}
    assert sum(record["spend_by_day"].values()) == micros(record["price"])
    assert record["spend_by_day"][usage["day"]] == micros(usage["day_spend"])
    assert record["duration_s"] >= midnight.timestamp() - answered_at
    assert usage["day_held"] == "0.00"


def micros(money: str) -> int:
    """Millionths of a decimal string."""
    return int(Decimal(money).scaleb(6))


def test_a_call_of_a_silent_edge_is_closed_as_lost_and_corrected_once(own: Brand, edge: Edge) -> None:
    """Nobody talks to us: charged up to what was confirmed; the late report brings one correction."""
    home = own.home()
    call = edge.admit(home, MOBILE)
    answered_at = call.answered()
    move_to(own, now(own) + SILENT_S + 1)
    record = home.record(call.id)
    assert (record["cause"], record["ended_by"]) == ("lost", "system")
    assert record["duration_s"] < SILENT_S
    assert home.usage()["active_calls"] == 0
    lost_price = record["price"]

    call.ended(answered_at + 20)
    until(lambda: home.record(call.id)["corrected"], "the correction")
    record = home.record(call.id)
    assert (record["duration_s"], record["price"], record["cause"]) == (20, "0.20", "normal")
    call.ended(answered_at + 25)
    call.ended(answered_at + 20)
    assert home.settled()["available"] == "-0.20"
    postings = home.postings()
    assert len(postings) == 2
    assert postings[0]["amount"] == f"-{lost_price}"
    assert home.record(call.id)["price"] == "0.20"
    assert home.usage()["day_spend"] == "0.20"


def test_a_call_missing_from_two_complete_lists_is_lost_and_others_go_on(own: Brand, edge: Edge) -> None:
    """The edge forgot one of its calls (a crash of one worker): its slot must come back."""
    home = own.home()
    gone, kept = edge.admit(home, MOBILE), edge.admit(home, MOBILE)
    gone.answered()
    kept.answered()
    edge.heartbeat(gone, kept)
    for _ in range(3):
        move_to(own, now(own) + 12)
        edge.heartbeat(kept)
    until(lambda: home.usage()["active_calls"] == 1, "the forgotten call is closed")
    assert home.record(gone.id)["cause"] == "lost"
    assert [c["call_id"] for c in home.live_calls()] == [kept.id]
    kept.ended()


def test_a_call_that_only_ever_rang_is_reaped_for_nothing(own: Brand, edge: Edge) -> None:
    """Admitted, then silence for more than 200 s: its slot and hold come back, its record costs nothing."""
    home = own.home(billing_method="prepaid", balance="0.02")
    call = edge.admit(home, MOBILE)
    call.ringing()
    assert edge.denied(home, MOBILE)["reason"] == "no_credit"
    move_to(own, now(own) + 201)
    until(lambda: home.usage()["active_calls"] == 0, "the call is reaped")
    record = home.record(call.id)
    assert (record["cause"], record["duration_s"]) == ("lost", 0)
    assert home.settled()["available"] == "0.02"
    edge.admit(home, MOBILE).ended(cause="cancelled")


def test_the_books_hold_after_all_that(own: Brand) -> None:
    """Days, losses and corrections leave no drift."""
    for call in own.api.items("/api/call-control/v1/calls"):
        own.platform.edge().post(f"/calls/{call['call_id']}/ended", {"at": time.time()})
    assert_books_hold(own.platform.stack)
