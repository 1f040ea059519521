"""A phone calls through the Kamailio and the rtpengine of the containers, and the platform hangs up on it."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.containers.containers import Containers
from tests.edge.phone import Phone
from tests.edge.sip_peer import SipPeer
from tests.support.world import CALL_CONTROL, MOBILE, PROVISIONING, Brand, Home, Platform, until


@dataclass
class Street:
    """A home with a phone, and the carrier that its calls go to, on addresses of this machine."""

    brand: Brand
    home: Home
    phone: Phone
    carrier: SipPeer


@pytest.fixture(scope="module")
def street(containers: Containers, platform: Platform) -> Iterator[Street]:
    """The edge as deploy/README.md says: its row, its key as a secret, then the profile `edge`."""
    net = f"127.{random.randrange(2, 250)}.{random.randrange(1, 250)}"
    address = (f"{net}.10", 5060)
    made = platform.api.post(
        f"{PROVISIONING}/edges", {"name": "edge1", "control_url": containers.control_url}
    )
    (containers.secrets / "edge_key").write_text(str(made["key"]))
    containers.env |= {
        "LANDLINE_EDGE_LISTEN": f"udp:{address[0]}:5060",
        "LANDLINE_MEDIA_INTERFACE": address[0],
    }
    brand = platform.brand("Sip")
    carrier = SipPeer(f"{net}.30", 5060)
    query = {"carrier_id": brand.ids["carriers"], "sort": "created_at"}
    for server, host in zip(
        platform.api.items(f"{PROVISIONING}/carrier-servers", **query), (carrier.ip, f"{net}.31"), strict=True
    ):
        place = {"host": host, "port": 5060}
        platform.api.patch(f"{PROVISIONING}/carrier-servers/{server['id']}", place)
    home = brand.home(billing_method="prepaid", balance="1.00")
    containers.up("--profile", "edge")
    phone = Phone(f"{net}.50", address, home.device, brand.domain, _password(platform, home))
    yield Street(brand, home, phone, carrier)
    phone.close()
    carrier.close()


def _password(platform: Platform, home: Home) -> str:
    """The device's, made anew and known to call-control."""
    path = f"{PROVISIONING}/devices/{home.device_id}"
    password = str(platform.api.patch(path, {"reset_credentials": True})["password"])
    ha1 = hashlib.md5(f"{home.device}:{home.brand.domain}:{password}".encode()).hexdigest()
    asked = {"user": home.device, "domain": home.brand.domain}

    def known() -> bool:
        answer = platform.edge().http.get(f"{CALL_CONTROL}/credentials", params=asked)
        return answer.status_code == 200 and answer.json()["ha1"] == ha1

    until(known, "call-control knows the password")
    return password


def test_a_phone_registers_and_calls(containers: Containers, street: Street) -> None:
    """Digest, the home's number towards the carrier, two seconds on the bill; media by rtpengine."""
    assert street.phone.register().status == 200
    placed, answer = street.phone.dial(MOBILE)
    assert answer.status == 200, answer.first
    leg = street.carrier.next_leg()
    until(lambda: street.home.live_calls()[0]["state"] == "answered", "call-control knows of the answer")
    time.sleep(2.1)
    assert placed.hang_up().status == 200
    leg.wait_ended()
    [record] = until(street.home.records, "a record")
    assert record["duration_s"] in (2, 3, 4)
    assert record["price"] == f"0.0{record['duration_s']}"
    assert record["caller"] == street.home.number
    street.home.settled()
    containers.assert_books_hold()


def test_the_edge_takes_commands_from_inside(containers: Containers, street: Street) -> None:
    """Hang up, extend, forget a password: at once, and only from the containers' own network."""
    asked = '{"jsonrpc": "2.0", "id": 1, "method": "landline.reload", "params": []}'
    send = f"urlopen('{containers.control_url}', b'{asked}', timeout=5).read().decode()"
    ask = f"from urllib.request import urlopen; print({send})"
    assert '"result":"ok"' in containers.passes("call-control", "python", "-c", ask)
    refused = containers.run_in("billing", "python", "-c", ask)
    assert "unreachable" in refused.stderr, "the inner network leads nowhere"


def test_the_edge_has_no_more_rights_than_the_others(containers: Containers, street: Street) -> None:
    """The host's network is all that it shares with the host."""
    found = containers.inspected()
    for name in ("kamailio", "edge-agent", "rtpengine"):
        each = found[name]
        assert each["State"]["Health"]["Status"] == "healthy", name
        assert each["HostConfig"]["NetworkMode"] == "host"
        assert each["HostConfig"]["CapDrop"] == ["ALL"]
        assert each["HostConfig"]["ReadonlyRootfs"] is True
        assert not each["HostConfig"]["Privileged"]
        assert each["Config"]["User"] not in ("", "0", "root")
