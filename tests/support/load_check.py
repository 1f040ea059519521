"""Holds the platform to what an edge was told under load: no limit exceeded, every end billed once."""

from __future__ import annotations

from collections import Counter

from tests.support.books import assert_books_hold
from tests.support.edge_load import EdgeLoad, LoadCall
from tests.support.stack import Stack
from tests.support.world import Home, Row, until

MICROS_A_SECOND = 10_000  # of tests.support.world.MOBILE


def micros(money: str | None) -> int:
    """Millionths of a decimal string; None is nothing."""
    units, _, rest = (money or "0").lstrip("-").partition(".")
    value = int(units) * 1_000_000 + int((rest + "000000")[:6])
    return -value if (money or "").startswith("-") else value


def assert_all_billed_once(stack: Stack, load: EdgeLoad, within_s: float = 90.0) -> None:
    """After the load: promises 1 and 2, and that every book agrees."""
    assert load.calls, f"no call was admitted: {load.denials} {load.repeated}"
    assert [call.id for call in load.calls if not call.acknowledged] == []
    assert [(call.id, call.unknown) for call in load.calls if call.unknown] == []
    by_home: dict[str, list[LoadCall]] = {}
    for call in load.calls:
        by_home.setdefault(call.home.id, []).append(call)
    for calls in by_home.values():
        _check_home(calls[0].home, calls, within_s)
    assert_books_hold(stack, within_s)


def _check_home(home: Home, calls: list[LoadCall], within_s: float) -> None:
    told = {call.id: call for call in calls}
    until(lambda: {r["id"] for r in home.records()} >= told.keys(), "a record of every call", within_s)
    records = home.records()
    assert Counter(record["id"] for record in records).most_common(1)[0][1] == 1
    usage = home.settled()
    for record in records:
        if record["id"] in told:
            _check_record(record, told[record["id"]], limited=usage["max_daily_usage"] is not None)
    assert (usage["active_calls"], usage["held"], usage["day_held"]) == (0, "0.00", "0.00")
    _check_postings(home, records)
    assert micros(usage["day_spend"]) == sum(micros(record["price"]) for record in records)


def _check_record(record: Row, call: LoadCall, *, limited: bool) -> None:
    assert record["duration_s"] + record["unbilled_s"] == call.talked_s, (record, call)
    assert micros(record["price"]) == record["duration_s"] * MICROS_A_SECOND, record
    assert record["cause"] != "lost", record
    if record["billing_method"] == "postpaid" and not limited:
        assert record["unbilled_s"] == 0, record


def _check_postings(home: Home, records: list[Row]) -> None:
    charges = Counter(posting["call_id"] for posting in home.postings(kind="charge"))
    assert charges == Counter(record["id"] for record in records if micros(record["price"]))
    total = sum(micros(posting["amount"]) for posting in home.postings())
    assert total == micros(home.balance())
