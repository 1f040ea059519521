"""Addresses and names of the SIP and IP world: pure checks, one canonical form each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_DOMAIN = 190


class BadAddress(ValueError):
    """The text is not what it should be; the message says what it should be."""


def canonical_network(text: str) -> str:
    """An address (`203.0.113.5`) or network (`2001:db8::/32`) in its one form; IPv4 inside IPv6 is unwrapped.

    Refuses host bits (`203.0.113.5/24`: was the host meant, or the network?), networks that would let
    everybody in (IPv4 wider than /8, IPv6 wider than /16) and addresses that nobody can have.
    """
    try:
        network = ip_network(text)
    except ValueError as error:
        known = "host bits are set" if "host bits" in str(error) else None
        hint = known or "not an IPv4 or IPv6 address or network"
        raise BadAddress(hint) from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:
        network = ip_network((mapped, network.prefixlen - 96))
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise BadAddress("too wide: at most a /8 of IPv4, a /16 of IPv6")
    first = str(_of_a_host(network.network_address))
    return first if network.prefixlen == network.max_prefixlen else str(network)


def canonical_address(text: str) -> str:
    """One IPv4 or IPv6 address in its one form."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        raise BadAddress("not an IPv4 or IPv6 address") from None
    return str(_of_a_host(getattr(address, "ipv4_mapped", None) or address))


def _of_a_host(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Refuses what no packet comes from: edges load lists whole, and one bad entry may spoil the rest."""
    if getattr(address, "scope_id", None):
        raise BadAddress("a zone such as %eth0 means something on one machine only")
    future = address.version == 4 and address.is_reserved
    if address.is_unspecified or address.is_multicast or future:
        raise BadAddress("no host has this address: unspecified, multicast, broadcast or reserved")
    return address


def canonical_domain(text: str) -> str:
    """A DNS name in lower case; no address, because a SIP domain must name a brand (domain 4.2)."""
    name = text.lower().rstrip(".")
    labels = name.split(".")
    if len(name) > LONGEST_DOMAIN or len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadAddress("not a domain name such as sip.example.com")
    if labels[-1].isdigit():
        raise BadAddress("an IP address cannot be a SIP domain")
    return name


def canonical_host(text: str) -> str:
    """A host: a DNS name (one label is enough) or an address."""
    try:
        return canonical_address(text)
    except BadAddress:
        name = text.lower().rstrip(".")
    if len(name) > LONGEST_DOMAIN or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise BadAddress("not a host name or address")
    if name.rpartition(".")[2].isdigit():
        raise BadAddress("not a host name or address")
    return name


def overlaps(network: str, others: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Those of (id, network) that hold this one or lie in it: (id, network, how), the largest first."""
    own = ip_network(network)
    found = []
    for other_id, text in others:
        other = ip_network(text)
        if other.version == own.version and other.overlaps(own):
            how = "lies inside it" if other.prefixlen >= own.prefixlen else "holds it already"
            found.append((other.prefixlen, other_id, text, f"{text} {how}"))
    return [(other_id, text, how) for _, other_id, text, how in sorted(found)]
