"""Where each configured entity lives in the read model, and whose cached facts it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from call_control.adapters import read_model_keys as keys


@dataclass(frozen=True, slots=True)
class Change:
    """One row as it is now: of a config or rates event, or a line of a snapshot. `data` None: deleted."""

    entity: str
    entity_id: str
    version: int
    brand_id: str | None
    client_id: str | None
    data: dict[str, Any] | None
    position: str


class Invalidation(NamedTuple):
    """What changed: kind brands | edges | brand | client | rates | number | all, its id, and its brand's."""

    kind: str
    id: str = ""
    brand_id: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """One hash field. `owner`: who has it, for what can move. `name_field`: of its row, by which the brand's
    index `names` finds `holder`; empty for what has no name there. `follows`: it is there only beside the
    row's first place, so it needs no tombstone of its own."""

    key: str
    field: str
    changes: Invalidation
    data: dict[str, Any] | None
    owner: str = ""
    names: str = ""
    name_field: str = ""
    holder: str = ""
    follows: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is to be there, not even a trace."""
        return self.follows and self.data is None

    @property
    def name(self) -> str:
        """What the index finds it by; empty for a deleted row."""
        return str((self.data or {}).get(self.name_field, "")) if self.name_field else ""


class BrandUnknown(LookupError):
    """A row names a brand whose own row has not come yet: its partition is not known."""


_GLOBAL = {
    "brand": (keys.BRANDS, "brands"),
    "edge": (keys.EDGES, "edges"),
    "ddi_provider_address": (keys.PROVIDER_ADDRESSES, "edges"),
    "ddi_provider_registration": (keys.PROVIDER_REGISTRATIONS, "edges"),
    "plan": (keys.PLANS, "rates"),
    "deck": (keys.DECKS, "rates"),
}
_OF_BRAND = {
    "ddi_provider": "provider",
    "carrier": "carrier",
    "carrier_server": "server",
    "route": "route",
    "destination_pattern": "pattern",
    "transformation_set": "set",
    "transformation_rule": "rule",
    "special_number": "special",
    "emergency_number": "emergency",
    "risk_class": "risk",
    "service_code": "code",
    "destination_pattern_group": "group",
    "media_relay_set": "relays",
    "application_server_set": "servers",
}
_OF_CLIENT = {
    "device": "device",
    "ddi": "ddi",
    "authorized_source": "source",
    "barring": "barring",
    "profile": "profile",
    "call_filter": "filter",
    "call_forward": "forward",
}
_OF_EITHER = {"match_list_entry": "listed"}
"""Of a client, or, without one, of a brand and all of its clients."""

GLOBAL = frozenset(_GLOBAL)
"""Entities that belong to no partition, whoever has them."""

ENTITIES = frozenset({*_GLOBAL, *_OF_BRAND, *_OF_CLIENT, *_OF_EITHER, "client"})
"""What call-control keeps; changes of anything else are not for it."""


def places(change: Change, partition: int | None) -> list[Place]:
    """The fields that a row fills. `partition` of its brand; None: the platform's, or not known.

    Raises BrandUnknown when the row needs a partition and there is none.
    """
    entity, entity_id, data = change.entity, change.entity_id, change.data
    if entity in _GLOBAL:
        key, kind = _GLOBAL[entity]
        return [Place(key, entity_id, Invalidation(kind, entity_id), data)]
    if entity == "profile" and change.client_id is None:
        return [Place(keys.CARRIER_PROFILES, entity_id, Invalidation("rates", ""), data)]
    if change.brand_id is None:
        return [Place(keys.PLATFORM, f"{_OF_BRAND[entity]}:{entity_id}", Invalidation("all", ""), data)]
    if partition is None:
        raise BrandUnknown(change.brand_id)
    if entity in _OF_BRAND:
        return [_in_brand(change, partition, f"{_OF_BRAND[entity]}:{entity_id}", data)]
    if entity in _OF_EITHER and change.client_id is None:
        return [_in_brand(change, partition, f"{_OF_EITHER[entity]}:{entity_id}", data)]
    return _of_client(change, partition, change.brand_id)


def _in_brand(change: Change, partition: int, field: str, data: dict[str, Any] | None) -> Place:
    brand_id = change.brand_id or ""
    return Place(keys.brand(partition, brand_id), field, Invalidation("brand", brand_id), data)


def _of_client(change: Change, partition: int, brand_id: str) -> list[Place]:
    client_id = change.entity_id if change.entity == "client" else change.client_id
    prefix = _OF_CLIENT.get(change.entity) or _OF_EITHER.get(change.entity)
    field = "client" if change.entity == "client" else f"{prefix}:{change.entity_id}"
    changes = Invalidation("client", client_id or keys.POOL, brand_id)
    key = keys.client(partition, client_id) if client_id else keys.pool(partition, brand_id)
    if change.entity == "ddi":
        owner, numbers = client_id or keys.POOL, keys.ddi_numbers(partition, brand_id)
        own = Place(key, field, changes, change.data, owner, numbers, "number", owner)
        return [own, _on_platform(change, brand_id)]
    if client_id is None or change.entity != "device":
        return [Place(key, field, changes, change.data)]
    names = keys.device_names(partition, brand_id)
    found_by = Place(
        keys.brand(partition, brand_id),
        f"direct:{change.entity_id}",
        Invalidation("brand", brand_id),
        _direct(change.data, client_id),
        follows=True,
    )
    device = Place(key, field, changes, change.data, "", names, "name", client_id)
    return [device, found_by]


def _on_platform(change: Change, brand_id: str) -> Place:
    """What every worker knows of every brand's numbers: only those that can be called now."""
    data = change.data or {}
    callable_now = data.get("kind", "inout") == "inout" and data.get("state", "active") == "active"
    row = {"number": data["number"]} if "number" in data and callable_now else None
    known = Invalidation("number", row["number"] if row is not None else "")
    names = keys.PLATFORM_NUMBERS
    return Place(keys.PLATFORM_DDIS, change.entity_id, known, row, "", names, "number", brand_id)


def _direct(data: dict[str, Any] | None, client_id: str) -> dict[str, Any] | None:
    """What finds a device by its source address; None for one that registers."""
    if data is None or not data.get("direct_connectivity") or not data.get("ip"):
        return None
    return {"ip": data["ip"], "port": data.get("port"), "device": data["name"], "client_id": client_id}
