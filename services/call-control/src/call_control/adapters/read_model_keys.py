"""Where the read model keeps what (Redis). A brand's keys share the slot of its partition.

Every value is `{"v": entity_version, "i": stream id it came with, "d": the row as published, or null}`.
"""

from __future__ import annotations

BRANDS = "landline:cfg:brands"
EDGES = "landline:cfg:edges"
PROVIDER_ADDRESSES = "landline:cfg:provider-addresses"
PROVIDER_REGISTRATIONS = "landline:cfg:provider-registrations"
PLATFORM_DDIS = "landline:cfg:onnet"
PLATFORM_NUMBERS = "{landline:cfg:onnet}:numbers"
"""Hash: number -> id of the brand that has it, of active numbers that can be called; its rows are those of
PLATFORM_DDIS, in whose slot it is."""
PLANS = "landline:cfg:plans"
DECKS = "landline:cfg:decks"
CARRIER_PROFILES = "landline:cfg:carrier-profiles"
PLATFORM = "landline:cfg:platform"
READY = "landline:cfg:ready"
REBUILDING = "landline:cfg:rebuilding"
POOL = "pool"
"""The owner of what belongs to no client: DDIs that nobody has."""


def brand(partition: int, brand_id: str) -> str:
    """Hash: carriers, servers, routes, patterns, transformation sets of a brand, and its direct devices."""
    return f"{{p{partition}}}:landline:cfg:brand:{brand_id}"


def client(partition: int, client_id: str) -> str:
    """Hash: the client, its devices, DDIs, sources and rating profiles; one HGETALL brings them all."""
    return f"{{p{partition}}}:landline:cfg:client:{client_id}"


def pool(partition: int, brand_id: str) -> str:
    """Hash: DDIs of the brand that no client has."""
    return f"{{p{partition}}}:landline:cfg:pool:{brand_id}"


def device_names(partition: int, brand_id: str) -> str:
    """Hash: device name -> client id."""
    return f"{{p{partition}}}:landline:cfg:device-names:{brand_id}"


def ddi_numbers(partition: int, brand_id: str) -> str:
    """Hash: number -> client id, or `pool`."""
    return f"{{p{partition}}}:landline:cfg:ddi-numbers:{brand_id}"


def owners(partition: int, brand_id: str) -> str:
    """Hash: `ddi:<id>` -> version and owner, so that a DDI that moved leaves where it was."""
    return f"{{p{partition}}}:landline:cfg:owners:{brand_id}"


def tombstones(model: str) -> str:
    """Sorted set, in the slot of `model`: deleted entities and when they may be swept."""
    return f"{_slot(model)}:landline:cfg:tombstones"


def unused(model: str) -> str:
    """A key in the slot of `model` that is never written: for a script's key that an entity does not need."""
    return f"{_slot(model)}:landline:cfg:none"


def _slot(model: str) -> str:
    # The tag of a key without one is the key itself: {landline:cfg:brands} hashes as landline:cfg:brands.
    return model.partition("}")[0] + "}" if model.startswith("{") else f"{{{model}}}"
