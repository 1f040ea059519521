"""A caller who withholds: nothing that the far side ever receives names it, and the call works."""

from __future__ import annotations

import time

import pytest

from tests.edge.phone import Phone
from tests.edge.sip_message import address, user
from tests.edge.sip_peer import SipPeer
from tests.edge.town import Town
from tests.support.world import MOBILE, Home, until

NAME = "Ana Garcia"
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def talkative(home: Home) -> list[tuple[str, str]]:
    """Every header that a phone could name itself in."""
    me = f'"{NAME}" <sip:{home.number}@{home.brand.domain}>'
    headers = [(name, me) for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")]
    headers += [(name, me) for name in ("Reply-To", "Referred-By", "History-Info", "Call-Info", "Error-Info")]
    headers += [("Subject", f"Call of {NAME}"), ("Organization", NAME), ("X-Account", home.device)]
    return [*headers, ("User-Agent", f"Phone of {home.device}"), ("Server", f"Phone of {home.device}")]


def assert_unnamed(far: SipPeer, home: Home) -> None:
    """No octet of number, device or display name in anything that arrived."""
    for datagram in far.heard:
        for secret in (home.number[3:], home.device, NAME):
            assert secret.encode() not in datagram, datagram.decode()


@pytest.fixture
def home(town: Town) -> Home:
    """A home whose device is called like nothing else."""
    town.first.heard.clear()
    return town.home()


def withholding(town: Town, home: Home) -> Phone:
    """Its phone, which tells its name wherever it can."""
    phone = town.phone(home)
    phone.sdp_name = home.device
    return phone


def test_a_whole_call_names_nobody(town: Town, home: Home) -> None:
    """INVITE, ACK, re-INVITE both ways, UPDATE, INFO, BYE, and the replies to what the far side asks."""
    phone, told = withholding(town, home), talkative(home)
    placed, answer = phone.dial(MOBILE, *told, ("Privacy", "id"), shown=ANONYMOUS)
    assert answer.status == 200
    leg = town.first.next_leg()
    assert user(leg.invite.header("From")) == "anonymous"
    until(leg.acknowledged.is_set, "the ACK reached the far side")
    contact = address(leg.invite.header("Contact"))
    assert contact.endswith(f"@{town.edge.ip}:5060")
    again = placed.request("INVITE", ("Contact", phone.contact), *told, body=placed.sdp()).final()
    assert again.status == 200
    assert placed.request("UPDATE", ("Contact", phone.contact), *told).final().status == 200
    assert placed.request("INFO", *told).final().status == 200
    phone.more_in_replies = told
    asked = leg.request("INVITE", ("Contact", leg.peer.contact), body=leg.sdp()).final()
    assert asked.status == 200
    assert address(asked.header("Contact")) == contact
    inside = [m for m in phone.seen if m.method == "INVITE"]
    assert address(inside[0].uri) == address(phone.contact)
    assert leg.request("INFO").final().status == 200
    assert leg.hang_up().status == 200
    placed.wait_ended()
    assert_unnamed(town.first, home)
    assert town.only_record(home)["caller"] == home.number
    town.assert_nothing_left()


def test_a_call_that_is_given_up_names_nobody(town: Town, home: Home) -> None:
    """CANCEL too; and the caller hangs up another one."""
    phone, told = withholding(town, home), talkative(home)
    town.first.when_called = lambda leg: leg.ring()
    placed = phone.call(MOBILE, *told, ("Privacy", "id"), shown=ANONYMOUS)
    placed.authenticate()
    leg = town.first.next_leg()
    time.sleep(0.3)
    placed.cancel()
    until(leg.cancelled.is_set, "cancelled")
    town.first.when_called = type(leg).answer
    placed, answer = phone.dial(MOBILE, *told, ("Privacy", "id"), shown=ANONYMOUS)
    assert answer.status == 200
    second = town.first.next_leg()
    placed.request("BYE", *told).final()
    second.wait_ended()
    assert_unnamed(town.first, home)
    until(lambda: len(home.records()) == 2, "two records")
    town.assert_nothing_left()


def test_a_name_in_a_second_body_part_stays_here(town: Town, home: Home) -> None:
    """Of a body in parts only the SDP goes on."""
    phone = withholding(town, home)
    phone.beside_sdp = f"Content-Type: text/vcard\r\n\r\nFN:{NAME}"
    placed, answer = phone.dial(MOBILE, ("Privacy", "id"), shown=ANONYMOUS)
    assert answer.status == 200
    invite = town.first.next_leg().invite
    assert invite.header("Content-Type") == "application/sdp"
    assert "m=audio" in invite.body
    placed.hang_up()
    assert_unnamed(town.first, home)
    town.only_record(home)
    town.assert_nothing_left()


def test_a_phone_does_not_learn_who_withholds(town: Town, home: Home) -> None:
    """A call from outside that withholds, to a registered phone."""
    callee = town.answering(home)
    until(lambda: town.simulated(home)["decision"] == "allow", "the number leads to the phone")
    callee.heard.clear()
    placed, answer = town.provider.dial(home.number, ("Privacy", "id"), ("Subject", "34600123123 calls"))
    assert answer.status == 200
    leg = callee.next_leg()
    assert leg.request("INFO").final().status == 200
    leg.hang_up()
    placed.wait_ended()
    assert not [each for each in callee.heard if b"600123123" in each]
    town.only_record(home)
    town.assert_nothing_left()
