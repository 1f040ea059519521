"""Registrations at DDI providers (model-system 1.4)."""

from __future__ import annotations

from typing import Any

from landline.chassis.postgres import Scope
from sqlalchemy import text

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api

PASSWORD = "secret-of-provider"


async def made(api: Api, brand: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A provider and a registration at it."""
    provider = await api.made(brand["name"], "ddi-providers", {"name": "Telco"})
    body = {
        "ddi_provider_id": provider["id"],
        "username": f"u{id(brand):x}",
        "domain": "sip.telco.example",
        "auth_password": PASSWORD,
        **fields,
    }
    return await api.made(brand["name"], "ddi-provider-registrations", body)


async def test_the_password_is_kept_as_sealed_ha1(api: Api) -> None:
    """Never readable, also not in the audit log; another user or realm needs it again."""
    brand = await api.brand()
    row = await made(api, brand)
    assert (row["expires_s"], row["enabled"]) == (3600, True)
    path = f"ddi-provider-registrations/{row['id']}"
    for change in ({"auth_username": "other"}, {"realm": "other.example"}, {"username": "other"}):
        assert refused(await api.patch(brand["name"], path, change)) == [("auth_password", "required")]
    again = await api.patch(brand["name"], path, {"realm": "other.example", "auth_password": PASSWORD})
    assert again.status_code == 200, again.text
    async with api.db.transaction(Scope.system()) as tx:
        for table in ("ddi_provider_registrations", "audit_log", "outbox"):
            found = (await tx.execute(text(f"select {table}::text from {table}"))).scalars()
            assert not any(PASSWORD in line for line in found), table
    assert "auth_ha1" not in row


async def test_an_account_is_registered_once_and_goes_with_its_provider(api: Api) -> None:
    """Two brands at one account would take turns; a client never sees any."""
    brand = await api.brand()
    client = await api.client(brand)
    row = await made(api, brand)
    body = {key: row[key] for key in ("ddi_provider_id", "username", "domain")}
    taken = await api.post(brand["name"], "ddi-provider-registrations", {**body, "auth_password": PASSWORD})
    assert (taken.status_code, taken.json()["code"]) == (409, "username_taken")
    missing = await api.post(brand["name"], "ddi-provider-registrations", {**body, "username": "v"})
    assert refused(missing) == [("auth_password", "required")]
    assert (await api.get(client["name"], "ddi-provider-registrations")).status_code == 403
    assert (await api.delete(brand["name"], f"ddi-providers/{row['ddi_provider_id']}")).status_code == 204
    assert (await api.get(brand["name"], f"ddi-provider-registrations/{row['id']}")).status_code == 404
