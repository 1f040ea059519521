"""Operators see what call-control banned, and lift it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api


def ban(address: str, *domains: str, others: bool = False) -> dict[str, Any]:
    failures = [{"user": "casa1", "domain": domain, "count": 9} for domain in domains]
    until = "2026-11-25T21:00:00.000Z"
    return {"address": address, "banned_until": until, "failures": failures, "others": others}


async def listed(api: Api, who: str, query: str = "") -> list[str]:
    answer = await api.get(who, f"banned-addresses{query}")
    assert answer.status_code == 200, answer.text
    return [item["address"] for item in answer.json()["items"]]


async def test_a_brand_sees_and_lifts_what_tried_its_own_accounts(api: Api) -> None:
    """A home whose phone had an old password waits for the operator, not for the end of the ban."""
    brand, other = await api.brand(), await api.brand()
    mine = ban("203.0.113.7", brand["sip_domain"])
    api.others.bans = [
        mine,
        ban("2001:db8::1", other["sip_domain"]),
        ban("192.0.2.1", brand["sip_domain"], others=True),
    ]
    assert await listed(api, "platform") == ["203.0.113.7", "2001:db8::1", "192.0.2.1"]
    assert await listed(api, brand["name"]) == ["203.0.113.7", "192.0.2.1"]
    assert await listed(api, brand["name"], "?address=::ffff:203.0.113.7") == ["203.0.113.7"]
    assert (await api.delete(brand["name"], "banned-addresses/2001:db8::1")).status_code == 404
    shared = await api.delete(brand["name"], "banned-addresses/192.0.2.1")
    assert (shared.status_code, shared.json()["code"]) == (409, "not_only_yours")
    assert (await api.delete(brand["name"], "banned-addresses/203.0.113.7")).status_code == 204
    assert (await api.delete("platform", "banned-addresses/2001:DB8:0::1")).status_code == 204
    assert await listed(api, "platform") == ["192.0.2.1"]
    log = (await api.get(brand["name"], "audit-log?resource=banned-addresses")).json()["items"]
    assert [(e["entity_id"], e["action"]) for e in log] == [("203.0.113.7", "delete")]


@pytest.mark.parametrize("address", ["here", "999.0.0.1", "203.0.113.0%2F24"])
async def test_what_is_no_address_is_refused(api: Api, address: str) -> None:
    """422 or 404, never a request to another service with it."""
    answer = await api.delete("platform", f"banned-addresses/{address}")
    assert answer.status_code in (404, 422)
    assert refused(await api.get("platform", "banned-addresses?address=here")) == [("address", "address")]


async def test_a_client_sees_none_and_an_absent_call_control_is_said(api: Api) -> None:
    """Addresses of attackers are the operator's business."""
    brand = await api.brand()
    client = await api.client(brand)
    assert (await api.get(client["name"], "banned-addresses")).status_code == 403
    assert (await api.delete(client["name"], "banned-addresses/192.0.2.1")).status_code == 403
    api.others.away = True
    away = await api.get("platform", "banned-addresses")
    api.others.away = False
    assert (away.status_code, away.json()["code"]) == (503, "peer_away")
