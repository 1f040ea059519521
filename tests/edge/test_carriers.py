"""Which refusals of a carrier's server lead to the next one (domain.md 4.9); late answers."""

from __future__ import annotations

import time

import pytest

from tests.edge.dialog import Leg
from tests.edge.town import Town
from tests.support.world import MOBILE, until


@pytest.mark.parametrize("status", [403, 488, 500, 502, 503, 504])
def test_the_next_server_takes_what_one_refuses(town: Town, status: int) -> None:
    """The caller hears nothing of it; the record has both attempts."""
    town.first.when_called = lambda leg: leg.refuse(status)
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    leg = town.second.next_leg()
    assert leg.acknowledged.wait(5)
    placed.hang_up()
    leg.wait_ended()
    record = town.only_record(home)
    assert [each["sip_code"] for each in record["attempts"]][:1] == [status], record
    town.assert_nothing_left()


@pytest.mark.parametrize("status", [302, 404, 410, 480, 484, 486, 600, 603])
def test_what_the_callee_decided_is_final(town: Town, status: int) -> None:
    """No other server is asked, and a redirection of a carrier is never followed."""
    town.first.when_called = lambda leg: leg.refuse(status)
    home = town.home()
    _, answer = town.phone(home).dial(MOBILE)
    assert answer.status == status
    assert not town.second.invites()
    assert town.only_record(home)["price"] == "0.00"
    town.assert_nothing_left()


def test_no_other_server_once_it_rang(town: Town) -> None:
    """A 503 after a 180 is the end of the call; the caller hears 500, as RFC 3261 16.7 wants it."""

    def ring_then_fail(leg: Leg) -> None:
        leg.ring()
        time.sleep(0.2)  # back to back, Kamailio's UDP workers may take the 503 first
        leg.refuse(503)

    town.first.when_called = ring_then_fail
    home = town.home()
    _, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 500
    assert not town.second.invites()
    town.only_record(home)
    town.assert_nothing_left()


def test_a_silent_server_is_left_and_its_late_answer_ended(town: Town) -> None:
    """Its 200 gets an ACK and a BYE; the caller goes on talking with the second one."""
    town.first.quiet = True
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200
    second = town.second.next_leg()
    assert second.acknowledged.wait(5)
    town.first.quiet = False
    late = town.first.next_leg()
    late.pick_up()
    assert late.acknowledged.wait(5)
    late.wait_ended()
    time.sleep(1.5)
    assert [reply.header("To") for reply in placed.invite.replies if reply.status == 200] == [
        answer.header("To")
    ]
    assert not second.ended.is_set()
    placed.hang_up()
    second.wait_ended()
    town.only_record(home)
    town.assert_nothing_left()


def test_all_servers_fail(town: Town) -> None:
    """The last refusal is the caller's, and the call cost nothing."""
    for peer in (town.first, town.second):
        peer.when_called = lambda leg: leg.refuse(503)
    home = town.home()
    _, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 500
    record = town.only_record(home)
    assert len(record["attempts"]) == 2
    until(lambda: home.usage()["active_calls"] == 0, "no slot is taken")
    town.assert_nothing_left()
