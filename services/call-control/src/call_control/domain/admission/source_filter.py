"""Where the client may call from (domain.md section 4.4): authorized sources OR countries."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from call_control.domain.admission.case import Case
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import ClientFacts, CountryOf, Network


@lru_cache(maxsize=65_536)
def address(text: str) -> IPv4Address | IPv6Address:
    """The address; IPv4 inside IPv6 (`::ffff:192.0.2.1`) is the IPv4 one. ValueError for no address."""
    found = ip_address(text.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def allowed_by(source_ip: str, sources: tuple[Network, ...]) -> Network | None:
    """The authorized source that contains the address, if any."""
    if not sources:
        return None
    caller = address(source_ip)
    return next((net for net in sources if net.version == caller.version and caller in net), None)


def allowed(client: ClientFacts, source_ip: str, country_of: CountryOf) -> str | None:
    """By what the client may use this address; None when it may not."""
    if not client.ip_filter:
        return "filter off"
    network = allowed_by(source_ip, client.sources)
    if network is not None:
        return f"{source_ip} is in {network}"
    country = country_of(source_ip) if client.geoip_countries else None
    if country is not None and country in client.geoip_countries:
        return f"{source_ip} is in {country}"
    return None


def judge(case: Case) -> Denial | None:
    """Filter off: anything goes. On: a source or a country must match; two empty lists allow nothing."""
    client, source_ip = case.client, case.request.source_ip
    by = "skipped: emergency" if case.emergency else allowed(client, source_ip, case.facts.country_of)
    if by is None:
        country = case.facts.country_of(source_ip) if client.geoip_countries else None
        return deny("source_not_allowed", f"{source_ip}, country {country or 'not looked up or unknown'}")
    case.source_by = by
    return None


def explain(case: Case) -> str:
    """By what the source was let in."""
    return case.source_by
