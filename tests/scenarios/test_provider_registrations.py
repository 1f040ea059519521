"""Accounts at DDI providers: one edge at a time holds each, and operators see how it goes."""

from __future__ import annotations

from tests.support.story_edge import Edge
from tests.support.world import CALL_CONTROL, PROVISIONING, Brand, Platform, Row, until

PATH = "/edges/provider-registrations"


def lent(edge: Edge, instance_id: str, *held: Row) -> list[Row]:
    """What this instance is to register."""
    answer = edge.post(PATH, {"instance_id": instance_id, "held": list(held)})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["registrations"])


def account(brand: Brand, username: str) -> Row:
    """A provider with one account."""
    provider = brand.api.post(f"{PROVISIONING}/ddi-providers", {"brand_id": brand.id, "name": username})
    body = {"ddi_provider_id": provider["id"], "username": username, "domain": "telco.example"}
    path = f"{PROVISIONING}/ddi-provider-registrations"
    return dict(brand.api.post(path, {**body, "auth_password": "secret word 1"}))


def test_one_instance_holds_an_account_and_tells_how_it_goes(brand: Brand, edge: Edge) -> None:
    """The other instance of the same key gets nothing; the password is only ever an HA1 at the edge."""
    made = account(brand, f"one-{brand.id[:8]}")
    until(lambda: made["id"] in [each["id"] for each in lent(edge, "a")], "lent")
    [mine] = [each for each in lent(edge, "a") if each["id"] == made["id"]]
    assert (mine["username"], mine["realm"], len(mine["auth_ha1"])) == (made["username"], "telco.example", 32)
    assert (mine["contact_random"], len(mine["contact_user"])) == (True, 32)
    assert made["id"] not in [each["id"] for each in lent(edge, "b")], "TAKEN by a"
    path = f"{PROVISIONING}/ddi-provider-registrations/{made['id']}"
    assert brand.api.get(f"{path}/status")["state"] == "registering"
    lent(edge, "a", {"id": made["id"], "state": "failed", "sip_code": 403, "since": 1_750_000_000})
    found = brand.api.get(f"{path}/status")
    assert (found["state"], found["edge"], found["sip_code"]) == ("failed", "edge-1", 403)
    assert found["since"].startswith("2025-06-15T15:06:40")
    brand.api.patch(path, {"enabled": False})
    until(lambda: made["id"] not in [each["id"] for each in lent(edge, "a")], "no longer lent")
    assert brand.api.get(f"{path}/status")["state"] == "disabled"


def test_nonsense_of_an_edge_is_named(edge: Edge) -> None:
    """422 with the field."""
    held = [{"id": "x", "state": "perhaps", "since": 1}]
    answer = edge.post(PATH, {"instance_id": "a", "held": held})
    assert answer.status_code == 422
    assert "held" in answer.text


def test_two_contacts_may_not_share_a_user(brand: Brand) -> None:
    """The Contact's user tells which account was called."""
    first, second = account(brand, f"p-{brand.id[:8]}"), account(brand, f"q-{brand.id[:8]}")
    path, taken = f"{PROVISIONING}/ddi-provider-registrations", {"contact_username": f"c{brand.id[:8]}"}
    brand.api.patch(f"{path}/{first['id']}", taken)
    answer = brand.api.http.patch(f"{path}/{second['id']}", json=taken)
    assert (answer.status_code, answer.json()["code"]) == (409, "contact_username_taken")


def test_a_call_by_an_account_that_is_gone_is_refused(brand: Brand, platform: Platform) -> None:
    """As from an address that is no provider's."""
    body = {"direction": "inbound", "source_ip": "192.0.2.1", "request_user": "+34944000000"}
    found = platform.api.post(f"{CALL_CONTROL}/simulate", {**body, "registration_id": "gone"})
    assert (found["decision"], found["denial"]["reason"]) == ("deny", "unknown_provider")
