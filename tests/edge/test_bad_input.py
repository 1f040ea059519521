"""What is malformed, hostile or too much: Kamailio and call-control stay up, and nothing leaks."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import quote

import pytest

from tests.edge.phone import Phone
from tests.edge.sip_message import Message, parse, token
from tests.edge.torture import METACHARACTERS, messages
from tests.edge.town import Town
from tests.support.world import MOBILE, PROVISIONING


def assert_serves(town: Town) -> None:
    """An ordinary call still works, and nothing is left of anything else."""
    home = town.home()
    placed, answer = town.phone(home).dial(MOBILE)
    assert answer.status == 200, answer.first
    placed.hang_up()
    town.settled(home)
    town.assert_nothing_left()


def test_torture_messages(town: Town) -> None:
    """None of them is answered with success, ends a process, or takes a slot."""
    home = town.home()
    phone = town.phone(home)
    me = f"{phone.ip}:{phone.port}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((phone.ip, 0))
        sender.settimeout(0.3)
        for name, data in messages(town.edge.ip, me, home.brand.domain, home.device).items():
            sender.sendto(data, town.edge.address)
            try:
                reply = parse(sender.recv(65535), town.edge.address)
            except TimeoutError:
                continue
            assert reply is None or not 200 <= reply.status < 300, name
    assert not town.first.invites()
    assert not home.records()
    assert_serves(town)


class AllContacts(Phone):
    """A phone that names all its contacts at once."""

    contact = "*"


def test_all_contacts_at_once_can_only_be_taken_away(town: Town) -> None:
    """RFC 3261 10.3, step 6: 400; a 503 would have the phone try for ever."""
    home = town.home()
    phone = town.answering(home)
    every = AllContacts(f"{town.net}.99", town.edge.address, home.device, home.brand.domain, phone.password)
    try:
        assert every.register(expires=300).status == 400
        assert town.provider.dial(home.number)[1].status == 200
        assert every.register(expires=0).status == 200
    finally:
        every.close()
    phone.next_leg().hang_up()
    town.settled(home)
    assert town.provider.dial(home.number)[1].status == 480
    town.assert_nothing_left()


@pytest.mark.parametrize("text", METACHARACTERS)
def test_metacharacters_are_only_text(town: Town, text: str) -> None:
    """In the display name, the user agent and the number: never more than characters of a string."""
    home = town.home()
    phone = town.phone(home)
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = f'"{quoted}" <sip:{home.device}@{home.brand.domain}>'
    agent = ("User-Agent", text)
    placed, answer = phone.dial(
        MOBILE, agent, ("P-Asserted-Identity", f'"{quoted}" <sip:{quote(text)}@x>'), shown=shown
    )
    if answer.status == 200:
        leg = town.first.next_leg()
        assert f"sip:{home.number}@" in leg.invite.header("From"), leg.invite.header("From")
        placed.hang_up()
    else:
        assert 400 <= answer.status < 500, answer.first
    placed, answer = phone.dial(f"00346{quote(text)}")
    assert 400 <= answer.status < 500 or answer.status == 200, answer.first
    if answer.status == 200:
        placed.hang_up()
    town.settled(home)
    town.assert_nothing_left()


def flood(town: Town, ip: str, message: Message, seconds: float, per_s: int) -> int:
    """Send a request again and again, each a transaction of its own; how many were sent."""
    sent, began = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((ip, 0))
        sender.setblocking(False)
        while (now := time.monotonic() - began) < seconds:
            while sent < now * per_s:
                one = [(k, v.replace("BRANCH", token())) for k, v in message.headers]
                sender.sendto(Message(message.first, one).encoded(), town.edge.address)
                sent += 1
            time.sleep(0.002)
    return sent


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_a_flood_from_one_source(town: Town, method: str) -> None:
    """2,000 a second from one address are dropped; a phone elsewhere is served meanwhile, within seconds."""
    home = town.home()
    phone = town.phone(home)
    ip, domain = f"{town.net}.97", home.brand.domain
    uri = f"sip:{domain}" if method == "REGISTER" else f"sip:0034600123123@{domain}"
    me = f"<sip:nobody@{domain}>"
    headers = [
        ("Via", f"SIP/2.0/UDP {ip}:5062;branch=z9hG4bKBRANCH"),
        ("From", f"{me};tag=BRANCH"),
        ("To", me),
    ]
    headers += [
        ("Call-ID", "BRANCH"),
        ("CSeq", f"1 {method}"),
        ("Max-Forwards", "70"),
        ("Contact", f"<sip:a@{ip}>"),
    ]
    attack = Message(f"{method} {uri} SIP/2.0", headers)
    count: list[int] = []
    attacker = threading.Thread(target=lambda: count.append(flood(town, ip, attack, 6.0, 2000)))
    attacker.start()
    time.sleep(1.5)
    assert phone.register().status == 200
    placed, answer = phone.dial(MOBILE)
    assert answer.status == 200, answer.first
    placed.hang_up()
    attacker.join()
    assert count[0] > 6_000, "the flood was none"
    town.settled(home)
    assert_serves(town)


def test_a_guesser_is_banned(town: Town) -> None:
    """Ten names from one address: it is not listened to any more, until its time or an operator ends it."""
    home, address = town.home(), f"{town.net}.96"
    guesser = Phone(address, town.edge.address, "x", home.brand.domain, "guess number 1")
    try:
        for n in range(12):
            guesser.user = guesser.auth_user = f"guess{n}"
            request = guesser._send_register(300)
            try:
                reply = request.final(within_s=2)
            except AssertionError:
                break
            credentials = ("Authorization", guesser.answer(reply, "REGISTER", f"sip:{guesser.domain}"))
            guesser.send_register(300, credentials)
        else:
            pytest.fail("still answered after twelve names")
        assert n >= 10
        (ban,) = town.platform.api.get(f"{PROVISIONING}/banned-addresses", address=address)["items"]
        assert {f["domain"] for f in ban["failures"]} == {home.brand.domain}
        lifted = town.platform.api.http.delete(f"{PROVISIONING}/banned-addresses/{address}")
        assert lifted.status_code == 204
        assert guesser._send_register(300).final(within_s=5).status == 401, "listened to again at once"
    finally:
        guesser.close()
    assert_serves(town)
