"""Which addresses somebody may write into a provider, a device, a source, a carrier server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from provisioning.domain.addresses import BadAddress, canonical_address, canonical_host, canonical_network

NOBODY = [
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "239.1.2.3",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "fe80::1%eth0",
]


@pytest.mark.parametrize("text", NOBODY)
@pytest.mark.parametrize("check", [canonical_address, canonical_network, canonical_host])
def test_an_address_that_no_host_has_is_refused(check: Callable[[str], str], text: str) -> None:
    """Edges load all peers as one list: one entry that their parser refuses may cost them the others."""
    with pytest.raises(BadAddress):
        check(text)


@pytest.mark.parametrize("text", ["0.0.0.0/8", "224.0.0.0/8", "240.0.0.0/8", "ff00::/16", "fe80::%eth0/64"])
def test_a_network_of_no_hosts_is_refused(text: str) -> None:
    """The same for networks."""
    with pytest.raises(BadAddress):
        canonical_network(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("::1", "::1"),
        ("fe80::1", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("203.0.113.5/32", "203.0.113.5"),
    ],
)
def test_an_address_of_a_host_has_one_form(text: str, kept: str) -> None:
    """Private and loopback ones too: carriers and media stand there."""
    assert canonical_network(text) == kept
