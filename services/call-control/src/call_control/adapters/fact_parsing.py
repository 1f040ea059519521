"""From rows as published (REST JSON) to the facts of a decision.

Tolerant on purpose: a row that an older or newer provisioning wrote must not stop calls, so every field has
a default, and a rule or address that cannot be read is left out with a log line, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network

import structlog
from landline.kernel.numbers import E164
from landline.numbering.countries import calling_code
from landline.rating.lookup import Profile

from call_control.adapters.inbound_parsing import call_filters, call_forwards, match_lists
from call_control.adapters.outbound_parsing import (
    barrings,
    moment_ms,
    money,
    numbers,
    risk_limits,
    risks,
    routes_of,
    service_codes,
)
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
    ProviderRegistration,
)
from call_control.domain.forwarding import CallForward
from call_control.domain.risk import SAFE, RiskMap

Unseal = Callable[[str, str], str]
log = structlog.get_logger(__name__)


def edge_facts(edge_id: str, row: Row) -> EdgeFacts:
    """An edge and the hash of its key."""
    return EdgeFacts(
        id=edge_id,
        name=row["name"],
        key_prefix=row["key_prefix"],
        key_sha256=row["key_sha256"],
        enabled=row.get("enabled", True),
        control_url=row.get("control_url"),
        networks=tuple(ip_network(text) for text in row.get("networks") or ()),
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
        features=frozenset(row.get("features") or ()),
        max_calls=row.get("max_calls") or 0,
        ip_filter=row.get("ip_filter", False),
        geoip_countries=frozenset(row.get("geoip_countries") or ()),
        sources=tuple(_networks(each for _, each in of_kind(rows, "source"))),
        outgoing_ddi_id=row.get("outgoing_ddi_id"),
        withhold_number=row.get("withhold_number", False),
        show_billing_details=row.get("show_billing_details", False),
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
        barrings=tuple(barrings(rows)),
        operator_limits=risk_limits(row.get("operator_limits") or {}),
        limits=risk_limits(row),
        calling_code=calling_code(row.get("country") or ""),
        created_at_ms=moment_ms(row.get("created_at")),
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


def provider_registrations(rows: Rows) -> dict[str, ProviderRegistration]:
    """Accounts at DDI providers by id."""
    return {
        row_id: ProviderRegistration(
            id=row_id,
            brand_id=row["brand_id"],
            provider_id=row["ddi_provider_id"],
            username=row["username"],
            domain=row["domain"],
            realm=row.get("realm") or row["domain"],
            auth_username=row.get("auth_username") or row["username"],
            sealed_ha1=row["auth_ha1"],
            enabled=row.get("enabled", True),
            auth_proxy=row.get("auth_proxy"),
            expires_s=row.get("expires_s", 3600),
            contact_user=row.get("contact_username"),
        )
        for row_id, row in rows.items()
        if row.get("auth_ha1")
    }


def profile_facts(profile_id: str, row: Row) -> Profile:
    """A plan of a client or carrier from a moment on."""
    return Profile(profile_id, row["plan_id"], row["activation_at_ms"] // 1000)


def platform_facts(rows: Rows) -> PlatformFacts:
    """What all brands share."""
    return PlatformFacts(
        sets=LazySets(rows),
        emergency_numbers=NumberList(numbers(rows, "emergency")),
        special_numbers=NumberList(numbers(rows, "special")),
        risks=RiskMap(risks(rows)),
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
    routes = routes_of(rows)
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
        emergency_numbers=platform.emergency_numbers.with_own(numbers(rows, "emergency")),
        special_numbers=platform.special_numbers.with_own(numbers(rows, "special")),
        risks=platform.risks.with_own(risks(rows)),
        limits=risk_limits(row).over(SAFE),
        service_codes=service_codes(rows),
        direct_devices=_direct_devices(rows),
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


def _direct_devices(rows: Rows) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for _, row in of_kind(rows, "direct"):
        found[row["ip"]].append((row["client_id"], row["device"]))
    return {address: tuple(owners) for address, owners in found.items()}
