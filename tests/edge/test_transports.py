"""Devices over TCP and TLS: nothing listens at their end, so calls come back over their connection."""

from __future__ import annotations

import socket
import ssl

import pytest

from tests.edge.certificate import certified, trusting
from tests.edge.town import Town
from tests.support.world import MOBILE, PROVISIONING, until


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_phone_over_a_connection_registers_calls_and_is_called(town: Town, protocol: str) -> None:
    """Large INVITEs must not travel over UDP (RFC 3261 18.1.1); phones behind NAT keep one connection."""
    home = town.home()
    phone = town.connected(home, trusting(town.edge.folder) if protocol == "tls" else None)
    assert phone.register().status == 200
    [registration] = town.platform.api.get(f"{PROVISIONING}/devices/{home.device_id}/registrations")["items"]
    assert f"transport={protocol}" in registration["contact"]
    placed, answer = phone.dial(MOBILE)
    assert answer.status == 200
    leg = town.first.next_leg()
    placed.hang_up()
    leg.wait_ended()

    ddi = {"target": "device", "device_id": home.device_id}
    town.platform.api.patch(f"{PROVISIONING}/ddis/{home.ddi_id}", ddi)
    until(lambda: town.provider.dial(home.number)[1].status == 200, "the number leads to the phone")
    called = phone.next_leg()
    called.hang_up()
    until(lambda: len(home.records()) >= 2, "both calls are on record")
    town.assert_nothing_left()


def test_a_renewed_certificate_is_used_without_a_restart(town: Town) -> None:
    """Certificates last 90 days; a restart would end every call in the books."""
    home, before = town.home(), trusting(town.edge.folder)
    standing = town.connected(home, before)
    assert standing.register().status == 200
    certified(town.edge.folder, town.edge.ip)
    after = trusting(town.edge.folder)
    until(lambda: can_connect(town, after), "the edge shows the new certificate")
    assert not can_connect(town, before)
    assert standing.register().status == 200, "a connection that stands goes on"
    assert town.connected(home, after).register().status == 200


def can_connect(town: Town, trust: ssl.SSLContext) -> bool:
    """Whether a phone with that trust accepts what the edge shows."""
    with socket.create_connection(town.edge.tls_address, timeout=5) as raw:
        try:
            trust.wrap_socket(raw, server_hostname=town.edge.ip).close()
        except ssl.SSLError:
            return False
    return True
