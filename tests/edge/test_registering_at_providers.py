"""Accounts at DDI providers: the edge registers them, and calls to its Contact come in as that provider's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.edge.registrar import Registrar
from tests.edge.sip_message import address, token, user
from tests.edge.town import Row, Town
from tests.support.world import PROVISIONING, until

PASSWORD = "trunk password 1"


@pytest.fixture
def registrar(town: Town) -> Iterator[Registrar]:
    """A provider at an address that no DDI provider address names."""
    made = Registrar(f"{town.net}.60", town.edge.address, f"t{token()}", "trunk.telco.example", PASSWORD)
    try:
        yield made
    finally:
        made.close()


class Account:
    """One `ddi-provider-registrations` row at the registrar."""

    def __init__(self, town: Town, registrar: Registrar, **fields: Any) -> None:
        self.api, self.town, self.registrar = town.platform.api, town, registrar
        name = f"Trunk of {registrar.account}"
        provider = self.api.post(f"{PROVISIONING}/ddi-providers", {"brand_id": town.brand.id, "name": name})
        body = {
            "ddi_provider_id": provider["id"],
            "username": registrar.account,
            "domain": registrar.domain,
            "auth_password": PASSWORD,
            "auth_proxy": f"sip:{registrar.ip}:5060",
            "expires_s": 300,
        }
        made = self.api.post(f"{PROVISIONING}/ddi-provider-registrations", {**body, **fields})
        self.provider_id, self.id = provider["id"], made["id"]
        self.path = f"{PROVISIONING}/ddi-provider-registrations/{self.id}"

    def status(self) -> Row:
        """As operators see it."""
        return dict(self.api.get(f"{self.path}/status"))

    def is_registered(self) -> str:
        """Waits; the Contact."""
        until(lambda: self.status()["state"] == "registered", "registered", within_s=30)
        [contact] = self.registrar.contacts
        return contact

    def forget(self) -> None:
        """Deleted, and unregistered at the provider."""
        path = f"{PROVISIONING}/ddi-providers/{self.provider_id}"
        assert self.api.http.delete(path).status_code == 204
        until(lambda: not self.registrar.contacts, "unregistered", within_s=30)


def test_the_edge_registers_and_the_providers_calls_come_in(town: Town, registrar: Registrar) -> None:
    """Challenged, registered, called from an address that nobody configured, unregistered when deleted."""
    home = town.home()
    phone = town.answering(home)
    account = Account(town, registrar)
    contact = account.is_registered()
    status = account.status()
    assert (status["edge"], status["sip_code"]) == (town.edge.name, 200)
    assert status["since"] < status["expires_at"]
    assert len(user(contact)) == 32
    placed, answer = registrar.calls_in(contact, home.number)
    assert answer.status == 200, answer.first
    leg = phone.next_leg()
    assert user(leg.invite.header("From")) == "600123123"
    placed.hang_up()
    leg.wait_ended()
    record = town.only_record(home)
    assert (record["direction"], record["caller"]) == ("inbound", "+34600123123")
    judged = town.simulated(home, source_ip=registrar.ip, registration_id=account.id)["trace"]
    assert f"provider Trunk of {registrar.account}" in [line["detail"] for line in judged]
    account.forget()
    until(lambda: registrar.calls_in(contact, home.number)[1].status == 407, "the Contact is nobody's now")
    town.assert_nothing_left()


def test_a_contact_that_can_be_guessed_is_believed_from_its_registrar_only(
    town: Town, registrar: Registrar
) -> None:
    """Who knows the number is not the provider; the number called is the Contact's own."""
    home = town.home()
    phone = town.answering(home)
    account = Account(town, registrar, contact_username=home.number)
    contact = account.is_registered()
    assert user(contact) == home.number
    stranger = Registrar(f"{town.net}.61", town.edge.address, "x", "elsewhere.example", "y")
    try:
        assert stranger.calls_in(contact, home.number)[1].status == 407
    finally:
        stranger.close()
    placed, answer = registrar.calls_in(contact, "anybody")
    assert answer.status == 200, answer.first
    phone.next_leg()
    placed.hang_up()
    town.only_record(home)
    account.forget()
    town.assert_nothing_left()


def test_a_refused_account_is_tried_again_and_says_why(town: Town, registrar: Registrar) -> None:
    """The provider's code, since when; a wrong password, put right, registers at once."""
    registrar.refuse = (403, "No such account")
    account = Account(town, registrar, auth_password="wrong password 1")
    until(lambda: account.status()["state"] == "failed", "failed", within_s=30)
    assert account.status()["sip_code"] == 403
    registrar.refuse = None
    until(lambda: account.status()["sip_code"] == 401, "the password is wrong", within_s=30)
    assert (account.status()["state"], registrar.contacts) == ("failed", {})
    account.api.patch(account.path, {"auth_password": PASSWORD})
    account.is_registered()
    account.api.patch(account.path, {"enabled": False})
    until(lambda: not registrar.contacts, "unregistered", within_s=30)
    assert account.status()["state"] == "disabled"
    account.forget()


def test_a_registration_is_renewed_and_survives_a_new_kamailio(town: Town, registrar: Registrar) -> None:
    """What the provider grants is short here: it is renewed before it ends."""
    registrar.granted_s = 8
    account = Account(town, registrar)
    contact = account.is_registered()
    first = registrar.registered.get(timeout=10)
    again = registrar.registered.get(timeout=20)
    assert address(again.header("Contact")) == contact == address(first.header("Contact"))
    assert account.status()["state"] == "registered"
    town.edge.kill("kamailio")
    registrar.contacts.clear()
    town.edge.start_kamailio()
    until(lambda: list(registrar.contacts) == [contact], "registered again", within_s=30)
    account.forget()
