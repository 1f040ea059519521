"""One platform and one edge for all stories; each story has homes of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.edge.certificate import certified
from tests.edge.dialog import Leg
from tests.edge.phone import Phone
from tests.edge.processes import Edge
from tests.edge.sip_peer import SipPeer
from tests.edge.town import Town
from tests.support.stack import running_stack
from tests.support.world import CALL_CONTROL, PROVISIONING, Brand, Platform, until

KNOBS = {
    "LANDLINE_LEASE_S": "2",
    "LANDLINE_HEARTBEAT_S": "1",
    "LANDLINE_CLAIM_S": "1",
    "LANDLINE_EDGE_SILENT_S": "12",  # longer than a killed call-control needs to be back on a busy machine
}


@pytest.fixture(scope="session")
def town_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Started once: it takes some seconds."""
    net = f"127.{random.randrange(2, 250)}.{random.randrange(1, 250)}"
    with running_stack(tmp_path_factory.mktemp("town") / "run", env=KNOBS) as stack:
        platform = Platform(stack)
        name = "edge-real"
        made = platform.api.post(f"{PROVISIONING}/edges", {"name": name})
        folder, ip = tmp_path_factory.mktemp("edge"), f"{net}.10"
        more = {"LANDLINE_EDGE_MEDIA": f"{net}.50:5060", **certified(folder, ip)}
        more["LANDLINE_EDGE_LISTEN"] = f"udp:{ip}:5060,tcp:{ip}:5060,tls:{ip}:5061"
        edge = Edge(folder, ip, name, str(made["key"]), stack.url, more)
        platform.api.patch(f"{PROVISIONING}/edges/{made['id']}", {"control_url": edge.control_url})
        first, second = SipPeer(f"{net}.30", 5060), SipPeer(f"{net}.31", 5060)
        media = SipPeer(f"{net}.50", 5060)
        provider = Phone(f"{net}.40", edge.address, "34600123123", "telco.example", None, port=5060)
        peers = [first, second, provider, media]
        brand = platform.brand("Town", features=["billing", "recordings", "voicemail"])
        town = Town(platform, edge, brand, net, first, second, provider, media)
        try:
            _lead_out(town.brand, [first.ip, second.ip])
            _lead_in(town)
            edge.start()
            yield town
        finally:
            edge.stop()
            for peer in peers:
                peer.close()


@pytest.fixture
def town(town_of_all: Town) -> Iterator[Town]:
    """Carriers answer at once, unless a story says otherwise; nothing is left after it."""
    peers = (town_of_all.first, town_of_all.second, town_of_all.provider, town_of_all.media)
    for peer in peers:
        peer.when_called = Leg.answer
        peer.seen.clear()
        while not peer.legs.empty():
            peer.legs.get()
    yield town_of_all
    town_of_all.forget_phones()


def _lead_out(brand: Brand, hosts: list[str]) -> None:
    """The brand's carrier has its servers here."""
    query = {"carrier_id": brand.ids["carriers"], "sort": "created_at"}
    servers = list(brand.api.items(f"{PROVISIONING}/carrier-servers", **query))
    for server, host in zip(servers, hosts, strict=True):
        brand.api.patch(f"{PROVISIONING}/carrier-servers/{server['id']}", {"host": host, "port": 5060})


def _lead_in(town: Town) -> None:
    """A DDI provider whose calls come from here; an emergency number."""
    api, own = town.platform.api, {"brand_id": town.brand.id}
    provider = api.post(f"{PROVISIONING}/ddi-providers", {**own, "name": "Telco"})
    address = {"ddi_provider_id": provider["id"], "network": town.provider.ip, "trusted": True}
    api.post(f"{PROVISIONING}/ddi-provider-addresses", address)
    api.post(f"{PROVISIONING}/emergency-numbers", {**own, "number": "112", "country": "ES"})
    route = {**own, "kind": "emergency", "mode": "static", "carrier_id": town.brand.ids["carriers"]}
    api.post(f"{PROVISIONING}/routes", route)
    edge = town.platform.edge()

    def known() -> bool:
        peers = edge.http.get(f"{CALL_CONTROL}/edges/peers").json()["peers"]
        numbers = edge.http.get(f"{CALL_CONTROL}/edges/fallback").json()["emergency"]
        # All countries' numbers come with the platform: what matters is where this brand's lead.
        led = any(town.first.ip in route["uri"] for number in numbers for route in number["routes"])
        return any(peer["kind"] == "provider" for peer in peers) and led

    until(known, "call-control knows provider and emergency number")
