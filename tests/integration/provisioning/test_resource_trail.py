"""Every write leaves an audit entry and an event, in its own transaction or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from landline.chassis import outbox
from landline.chassis.auth import Principal
from landline.chassis.postgres import Scope
from landline.chassis.secrets import Keyring
from landline.contracts.envelope import Envelope, unseal
from landline.contracts.provisioning.events import EntityChanged
from sqlalchemy import text

from tests.support.provisioning_api import Api


async def events(api: Api, entity_id: str) -> list[tuple[Envelope, EntityChanged]]:
    """The events of one row, in the order of the outbox."""
    async with api.db.transaction(Scope.system()) as tx:
        rows = (await tx.execute(text("select stream, event from outbox order by id"))).all()
    assert {r.stream for r in rows} <= {"landline:config"}
    found = [unseal(bytes(r.event)) for r in rows]
    return [(e, d) for e in found if (d := e.read(EntityChanged)).entity_id == entity_id]


async def entries(api: Api, entity_id: str) -> list[dict[str, Any]]:
    """The audit entries of one row, oldest first."""
    answer = await api.get("platform", f"audit-log?entity_id={entity_id}&sort=created_at,id&limit=500")
    return list(answer.json()["items"])


async def test_create_change_delete_are_published_with_growing_versions(api: Api) -> None:
    """Consumers apply only a higher entity_version; the tombstone must be the highest."""
    brand = await api.brand()
    client = await api.client(brand, max_daily_usage="10.00")
    path = f"clients/{client['id']}"
    await api.patch(brand["name"], path, {"max_calls": 2})
    await api.delete(brand["name"], path)
    found = await events(api, client["id"])
    assert [(d.entity, d.entity_version, d.deleted) for _, d in found] == [
        ("client", 1, False),
        ("client", 2, False),
        ("client", 3, True),
    ]
    envelope, created = found[0]
    assert (envelope.type, envelope.brand_id, envelope.client_id) == (
        "client.changed.v1",
        brand["id"],
        client["id"],
    )
    assert created.data == client
    assert found[1][1].data["max_calls"] == 2


async def test_the_audit_log_says_who_what_for_whom_from_where_and_why(api: Api) -> None:
    """Issue 4: every write, with before and after."""
    brand = await api.brand()
    client = await api.client(brand)
    api.who.known["helper"] = Principal(
        "brand", brand["id"], admin_id="7", username="ana", impersonator_id="root-id"
    )
    await api.patch(
        "helper",
        f"clients/{client['id']}",
        {"max_calls": 4},
        headers={"X-Reason": "asked by phone", "X-Request-Id": "req-1"},
    )
    entry = (await entries(api, client["id"]))[-1]
    assert entry["changes"] == {"max_calls": {"before": 0, "after": 4}}
    assert {
        k: entry[k] for k in ("username", "admin_id", "impersonator_id", "level", "resource", "action")
    } == {
        "username": "ana",
        "admin_id": "7",
        "impersonator_id": "root-id",
        "level": "brand",
        "resource": "clients",
        "action": "update",
    }
    assert (entry["reason"], entry["request_id"], entry["address"]) == (
        "asked by phone",
        "req-1",
        "127.0.0.1",
    )
    assert (entry["brand_id"], entry["client_id"]) == (brand["id"], client["id"])


async def test_secrets_are_masked_in_the_audit_log_and_sealed_in_the_event(api: Api) -> None:
    """Neither an auditor nor a reader of the stream may learn what lets a phone register."""
    brand = await api.brand()
    client = await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "phone"})
    changed = await api.patch(brand["name"], f"devices/{device['id']}", {"reset_credentials": True})
    assert changed.json()["password"] != device["password"]
    log = await entries(api, device["id"])
    assert log[1]["changes"] == {n: {"before": "***", "after": "***"} for n in ("ha1", "ha1_sha256")}
    assert device["password"] not in str(log)
    _, last = (await events(api, device["id"]))[-1]
    ha1 = Keyring.of(api.app.state.settings).unseal(last.data["ha1"], f"device:{device['id']}")
    assert len(ha1) == 32
    assert ha1 not in str(last.data)
    assert "ha1" not in (await api.get(brand["name"], f"devices/{device['id']}")).json()


@pytest.mark.parametrize("broken", ["outbox", "audit"])
async def test_row_entry_and_event_are_written_together_or_not_at_all(
    api: Api, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A row without its event would never reach call-control."""
    brand = await api.brand()
    client = await api.client(brand)

    async def fails(*_: object, **__: object) -> None:
        raise RuntimeError("disk full")

    from landline.chassis.resources import audit

    module, name = (outbox, "add") if broken == "outbox" else (audit, "record")
    monkeypatch.setattr(module, name, fails)
    assert (await api.post(brand["name"], "clients", {"name": "lost"})).status_code == 500
    assert (await api.patch(brand["name"], f"clients/{client['id']}", {"max_calls": 9})).status_code == 500
    assert (await api.delete(brand["name"], f"clients/{client['id']}")).status_code == 500
    monkeypatch.undo()
    assert (await api.get(brand["name"], "clients?name=lost")).json()["items"] == []
    assert (await api.get(brand["name"], f"clients/{client['id']}")).json()["max_calls"] == 0
    assert len(await events(api, client["id"])) == len(await entries(api, client["id"])) == 1


async def test_the_audit_log_cannot_be_rewritten(api: Api) -> None:
    """Not even by a bug of ours: the service's role has no right to."""
    await api.brand()
    for statement in ("update audit_log set username = 'x'", "delete from audit_log"):
        with pytest.raises(Exception, match="permission denied"):
            async with api.db.transaction(Scope.system()) as tx:
                await tx.execute(text(statement))


async def test_a_brand_reads_its_own_entries_only(api: Api) -> None:
    """What the platform does elsewhere is none of its business."""
    one, other = await api.brand(), await api.brand()
    await api.client(one)
    await api.client(other)
    seen = (await api.get(one["name"], "audit-log?limit=500")).json()["items"]
    assert {e["brand_id"] for e in seen} == {one["id"]}
    assert (await api.post("platform", "audit-log", {})).status_code == 405


@pytest.mark.parametrize("reason", ["x" * 501, "tab\there"])
async def test_a_reason_must_be_decent_text(api: Api, reason: str) -> None:
    """It is shown in lists."""
    answer = await api.post("platform", "brands", {}, headers={"X-Reason": reason})
    assert answer.status_code == 422
