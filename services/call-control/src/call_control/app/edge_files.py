"""What edges keep on disk (contracts section 4): whose calls need no digest, and how an emergency call goes
out while call-control is away."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from random import Random
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from call_control.domain.address_book import AddressBook
from call_control.domain.admission import routing
from call_control.domain.admission.case import Case, Leg
from call_control.domain.admission.identity import is_address
from call_control.domain.admission.request import CallRequest
from call_control.domain.facts import BrandFacts, ClientFacts, DeviceFacts, Facts
from call_control.domain.rates import RateBook

NOBODY: Final = "anonymous"


class Peer(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An address or network, and what it is. `domain`: of a direct device's brand."""

    network: Annotated[str, Meta(description="Address or network in CIDR form, IPv4 or IPv6.")]
    kind: Annotated[
        str, Meta(description="`provider` (of DDIs), `device` (with a fixed address) or `carrier`.")
    ]
    transport: Annotated[str | None, Meta(description="Of a carrier's server; null: any.")] = None
    domain: Annotated[
        str | None, Meta(description="SIP domain of a device's brand; null for the others.")
    ] = None


class Peers(msgspec.Struct, frozen=True):
    """Answer of `GET /edges/peers`; `version` changes with the content."""

    version: Annotated[
        str, Meta(description="Changes with the content: the same one means nothing to reload.")
    ]
    peers: Annotated[list[Peer], Meta(description="Sorted, without repetitions.")]


class EmergencyNumber(msgspec.Struct, frozen=True, kw_only=True):
    """An emergency number of a SIP domain as dialled, the caller to show, and where it goes, in order."""

    domain: Annotated[str, Meta(description="SIP domain of the brand whose devices dial it.")]
    number: Annotated[str, Meta(description="As dialled.")]
    caller: Annotated[
        str | None, Meta(description="Number to show, in E.164; null: the brand has none, call anonymously.")
    ]
    routes: Annotated[tuple[Leg, ...], Meta(description="Servers to try in this order; never empty.")]


class Fallback(msgspec.Struct, frozen=True):
    """Answer of `GET /edges/fallback`."""

    version: Annotated[
        str, Meta(description="Changes with the content: the same one means nothing to reload.")
    ]
    emergency: Annotated[
        list[EmergencyNumber], Meta(description="Every emergency number of every brand, by domain.")
    ]


_encode = msgspec.json.Encoder(order="deterministic").encode


def peers_of(brands: Iterable[BrandFacts], addresses: AddressBook) -> Peers:
    """Providers, direct devices and carriers with a numeric address; names are DNS's to answer for."""
    found = {Peer(network=str(each.network), kind="provider") for each in addresses.all}
    for brand in brands:
        if not brand.enabled:
            continue
        found |= {
            Peer(network=address, kind="device", domain=brand.sip_domain) for address in brand.direct_devices
        }
        for carrier in brand.carriers.values():
            found |= {
                Peer(network=server.host, kind="carrier", transport=server.transport)
                for server in carrier.servers
                if is_address(server.host)
            }
    peers = sorted(found, key=_encode)
    return Peers(_version(peers), peers)


def fallback_of(brands: Iterable[BrandFacts]) -> Fallback:
    """Every emergency number of every brand's own country, routed as the pipeline would route it for a home
    without a number of its own. A number that no route takes is left out: the edge could not place it."""
    found = []
    for brand in sorted((b for b in brands if b.enabled), key=lambda b: b.sip_domain):
        for number in brand.emergency_numbers.of(brand.country):
            legs = _legs(brand, number)
            if legs:
                found.append(
                    EmergencyNumber(
                        domain=brand.sip_domain, number=number, caller=brand.emergency_caller, routes=legs
                    )
                )
    return Fallback(_version(found), found)


def _legs(brand: BrandFacts, number: str) -> tuple[Leg, ...]:
    client = ClientFacts(id="", brand_id=brand.id, name="", country=brand.country)
    device = DeviceFacts(id="", name=NOBODY)
    facts = Facts(brand.sip_domain, brand, client, device, False, RateBook({}, {}), lambda _: None)
    request = CallRequest(attempt_id="", sip_call_id="", source_ip="::", request_user=number)
    case = Case(request, facts, 0, Random(0))
    case.brand, case.client, case.device = brand, client, device
    case.dialled = case.callee = number
    case.call_class, case.withhold = "emergency", False
    case.shown, case.shown_by = brand.emergency_caller or NOBODY, "brand"
    case.on_net = False
    return case.legs if routing.judge(case) is None else ()


def _version(content: object) -> str:
    return hashlib.sha256(_encode(content)).hexdigest()[:16]
