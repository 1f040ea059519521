"""Whose address is this: provider addresses by network, the narrowest first. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from call_control.domain.admission.source_filter import address
from call_control.domain.facts import ProviderAddress


class AddressBook:
    """Built once from all addresses; a look-up costs one dictionary access per prefix length in use."""

    def __init__(self, addresses: Iterable[ProviderAddress]) -> None:
        self.all = tuple(addresses)
        by_length: dict[tuple[int, int], dict[int, list[ProviderAddress]]] = defaultdict(dict)
        for each in self.all:
            net = each.network
            of_length = by_length[net.version, net.prefixlen]
            of_length.setdefault(int(net.network_address), []).append(each)
        self._by_length = sorted(by_length.items(), key=lambda pair: pair[0], reverse=True)

    def at(self, source_ip: str) -> list[ProviderAddress]:
        """Every entry whose network contains the address, the narrowest first."""
        caller = address(source_ip)
        number, bits = int(caller), caller.max_prefixlen
        found: list[ProviderAddress] = []
        for (version, length), networks in self._by_length:
            if version == caller.version:
                found += networks.get(number >> (bits - length) << (bits - length), ())
        return found
