"""What is killed while people talk: every call has its record, once, and is charged right (promise 2)."""

from __future__ import annotations

import time

from tests.edge.town import Town
from tests.support.world import MOBILE, until

RETRY_AFTER = "Retry-After"


def test_call_control_dies_during_calls(town: Town) -> None:
    """Calls go on; what ends meanwhile is reported until it is taken, and recorded once."""
    homes = [town.home() for _ in range(3)]
    calls = []
    for home in homes:
        placed, answer = town.phone(home).dial(MOBILE)
        assert answer.status == 200
        calls.append(placed)
    until(lambda: all(h.live_calls()[0]["state"] == "answered" for h in homes), "all are answered")
    town.platform.stack.kill("web")
    town.platform.stack.kill("work")
    for placed in calls:
        assert placed.hang_up().status == 200
    town.platform.wait_served()
    for home in homes:
        record = town.only_record(home)
        assert (record["cause"], record["ended_by"]) == ("normal", "caller"), record
    town.assert_nothing_left()


def test_kamailio_dies_during_calls(town: Town) -> None:
    """Its calls end as lost where it was last heard of, and the next ones are served."""
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    began = time.monotonic()
    until(lambda: home.live_calls()[0]["state"] == "answered", "the call is answered")
    time.sleep(2.5)
    town.edge.kill("kamailio")
    lasted = time.monotonic() - began
    town.edge.start_kamailio()
    record = town.only_record(home)
    assert record["cause"] == "lost", record
    assert record["duration_s"] <= lasted + 2
    assert record["price"] == f"{record['duration_s'] / 100:.2f}"
    again, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    again.hang_up()
    placed.ended.set()
    town.settled(home)
    town.assert_nothing_left()


def test_an_emergency_call_needs_no_call_control(town: Town) -> None:
    """112 goes out by the file on disk, anything else is 503; and the call has its record afterwards."""
    home = town.home()
    phone = town.phone(home)
    assert phone.register().status == 200
    time.sleep(1)  # the edge is told that the password is new, and forgets it
    assert phone.register().status == 200
    web = town.platform.stack.processes()["web"]
    web.suspend()
    try:
        placed, answer = phone.dial("112")
        assert answer.status == 200, answer.first
        leg = town.first.next_leg()
        assert leg.invite.uri.startswith("sip:112@")
        time.sleep(1.1)
        placed.hang_up()
        leg.wait_ended()
        _, refused = phone.dial(MOBILE)
        assert refused.status == 503
        assert refused.header(RETRY_AFTER) == "5"
    finally:
        web.resume()
    town.platform.wait_served()
    until(lambda: len(home.records()) == 2, "both are recorded")
    told = {record["callee"]: record for record in home.records()}
    assert told["+34112"]["price"] in (None, "0.00")
    assert told["+34112"]["duration_s"] >= 1, "the emergency call as it was"
    assert (told["+34600123123"]["duration_s"], told["+34600123123"]["sip_code"]) == (0, 503)
    town.settled(home)
    town.assert_nothing_left()


def test_a_caller_gives_up_while_the_call_is_decided(town: Town) -> None:
    """487, no carrier hears of it, and no slot stays taken."""
    home = town.home(max_calls=1)
    phone = town.phone(home)
    assert phone.register().status == 200
    web = town.platform.stack.processes()["web"]
    placed = phone.call(MOBILE)
    web.suspend()
    try:
        placed.authenticate()
        time.sleep(0.3)
        assert placed.cancel().status == 200
    finally:
        web.resume()
    assert placed.invite.final().status == 487
    until(lambda: home.usage()["active_calls"] == 0, "the slot is free")
    assert not town.first.invites()
    _, answer = phone.dial(MOBILE)
    assert answer.status == 200
    town.first.next_leg().hang_up()
    town.settled(home)
    town.assert_nothing_left()
