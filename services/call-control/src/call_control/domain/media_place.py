"""Which media relays and which application server a call uses (model-system 1.1, distribution). Pure.

`hash` keeps a client on one server, and moves few clients when servers come or go (rendezvous hashing);
`round-robin` spreads calls evenly without a counter that all workers would share: by the call's own random
id; `static` always takes the first.
"""

from __future__ import annotations

from hashlib import blake2b

from call_control.domain.facts import BrandFacts, ClientFacts

DEFAULT = "default"


def media_relay_set(brand: BrandFacts, client: ClientFacts) -> str:
    """The name of the client's relay set; `default` where it is not known (yet)."""
    return brand.media_relay_sets.get(client.media_relay_set_id or "", DEFAULT)


def application_server(brand: BrandFacts, client: ClientFacts, call_id: str) -> str:
    """The name of the server for this call; `default` where its set is not known (yet)."""
    servers = brand.application_servers.get(client.application_server_set_id or "")
    if not servers:
        return DEFAULT
    if len(servers) == 1 or client.distribution == "static":
        return servers[0]
    if client.distribution == "round-robin":
        return servers[_number(call_id) % len(servers)]
    return max(servers, key=lambda server: _number(f"{client.id} {server}"))


def _number(text: str) -> int:
    """Well spread, and the same in every process: `hash()` differs between them."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
