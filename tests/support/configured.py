"""A configured brand for tests of admission: rows as provisioning and billing publish them.

One brand (sip.brand.example, partition 17); client Casa (prepaid, Spanish dialling) with devices casa1 and
casa2 and two DDIs; a carrier with two servers; a route for all numbers; a deck of three prefixes.
`changes` of each function are fields of its row.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from call_control.adapters.placement import Change
from landline.numbering.countries import dial_plan
from landline.numbering.generator import generate
from landline.rating.deck_file import DeckMeta, DeckRow, write_deck
from landline.rating.tariff import Price, Tier

BRAND = "019a0000-0000-7000-8000-000000000001"
CLIENT = "019a0000-0000-7000-8000-00000000000c"
DEVICE = "019a0000-0000-7000-8000-00000000000d"
OTHER_DEVICE = "019a0000-0000-7000-8000-0000000000d2"
DDI = "019a0000-0000-7000-8000-0000000000a1"
DDI_2 = "019a0000-0000-7000-8000-0000000000a2"
CARRIER = "019a0000-0000-7000-8000-0000000000b1"
SERVER = "019a0000-0000-7000-8000-0000000000b2"
SERVER_2 = "019a0000-0000-7000-8000-0000000000b3"
PATTERN = "019a0000-0000-7000-8000-0000000000e1"
ROUTE = "019a0000-0000-7000-8000-0000000000e2"
SET = "019a0000-0000-7000-8000-0000000000f1"
PLAN = "019a0000-0000-7000-8000-000000000091"
DECK = "019a0000-0000-7000-8000-000000000092"
PROFILE = "019a0000-0000-7000-8000-000000000093"
EDGE = "019a0000-0000-7000-8000-000000000099"
PARTITION = 17
DOMAIN = "sip.brand.example"
NUMBER = "+34944048182"
NUMBER_2 = "+34944048183"
MOBILE = "+34600123123"
PROVIDER = "019a0000-0000-7000-8000-000000000071"
PROVIDER_ADDRESS = "019a0000-0000-7000-8000-000000000072"
KEY = "llk_0123abcd_" + "k" * 43


def row(entity: str, entity_id: str, data: dict[str, Any] | None, version: int = 1, **more: Any) -> Change:
    """A row of the brand; `brand_id` and `client_id` as in an event's envelope."""
    known = {"brand_id": BRAND, "client_id": None, "position": "1-0", **more}
    return Change(entity=entity, entity_id=entity_id, version=version, data=data, **known)


def brand(version: int = 1, **changes: Any) -> Change:
    data: dict[str, Any] = {
        "name": "Brand",
        "sip_domain": DOMAIN,
        "partition": PARTITION,
        "max_calls": 0,
        "country": "ES",
    }
    return row("brand", BRAND, {**data, **changes}, version)


def client(version: int = 1, **changes: Any) -> Change:
    data: dict[str, Any] = {
        "brand_id": BRAND,
        "name": "Casa Garcia",
        "billing_method": "prepaid",
        "country": "ES",
        "language": "es",
        "timezone": "Europe/Madrid",
        "currency": "EUR",
        "transformation_set_id": SET,
        "max_calls": 2,
        "max_daily_usage": None,
        "outgoing_ddi_id": DDI,
    }
    return row("client", CLIENT, {**data, **changes}, version, client_id=CLIENT)


def device(name: str = "casa1", device_id: str = DEVICE, version: int = 1, **changes: Any) -> Change:
    data: dict[str, Any] = {"name": name, "client_id": CLIENT, "direct_connectivity": False, "enabled": True}
    return row("device", device_id, {**data, **changes}, version, client_id=CLIENT)


def ddi(
    ddi_id: str = DDI, number: str = NUMBER, version: int = 1, owner: str | None = CLIENT, **changes: Any
) -> Change:
    data: dict[str, Any] = {
        "number": number,
        "client_id": owner,
        "kind": "inout",
        "state": "active",
        "record": "none",
    }
    return row("ddi", ddi_id, {**data, **changes}, version, client_id=owner)


def provider(provider_id: str = PROVIDER, version: int = 1, **changes: Any) -> Change:
    return row("ddi_provider", provider_id, {"name": "Telco", "enabled": True, **changes}, version)


def provider_address(
    network: str, provider_id: str = PROVIDER, address_id: str = PROVIDER_ADDRESS, **changes: Any
) -> Change:
    data = {"brand_id": BRAND, "ddi_provider_id": provider_id, "network": network, "trusted": True}
    return row("ddi_provider_address", address_id, {**data, **changes})


FILTER = "019a0000-0000-7000-8000-0000000000c1"
LIST = "019a0000-0000-7000-8000-0000000000c2"
ALLOW = "019a0000-0000-7000-8000-0000000000c3"


def listed(value: str, list_id: str = LIST, owner: str | None = CLIENT, **changes: Any) -> Change:
    """An entry of a match list: a number, or, when it does not begin with a plus, an expression."""
    kind = "number" if value.startswith("+") else "regex"
    data = {"match_list_id": list_id, "kind": kind, "number": None, "regex": None, kind: value, **changes}
    entry_id = str(uuid5(NAMESPACE_OID, f"{list_id}{value}"))
    return row("match_list_entry", entry_id, data, client_id=owner)


def call_filter(version: int = 1, **changes: Any) -> Change:
    return row("call_filter", FILTER, {"name": "Quiet", **changes}, version, client_id=CLIENT)


def call_forward(kind: str, number: str | None = None, device_id: str = DEVICE, **changes: Any) -> Change:
    """An enabled forward of a device: to a number, or, without one, to its voicemail box."""
    target = "voicemail" if number is None else "number"
    data = {"device_id": device_id, "kind": kind, "enabled": True, "target": target, "number": number}
    forward_id = str(uuid5(NAMESPACE_OID, f"{device_id}{kind}"))
    return row("call_forward", forward_id, {**data, **changes}, client_id=CLIENT)


def source(network: str, source_id: str = "019a0000-0000-7000-8000-000000000051", version: int = 1) -> Change:
    return row("authorized_source", source_id, {"network": network}, version, client_id=CLIENT)


def carrier(version: int = 1, carrier_id: str = CARRIER, **changes: Any) -> Change:
    return row("carrier", carrier_id, {"name": f"Carrier {carrier_id[-2:]}", **changes}, version)


def server(server_id: str = SERVER, version: int = 1, **changes: Any) -> Change:
    data: dict[str, Any] = {
        "carrier_id": CARRIER,
        "host": "198.51.100.9",
        "port": 5060,
        "transport": "udp",
        "send_pai": True,
    }
    return row("carrier_server", server_id, {**data, **changes}, version)


def pattern(prefix: str = "+", pattern_id: str = PATTERN, version: int = 1) -> Change:
    return row("destination_pattern", pattern_id, {"name": prefix, "prefix": prefix}, version)


def route(route_id: str = ROUTE, version: int = 1, **changes: Any) -> Change:
    data: dict[str, Any] = {
        "kind": "pattern",
        "mode": "static",
        "destination_pattern_id": PATTERN,
        "carrier_id": CARRIER,
        "carrier_ids": [],
        "client_id": None,
    }
    return row("route", route_id, {**data, **changes}, version)


def spanish_dialling() -> list[Change]:
    """A transformation set as provisioning generates it for Spain."""
    rules = [
        row(
            "transformation_rule",
            f"019a0000-0000-7000-8000-0000000001{number:02d}",
            {
                "transformation_set_id": SET,
                "direction": rule.direction,
                "priority": rule.priority,
                "match": rule.match,
                "replace": rule.replace,
            },
        )
        for number, rule in enumerate(generate(dial_plan("ES")))
    ]
    return [row("transformation_set", SET, {"name": "Spain"}), *rules]


def edge(version: int = 1, key: str = KEY, edge_id: str = EDGE, **changes: Any) -> Change:
    from landline.chassis.api_keys import key_parts

    parts = key_parts(key)
    assert parts is not None
    data: dict[str, Any] = {
        "name": "edge1",
        "key_prefix": parts.prefix,
        "key_sha256": parts.sha256,
        "enabled": True,
    }
    return row("edge", edge_id, {**data, **changes}, version, brand_id=None)


def plan(version: int = 1, **changes: Any) -> Change:
    data: dict[str, Any] = {
        "plan_id": PLAN,
        "version": version,
        "currency": "EUR",
        "timezone": "Europe/Madrid",
        "decimals": 4,
        "rounding": "half_up",
        "entries": [{"deck_id": DECK, "weight": 10}],
    }
    return row("plan", PLAN, {**data, **changes}, version, brand_id=BRAND)


def profile(version: int = 1, activation_at_ms: int = 0, **changes: Any) -> Change:
    data: dict[str, Any] = {
        "profile_id": PROFILE,
        "plan_id": PLAN,
        "client_id": CLIENT,
        "activation_at_ms": activation_at_ms,
    }
    return row("profile", PROFILE, {**data, **changes}, version, client_id=CLIENT)


def deck(folder: Path, version: int = 1, rows: Iterable[tuple[str, str]] = (), deck_id: str = DECK) -> Change:
    """A deck file on this host and its row. `rows`: prefix and rate per minute; 0.60 to Spain by default."""
    prices = list(rows) or [("+34", "0.60"), ("+346", "1.20"), ("+1", "0")]
    folder.mkdir(parents=True, exist_ok=True)
    listed = [DeckRow(prefix, f"to {prefix}", Price.of("0", Tier.of(0, rate, 1))) for prefix, rate in prices]
    meta = DeckMeta(deck_id, version, "EUR")
    sha256 = write_deck(folder / f"{deck_id}-{version}.deck", meta, listed)
    data: dict[str, Any] = {"deck_id": deck_id, "version": version, "rows": len(listed), "sha256": sha256}
    return row("deck", deck_id, data, version)


def everything(deck_folder: Path, **client_changes: Any) -> list[Change]:
    """The whole brand, ready to call."""
    return [
        brand(),
        *spanish_dialling(),
        client(**client_changes),
        device(),
        device("casa2", OTHER_DEVICE),
        ddi(),
        ddi(DDI_2, NUMBER_2),
        carrier(),
        server(),
        server(SERVER_2, host="198.51.100.10"),
        pattern(),
        route(),
        edge(),
        deck(deck_folder),
        plan(),
        profile(),
    ]


def call(**changes: Any) -> dict[str, Any]:
    """The body of `POST /calls` of an ordinary call by casa1 to a Spanish mobile."""
    from landline.kernel.ids import new_id

    body = {
        "attempt_id": new_id(),
        "sip_call_id": "a84b4c76e66710@203.0.113.7",
        "source_ip": "203.0.113.7",
        "source_port": 5060,
        "transport": "udp",
        "auth_user": "casa1",
        "auth_realm": DOMAIN,
        "from_user": "casa1",
        "from_domain": DOMAIN,
        "request_user": "600123123",
        "request_domain": DOMAIN,
        "asserted_identity": "944048182",
    }
    return {name: value for name, value in {**body, **changes}.items() if value is not ...}
