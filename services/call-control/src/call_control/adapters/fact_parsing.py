"""From rows as published (REST JSON) to the facts of a decision.

Tolerant on purpose: a row that an older or newer provisioning wrote must not stop calls, so every field has
a default, and a rule or address that cannot be read is left out with a log line, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from ipaddress import ip_network

import structlog
from landline.kernel.money import to_micros
from landline.kernel.numbers import E164
from landline.numbering.countries import calling_code
from landline.numbering.service_codes import DEFAULTS
from landline.rating.lookup import Profile

from call_control.adapters.inbound_parsing import call_filters, call_forwards, match_lists
from call_control.adapters.row_kinds import Row, Rows, of_kind
from call_control.adapters.transformation_facts import LazySets
from call_control.domain.admission.money import terms_of
from call_control.domain.facts import (
    BrandFacts,
    Carrier,
    CarrierServer,
    ClientFacts,
    Ddi,
    DdiProvider,
    DeviceFacts,
    EdgeFacts,
    Network,
    NumberList,
    PlatformFacts,
    ProviderAddress,
    Route,
)
from call_control.domain.forwarding import CallForward
from call_control.domain.risk import SAFE, Barring, RiskLimits, RiskMap, RiskRange

Unseal = Callable[[str, str], str]
log = structlog.get_logger(__name__)


def money(value: str | None) -> int | None:
    """A decimal string as micros; None stays None."""
    return None if value is None else to_micros(value)


def edge_facts(edge_id: str, row: Row) -> EdgeFacts:
    """An edge and the hash of its key."""
    return EdgeFacts(
        id=edge_id,
        name=row["name"],
        key_prefix=row["key_prefix"],
        key_sha256=row["key_sha256"],
        enabled=row.get("enabled", True),
        control_url=row.get("control_url"),
    )


def client_facts(client_id: str, brand_id: str, rows: Rows) -> ClientFacts | None:
    """A client with all that is its own; None when the client itself is not there."""
    row = rows.get("client")
    if row is None:
        return None
    forwards = call_forwards(of_kind(rows, "forward"))
    devices = [
        device_facts(device_id, each, forwards.get(device_id)) for device_id, each in of_kind(rows, "device")
    ]
    ddis = [ddi_facts(ddi_id, each) for ddi_id, each in of_kind(rows, "ddi")]
    return ClientFacts(
        id=client_id,
        brand_id=brand_id,
        name=row["name"],
        enabled=row.get("enabled", True),
        billing_method=row.get("billing_method", "postpaid"),
        country=row.get("country") or "",
        language=row.get("language") or "en",
        timezone=row.get("timezone") or "UTC",
        currency=row.get("currency") or "EUR",
        transformation_set_id=row.get("transformation_set_id"),
        max_calls=row.get("max_calls") or 0,
        ip_filter=row.get("ip_filter", False),
        geoip_countries=frozenset(row.get("geoip_countries") or ()),
        sources=tuple(_networks(each for _, each in of_kind(rows, "source"))),
        outgoing_ddi_id=row.get("outgoing_ddi_id"),
        withhold_number=row.get("withhold_number", False),
        max_call_s=row.get("max_call_s"),
        media_relay_set_id=row.get("media_relay_set_id"),
        application_server_set_id=row.get("application_server_set_id"),
        distribution=row.get("distribution") or "hash",
        outage_policy=row.get("outage_policy") or "deny",
        devices={device.name: device for device in devices},
        ddis={ddi.number: ddi for ddi in ddis},
        ddis_by_id={ddi.id: ddi for ddi in ddis},
        devices_by_id={device.id: device for device in devices},
        filters=call_filters(of_kind(rows, "filter"), row.get("timezone") or "UTC"),
        match_lists=match_lists(of_kind(rows, "listed")),
        profiles=tuple(profile_facts(profile_id, each) for profile_id, each in of_kind(rows, "profile")),
        barrings=tuple(_barrings(rows)),
        operator_limits=risk_limits(row.get("operator_limits") or {}),
        limits=risk_limits(row),
        calling_code=calling_code(row.get("country") or ""),
        created_at_ms=_moment_ms(row.get("created_at")),
        terms=terms_of(
            row.get("billing_method", "postpaid"),
            money(row.get("credit_limit")),
            money(row.get("max_daily_usage")),
            money(row.get("client_spend_cap")),
            _alerts(row.get("daily_usage_alerts")),
        ),
    )


def _alerts(percents: list[int] | None) -> tuple[int, ...]:
    return (80, 100) if percents is None else tuple(sorted(set(percents)))


def risk_limits(row: Row) -> RiskLimits:
    """The limits that a brand's or client's row, or its operator's part, names."""
    classes = row.get("allowed_risk_classes")
    return RiskLimits(
        classes=None if classes is None else frozenset(classes),
        price_cap=money(row.get("price_cap_per_minute")),
        per_minute=row.get("max_calls_per_minute"),
        per_hour=money(row.get("spend_per_hour")),
        probation_days=row.get("probation_days"),
    )


def _barrings(rows: Rows) -> Iterable[Barring]:
    return (barring_facts(row) for _, row in of_kind(rows, "barring") if row.get("enabled", True))


def barring_facts(row: Row) -> Barring:
    """Numbers a client does not want called."""
    return Barring(
        name=row["name"],
        prefixes=tuple(row["prefixes"]),
        weekdays=frozenset(row.get("weekdays") or ()),
        from_minute=_minute(row.get("from_time")),
        to_minute=_minute(row.get("to_time")),
    )


def _minute(clock: str | None) -> int | None:
    return None if clock is None else int(clock[:2]) * 60 + int(clock[3:5])


def _moment_ms(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp() * 1000)


def _networks(rows: Iterable[Row]) -> Iterable[Network]:
    for row in rows:
        try:
            yield ip_network(row["network"], strict=False)
        except ValueError:
            log.warning("left out what is no network", row=str(row)[:200])


def device_facts(device_id: str, row: Row, forwards: Mapping[str, CallForward] | None = None) -> DeviceFacts:
    """A SIP account, with its forwards by kind."""
    return DeviceFacts(
        id=device_id,
        name=row["name"],
        enabled=row.get("enabled", True),
        direct=bool(row.get("direct_connectivity", False)),
        ip=row.get("ip"),
        port=row.get("port"),
        outgoing_ddi_id=row.get("outgoing_ddi_id"),
        language=row.get("language"),
        transformation_set_id=row.get("transformation_set_id"),
        max_calls=row.get("max_calls", 1),
        max_calls_per_minute=row.get("max_calls_per_minute"),
        transport=row.get("transport") or "udp",
        codecs=tuple(row.get("codecs") or ("alaw",)),
        ddi_in=row.get("ddi_in", False),
        multi_contact=row.get("multi_contact", True),
        t38=row.get("t38_passthrough", False),
        srtp=row.get("rtp_encryption", False),
        from_domain=row.get("from_domain"),
        forwards=forwards or {},
    )


def ddi_facts(ddi_id: str, row: Row) -> Ddi:
    """A number of the client."""
    return Ddi(
        id=ddi_id,
        number=E164(row["number"]),
        kind=row.get("kind", "inout"),
        state=row.get("state", "active"),
        record=row.get("record") or "none",
        language=row.get("language"),
        target=row.get("target") or "none",
        device_id=row.get("device_id"),
        display_name=row.get("display_name"),
        provider_id=row.get("ddi_provider_id"),
        fax_id=row.get("fax_id"),
        call_filter_id=row.get("call_filter_id"),
    )


def provider_facts(provider_id: str, row: Row) -> DdiProvider:
    """A DDI provider."""
    return DdiProvider(
        id=provider_id,
        name=row["name"],
        enabled=row.get("enabled", True),
        transformation_set_id=row.get("transformation_set_id"),
    )


def provider_addresses(rows: Rows) -> list[ProviderAddress]:
    """All addresses that calls may come in from; one that can't be read is left out."""
    found = []
    for row in rows.values():
        for network in _networks([row]):
            found.append(
                ProviderAddress(row["brand_id"], row["ddi_provider_id"], network, row.get("trusted", False))
            )
    return found


def profile_facts(profile_id: str, row: Row) -> Profile:
    """A plan of a client or carrier from a moment on."""
    return Profile(profile_id, row["plan_id"], row["activation_at_ms"] // 1000)


def platform_facts(rows: Rows) -> PlatformFacts:
    """What all brands share."""
    return PlatformFacts(
        sets=LazySets(rows),
        emergency_numbers=NumberList(_numbers(rows, "emergency")),
        special_numbers=NumberList(_numbers(rows, "special")),
        risks=RiskMap(_risks(rows)),
        media_relay_sets={set_id: each["name"] for set_id, each in of_kind(rows, "relays")},
        application_servers={
            set_id: tuple(each.get("servers") or ()) for set_id, each in of_kind(rows, "servers")
        },
    )


def brand_facts(
    brand_id: str, row: Row, rows: Rows, platform: PlatformFacts, carrier_profiles: Rows, unseal: Unseal
) -> BrandFacts:
    """A brand with its carriers, routes, transformations and numbers; `platform`: what all brands share.

    `unseal(sealed, place)` opens what servers authenticate with; it may raise ValueError.
    """
    routes = _routes(rows)
    prefixes = frozenset(prefix for route in routes for prefix in route.prefixes)
    return BrandFacts(
        id=brand_id,
        partition=row["partition"],
        name=row["name"],
        sip_domain=row["sip_domain"].lower(),
        enabled=row.get("enabled", True),
        features=frozenset(row.get("features") or ()),
        max_calls=row.get("max_calls") or 0,
        language=row.get("language") or "en",
        timezone=row.get("timezone") or "UTC",
        currency=row.get("currency") or "EUR",
        country=row.get("country") or "",
        max_call_s=row.get("max_call_s"),
        emergency_caller=row.get("emergency_caller"),
        reject_spoofed=row.get("reject_spoofed", False),
        match_lists=match_lists(of_kind(rows, "listed")),
        providers={
            provider_id: provider_facts(provider_id, each) for provider_id, each in of_kind(rows, "provider")
        },
        carriers=_carriers(rows, carrier_profiles, unseal),
        routes=routes,
        sets=LazySets(rows, platform.sets),
        emergency_numbers=platform.emergency_numbers.with_own(_numbers(rows, "emergency")),
        special_numbers=platform.special_numbers.with_own(_numbers(rows, "special")),
        risks=platform.risks.with_own(_risks(rows)),
        limits=risk_limits(row).over(SAFE),
        service_codes=_service_codes(rows),
        direct_devices=_direct_devices(rows),
        carrier_of_server={server_id: each["carrier_id"] for server_id, each in of_kind(rows, "server")},
        media_relay_sets=platform.media_relay_sets,
        application_servers=platform.application_servers,
        patterns=prefixes,
        pattern_lengths=tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True)),
        clients_with_routes=frozenset(route.client_id for route in routes if route.client_id),
    )


def _carriers(rows: Rows, carrier_profiles: Rows, unseal: Unseal) -> dict[str, Carrier]:
    servers: dict[str, list[CarrierServer]] = defaultdict(list)
    for server_id, row in of_kind(rows, "server"):
        if row.get("enabled", True):
            servers[row["carrier_id"]].append(_server(server_id, row, unseal))
    profiles: dict[str, list[Profile]] = defaultdict(list)
    for profile_id, row in carrier_profiles.items():
        profiles[str(row.get("carrier_id"))].append(profile_facts(profile_id, row))
    return {
        carrier_id: Carrier(
            id=carrier_id,
            name=row["name"],
            enabled=row.get("enabled", True),
            transformation_set_id=row.get("transformation_set_id"),
            servers=tuple(servers[carrier_id]),
            profiles=tuple(profiles[carrier_id]),
        )
        for carrier_id, row in of_kind(rows, "carrier")
    }


def _server(server_id: str, row: Row, unseal: Unseal) -> CarrierServer:
    return CarrierServer(
        id=server_id,
        host=row["host"],
        port=row.get("port"),
        scheme=row.get("uri_scheme") or "sip",
        transport=row.get("transport") or "udp",
        outbound_proxy=row.get("outbound_proxy"),
        send_pai=row.get("send_pai", True),
        send_rpid=row.get("send_rpid", False),
        trusted=row.get("trusted", False),
        from_user=row.get("from_user"),
        from_domain=row.get("from_domain"),
        auth_user=row.get("auth_user"),
        auth_realm=row.get("auth_realm"),
        auth_ha1=_opened(server_id, row.get("auth_ha1"), unseal),
    )


def _opened(server_id: str, sealed: str | None, unseal: Unseal) -> str | None:
    try:
        return None if sealed is None else unseal(sealed, f"carrier_server:{server_id}")
    except ValueError as error:
        log.error("credentials of a carrier server can't be opened", server_id=server_id, error=str(error))
        return None


def _routes(rows: Rows) -> tuple[Route, ...]:
    patterns = {pattern_id: row["prefix"] for pattern_id, row in of_kind(rows, "pattern")}
    groups = {group_id: row["destination_pattern_ids"] for group_id, row in of_kind(rows, "group")}
    routes = []
    for route_id, row in of_kind(rows, "route"):
        if row.get("enabled", True):
            ids = groups.get(
                row.get("destination_pattern_group_id") or "", [row.get("destination_pattern_id")]
            )
            prefixes = tuple(patterns[each] for each in ids if each in patterns)
            routes.append(_route(route_id, row, prefixes))
    return tuple(routes)


def _route(route_id: str, row: Row, prefixes: tuple[str, ...]) -> Route:
    carriers = row.get("carrier_ids") or ([row["carrier_id"]] if row.get("carrier_id") else [])
    return Route(
        id=route_id,
        prefixes=prefixes,
        mode=row.get("mode", "static"),
        kind=_route_kind(row.get("kind", "pattern")),
        client_id=row.get("client_id"),
        carrier_ids=tuple(carriers),
        priority=row.get("priority", 1),
        weight=row.get("weight") or 1,
        stopper=row.get("stopper", False) or row.get("mode") == "block",
        prefix=row.get("prefix") or "",
        force_clid=row.get("force_clid") or None,
        disable_diversion=row.get("disable_diversion", False),
    )


def _route_kind(kind: str) -> str:
    return kind if kind in ("fax", "emergency") else "call"


def _numbers(rows: Rows, kind: str) -> list[tuple[str, str | None]]:
    return [(row["number"], row.get("country")) for _, row in of_kind(rows, kind)]


def _service_codes(rows: Rows) -> dict[str, str]:
    """The default codes, but where the brand has set another one, or none."""
    codes: dict[str, str | None] = dict(DEFAULTS)
    for _, row in of_kind(rows, "code"):
        codes[row["service"]] = row["code"] if row.get("enabled", True) else None
    return {code: service for service, code in codes.items() if code is not None}


def _risks(rows: Rows) -> list[RiskRange]:
    return [
        RiskRange(row["prefix"], row["risk"], calling_code(row.get("country") or ""))
        for _, row in of_kind(rows, "risk")
    ]


def _direct_devices(rows: Rows) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for _, row in of_kind(rows, "direct"):
        found[row["ip"]].append((row["client_id"], row["device"]))
    return {address: tuple(owners) for address, owners in found.items()}
