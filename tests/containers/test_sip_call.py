"""A phone calls through the Kamailio and the rtpengine of the containers, and the platform hangs up on it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.containers.containers import ROOT, Containers
from tests.edge.phone import Phone
from tests.edge.sip_peer import SipPeer
from tests.support.world import MOBILE, PROVISIONING, Brand, Home, Platform, until

NUMBER = "+34944999001"
DOMAIN = "sip.first.example"


@dataclass
class Street:
    """A home with a phone, and the carrier that its calls go to, on addresses of this machine."""

    home: Home
    phone: Phone
    carrier: SipPeer


@pytest.fixture(scope="module")
def street(containers: Containers, platform: Platform) -> Iterator[Street]:
    """As deploy/README.md says: first_brand.py, then the profile `edge`."""
    net = f"127.{random.randrange(2, 250)}.{random.randrange(1, 250)}"
    carrier = SipPeer(f"{net}.30", 5060)
    password = _first_brand(containers, carrier.ip)
    containers.env["LANDLINE_EDGE_LISTEN"] = f"udp:{net}.10:5060"
    containers.env["LANDLINE_MEDIA_INTERFACE"] = f"{net}.10"
    containers.up("--profile", "edge")
    home = _home(platform)
    phone = Phone(f"{net}.50", (f"{net}.10", 5060), home.device, DOMAIN, password)
    yield Street(home, phone, carrier)
    phone.close()
    carrier.close()


def _first_brand(containers: Containers, carrier: str) -> str:
    """The phone's password, as the script says it."""
    words = ["--url", containers.url, "--domain", DOMAIN, "--number", NUMBER, "--carrier", carrier]
    words += ["--prefix", "+34=0.60", "+=60", "--control-url", containers.control_url]
    program = [sys.executable, str(ROOT / "deploy" / "first_brand.py"), *words]
    done = subprocess.run(program, env=containers.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("password ")[1].strip()


def _home(platform: Platform) -> Home:
    """What the script made, once call-control lets it call."""
    [brand] = platform.api.items(f"{PROVISIONING}/brands", sip_domain=DOMAIN)
    [device] = platform.api.items(f"{PROVISIONING}/devices", brand_id=brand["id"])
    [ddi] = platform.api.items(f"{PROVISIONING}/ddis", brand_id=brand["id"])
    made = Brand(platform, brand["id"], DOMAIN)
    home = Home(made, device["client_id"], device["id"], device["name"], ddi["id"], NUMBER)
    until(lambda: made._callable(home), "call-control knows the first client")
    return home


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
    assert refused.returncode != 0, "the inner network leads nowhere"


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
