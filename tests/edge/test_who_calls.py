"""Who a caller is: by its digest alone; and where it may call from."""

from __future__ import annotations

import pytest

from tests.edge.phone import Phone
from tests.edge.sip_message import user
from tests.edge.town import Town
from tests.support.world import MOBILE, PROVISIONING, until


def unspent(town: Town, home: object) -> None:
    """A refused caller leaves nothing: no call, no carrier that heard of it."""
    assert not town.first.invites()
    town.assert_nothing_left()


def test_a_wrong_password(town: Town) -> None:
    """403 to REGISTER and to INVITE, never an endless challenge; and it is counted."""
    home = town.home()
    phone = town.phone(home)
    good, phone.password = phone.password, "not the password 1"
    assert phone.register().status == 403
    _, refused = phone.dial(MOBILE)
    assert refused.status == 403
    phone.password = good
    assert phone.register().status == 200
    unspent(town, home)


def test_an_unknown_device(town: Town) -> None:
    """404 for a name the brand does not have."""
    home = town.home()
    stranger = town.phone(home, user="nobody")
    assert stranger.register().status == 404
    _, refused = stranger.dial(MOBILE)
    assert refused.status == 404
    assert refused.header("X-Landline-Reason") == "unknown_device"
    unspent(town, home)


def test_a_from_that_names_another_device(town: Town) -> None:
    """Identity is the digest's; a From that claims another device is refused."""
    home, other = town.home(), town.home()
    phone = town.phone(home)
    _, refused = phone.dial(MOBILE, shown=f"<sip:{other.device}@{home.brand.domain}>")
    assert (refused.status, refused.header("X-Landline-Reason")) == (403, "identity_mismatch")
    unspent(town, home)


def test_an_anonymous_from(town: Town) -> None:
    """Is fine: the digest says who calls, and the carrier is not told the number."""
    home = town.home()
    phone = town.phone(home)
    placed, answer = phone.dial(MOBILE, shown='"Anonymous" <sip:anonymous@anonymous.invalid>')
    assert answer.status == 200
    invite = town.first.next_leg().invite
    assert user(invite.header("From")) == "anonymous"
    assert invite.header("Privacy") == "id"
    assert home.number not in invite.encoded().decode()
    placed.hang_up()
    assert town.only_record(home)["caller"] == home.number
    town.assert_nothing_left()


def test_a_source_that_is_not_allowed(town: Town) -> None:
    """REGISTER and INVITE alike, until the address is an authorized source."""
    home = town.home()
    phone = town.phone(home)
    home.change(ip_filter=True)
    until(lambda: phone.register().status == 403, "the filter acts")
    _, refused = phone.dial(MOBILE)
    assert (refused.status, refused.header("X-Landline-Reason")) == (403, "source_not_allowed")
    source = {"client_id": home.id, "network": phone.ip}
    town.platform.api.post(f"{PROVISIONING}/authorized-sources", source)
    until(lambda: phone.register().status == 200, "the source is allowed")
    placed, answer = phone.dial(MOBILE)
    assert answer.status == 200
    placed.hang_up()
    town.only_record(home)
    town.assert_nothing_left()


def test_a_nonce_cannot_be_used_twice(town: Town) -> None:
    """What somebody overheard is worth nothing; the phone itself counts on (RFC 7616 3.4)."""
    phone = town.phone(town.home())
    challenged = phone.send_register(300)
    answer = phone.answer(challenged, "REGISTER", f"sip:{phone.domain}")
    assert phone.send_register(300, ("Authorization", answer)).status == 200
    replayed = phone.send_register(300, ("Authorization", answer))
    assert replayed.status == 401
    assert "stale=true" in replayed.header("WWW-Authenticate")
    again = phone.answer(challenged, "REGISTER", f"sip:{phone.domain}", count=2)
    assert phone.send_register(300, ("Authorization", again)).status == 200


def test_a_new_password_is_asked_for_at_once(town: Town) -> None:
    """The edge keeps credentials for a minute, and drops them when they change."""
    home = town.home()
    phone = town.phone(home)
    assert phone.register().status == 200
    old, phone.password = phone.password, town.password(home)
    assert phone.register().status == 200
    phone.password = old
    until(lambda: phone.register().status == 403, "the old password is refused")


@pytest.mark.parametrize(
    ("domain", "status", "reason"),
    [("127.0.0.1", 488, "domain_required"), ("sip.elsewhere.example", 403, "unknown_domain")],
)
def test_a_domain_that_is_no_brands(town: Town, domain: str, status: int, reason: str) -> None:
    """Told to the caller as what it is."""
    phone = Phone(f"{town.net}.99", town.edge.address, "casa", domain, "some password 1")
    try:
        _, refused = phone.dial(MOBILE)
        assert (refused.status, refused.header("X-Landline-Reason")) == (status, reason)
    finally:
        phone.close()
