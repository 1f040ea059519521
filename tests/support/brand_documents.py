"""A brand with one of everything, and what a test asks about its document."""

from __future__ import annotations

from typing import Any

from landline.chassis.postgres import Scope
from sqlalchemy import text

from tests.support.provisioning_api import Api

Document = dict[str, Any]

FURNISHED = (
    "transformation_sets transformation_rules special_numbers emergency_numbers ddi_providers"
    " ddi_provider_addresses clients devices match_lists match_list_entries call_filters call_forwards ddis"
    " authorized_sources carriers carrier_servers destination_patterns routes barrings risk_classes"
    " service_codes destination_pattern_groups"
)
"""Sections of which `furnished_brand` has rows."""

_COUNTED = "select table_name from information_schema.tables where table_schema = 'provisioning'"


async def furnished_brand(api: Api, digits: str = "94404") -> dict[str, Any]:
    """A brand with rows in every section: homes, phones, numbers, ways out, and circles between them."""
    brand = await api.brand(timezone="Europe/Madrid", max_calls=50)
    who = brand["name"]
    numbering = await api.made(
        who, "transformation-sets", {"name": "Spain", "country": "ES", "generate_rules": True}
    )
    provider = await api.made(
        who, "ddi-providers", {"name": "Trunk", "transformation_set_id": numbering["id"]}
    )
    await api.made(
        who, "ddi-provider-addresses", {"ddi_provider_id": provider["id"], "network": "192.0.2.0/24"}
    )
    await api.made(who, "special-numbers", {"number": "016", "country": "ES"})
    await api.made(who, "emergency-numbers", {"number": "112"})
    await api.made(who, "risk-classes", {"prefix": "+34905", "risk": "special_rate"})
    await api.made(who, "service-codes", {"service": "withhold_once", "code": "*67"})
    for n, name in enumerate(("Casa Garcia", "Casa Perez")):
        await _home(api, brand, name, numbering["id"], provider["id"], f"+34{digits}818{n}")
    await _ways_out(api, brand, numbering["id"])
    await api.made(who, "ddis", {"number": f"+34{digits}8199", "description": "in the pool"})
    return brand


async def _home(
    api: Api, brand: dict[str, Any], name: str, numbering: str, provider: str, number: str
) -> None:
    who = brand["name"]
    client = await api.made(
        who, "clients",
        {"name": name, "transformation_set_id": numbering, "max_calls": 3, "max_daily_usage": "10.00",
         "daily_usage_emails": ["a@example.net"], "invoice_data": {"tax_id": "B1"}, "ip_filter": True},
    )  # fmt: skip
    device = await api.made(who, "devices", {"client_id": client["id"], "name": f"phone_{number[-4:]}"})
    ddi = await api.made(
        who, "ddis",
        {"number": number, "client_id": client["id"], "target": "device", "device_id": device["id"],
         "ddi_provider_id": provider},
    )  # fmt: skip
    for path, row in (("clients", client), ("devices", device)):
        await api.patch(who, f"{path}/{row['id']}", {"outgoing_ddi_id": ddi["id"]})
    wanted = {"client_id": client["id"], "name": "Nuisance"}
    people = await api.made(who, "match-lists", wanted)
    await api.made(who, "match-list-entries", {"match_list_id": people["id"], "number": "+34944000001"})
    call_filter = await api.made(who, "call-filters", {**wanted, "block_list_ids": [people["id"]]})
    await api.patch(who, f"ddis/{ddi['id']}", {"call_filter_id": call_filter["id"]})
    forward = {"device_id": device["id"], "kind": "busy", "target": "number", "number": "+34600123123"}
    await api.made(who, "call-forwards", {"client_id": client["id"], **forward})
    await api.made(who, "barrings", {"client_id": client["id"], "name": "Satellite", "prefixes": ["+870"]})
    await api.made(who, "authorized-sources", {"client_id": client["id"], "network": "203.0.113.7"})


async def _ways_out(api: Api, brand: dict[str, Any], numbering: str) -> None:
    who = brand["name"]
    carriers = []
    for name in ("North", "South"):
        carrier = await api.made(who, "carriers", {"name": name, "transformation_set_id": numbering})
        await api.made(who, "carrier-servers", {"carrier_id": carrier["id"], "host": "198.51.100.9"})
        carriers.append(carrier["id"])
    pattern = await api.made(who, "destination-patterns", {"name": "World", "prefix": "+"})
    part = {"name": "Neighbours", "destination_pattern_ids": [pattern["id"]]}
    group = await api.made(who, "destination-pattern-groups", part)
    by_group = {"kind": "group", "destination_pattern_group_id": group["id"], "carrier_id": carriers[1]}
    await api.made(who, "routes", by_group)
    route = {"destination_pattern_id": pattern["id"]}
    await api.made(who, "routes", {**route, "carrier_id": carriers[0]})
    await api.made(who, "routes", {**route, "carrier_id": carriers[0], "weight": 7})
    await api.made(who, "routes", {**route, "mode": "lcr", "carrier_ids": carriers, "priority": 2})


async def exported(api: Api, who: str, brand: dict[str, Any]) -> Document:
    """The brand's document."""
    answer = await api.get(who, f"brands/{brand['id']}/export")
    assert answer.status_code == 200, answer.text
    document: Document = answer.json()
    return document


async def applied(api: Api, who: str, brand: dict[str, Any], document: Document, **asked: Any) -> Document:
    """The outcome of an apply that must succeed."""
    answer = await api.post(who, f"brands/{brand['id']}/apply", document, params=asked)
    assert answer.status_code == 200, answer.text
    outcome: Document = answer.json()
    return outcome


async def refusals(
    api: Api, who: str, brand: dict[str, Any], document: Document, **asked: Any
) -> set[tuple[str, str]]:
    """(path, code) of everything that was wrong with a document."""
    answer = await api.post(who, f"brands/{brand['id']}/apply", document, params=asked)
    assert answer.status_code == 422, answer.text
    return {(e["field"], e["code"]) for e in answer.json()["errors"]}


async def row_counts(api: Api) -> dict[str, int]:
    """Rows of every table of provisioning: configuration, audit log, outbox, keys."""
    async with api.db.transaction(Scope.system()) as tx:
        tables = sorted((await tx.execute(text(_COUNTED))).scalars())
        return {t: int(await tx.scalar(text(f'select count(*) from "{t}"')) or 0) for t in tables}
