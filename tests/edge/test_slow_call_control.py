"""Call-control hangs: it takes connections and answers nobody. Emergency calls go out at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.edge.dialog import Leg
from tests.edge.phone import Phone
from tests.edge.town import Town
from tests.support.world import MOBILE, PROVISIONING, Home, until

AT_ONCE = 60


@contextmanager
def hanging(town: Town) -> Iterator[None]:
    """Its processes are stopped, their sockets stay open."""
    processes = [town.platform.stack.processes()[role] for role in ("web",)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()
        town.platform.wait_served()


def emergency_within(phone: Phone, town: Town) -> float:
    """How long an emergency call takes to reach the far side."""
    town.first.legs.queue.clear()
    began = time.monotonic()
    placed = phone.call("112")
    answer = placed.dial(15)
    lasted = time.monotonic() - began
    assert answer.status == 200, answer.first
    placed.hang_up()
    return lasted


def test_many_calls_that_wait_do_not_hold_up_an_emergency_call(town: Town) -> None:
    """More of them than there are workers: what can't be asked is refused, and 112 rings within a second."""
    home, phone = known(town)
    with hanging(town):
        waiting = [phone.call(MOBILE) for _ in range(AT_ONCE)]
        for placed in waiting:
            placed.authenticate()
        time.sleep(0.3)
        lasted = emergency_within(phone, town)
        assert lasted < 1.0, lasted
        answers = [placed.invite.final(30) for placed in waiting]
        assert {answer.status for answer in answers} == {503}
        assert {answer.header("Retry-After") for answer in answers} == {"5"}
    settled(town, home)


def test_many_failures_at_once_do_not_hold_up_an_emergency_call(town: Town) -> None:
    """What follows a busy phone is asked by no SIP worker; the caller hears what the phone said."""
    home, caller = known(town)
    called = town.home(max_calls=AT_ONCE)
    device = f"{PROVISIONING}/devices/{called.device_id}"
    town.platform.api.patch(device, {"max_calls": 20})
    phone = town.answering(called)
    until(lambda: town.simulated(called)["decision"] == "allow", "the number leads to the phone")
    phone.when_called = Leg.ring
    placed = [town.provider.call(called.number) for _ in range(20)]
    until(lambda: phone.legs.qsize() == 20, str([each.authenticate().first for each in placed]), 10)
    legs = [phone.next_leg() for _ in placed]
    with hanging(town):
        for leg in legs:
            leg.refuse(486, "Busy Here")
        time.sleep(0.3)
        lasted = emergency_within(caller, town)
        assert lasted < 1.5, lasted  # nobody hangs yet when it is asked: a second, then the file
        answers = {each.invite.final(30).status for each in placed}
    assert answers <= {486, 503}
    settled(town, home)


def known(town: Town) -> tuple[Home, Phone]:
    """A home whose phone has registered: its credentials are at the edge for a minute."""
    home = town.home(max_calls=AT_ONCE)
    phone = town.phone(home)
    assert phone.register().status == 200
    time.sleep(1)  # the edge is told that the password is new, and forgets it
    assert phone.register().status == 200
    return home, phone


def settled(town: Town, home: Home) -> None:
    """The emergency call has its record, and nothing else of the home is left."""
    until(lambda: [each for each in home.records() if each["callee"] == "+34112"], "its record")
    town.assert_nothing_left()
