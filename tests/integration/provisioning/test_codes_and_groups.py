"""Service codes and groups of destination patterns over REST."""

from __future__ import annotations

from tests.integration.provisioning.test_client_rules import refused
from tests.integration.provisioning.test_routing_rules import network
from tests.support.provisioning_api import Api


async def test_a_brand_sets_its_codes_and_its_clients_read_them(api: Api) -> None:
    """One meaning per code, the defaults included; a freed default may be used."""
    brand = await api.brand()
    client = await api.client(brand)
    taken = {"service": "withhold_once", "code": "*93"}
    assert refused(await api.post(brand["name"], "service-codes", taken)) == [("code", "code_in_use")]
    moved = await api.made(brand["name"], "service-codes", {"service": "voicemail", "code": "*1"})
    made = await api.made(brand["name"], "service-codes", taken)
    again = await api.post(brand["name"], "service-codes", {"service": "voicemail", "code": "*2"})
    assert (again.status_code, again.json()["code"]) == (409, "service_taken")
    back = await api.patch(brand["name"], f"service-codes/{moved['id']}", {"code": "*93"})
    assert refused(back) == [("code", "code_in_use")]
    rows = (await api.get(client["name"], "service-codes?sort=code")).json()["items"]
    assert [row["id"] for row in rows] == [moved["id"], made["id"]]
    mine = {"service": "show_once", "code": "*9"}
    assert (await api.post(client["name"], "service-codes", mine)).status_code == 403
    bad = {"service": "show_once", "code": "31"}
    assert refused(await api.post(brand["name"], "service-codes", bad)) == [
        ("code", "string_pattern_mismatch")
    ]


async def test_a_route_goes_by_a_group(api: Api) -> None:
    """A group in use, and a pattern in a group, can't be deleted."""
    brand = await api.brand()
    ids = await network(api, brand)
    group = await api.made(
        brand["name"],
        "destination-pattern-groups",
        {"name": "Iberia", "destination_pattern_ids": [ids["pattern"]]},
    )
    route = {"kind": "group", "destination_pattern_group_id": group["id"], "carrier_id": ids["full"]}
    await api.made(brand["name"], "routes", route)
    missing = {"kind": "group", "carrier_id": ids["full"], "destination_pattern_id": ids["pattern"]}
    assert refused(await api.post(brand["name"], "routes", missing)) == [
        ("destination_pattern_id", "not_for_kind"),
        ("destination_pattern_group_id", "required"),
    ]
    for path in (f"destination-pattern-groups/{group['id']}", f"destination-patterns/{ids['pattern']}"):
        assert (await api.delete(brand["name"], path)).status_code == 409
    other = await api.brand()
    foreign = {"name": "Theirs", "destination_pattern_ids": [ids["pattern"]]}
    answer = await api.post(other["name"], "destination-pattern-groups", foreign)
    assert refused(answer) == [("destination_pattern_ids", "not_found")]
