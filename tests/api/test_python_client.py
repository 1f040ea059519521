"""The typed Python client (clients/python) against the running platform."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from landline_client import (
    Conflict,
    Forbidden,
    Invalid,
    Landline,
    NotFound,
    TooManyRequests,
    Unauthorized,
    VersionMismatch,
)

from tests.support.stack import ADMIN_PASSWORD
from tests.support.world import Platform


@pytest.fixture(scope="module")
def brand_id(platform: Platform) -> str:
    """A brand of this module's own."""
    domain = f"client-{uuid4().hex[:8]}.example"
    body = {"name": domain, "sip_domain": domain, "country": "ES"}
    return str(platform.api.post("/api/provisioning/v1/brands", body)["id"])


@pytest.fixture(scope="module")
def landline(platform: Platform, brand_id: str) -> Iterator[Landline]:
    """As an integrator of the brand."""
    key = platform.api.post("/api/provisioning/v1/api-keys", {"name": "client", "brand_id": brand_id})["key"]
    with Landline(platform.stack.url, api_key=key) as client:
        yield client


def test_rows_are_created_read_changed_and_deleted(landline: Landline) -> None:
    """The life of a row, with the version that was seen."""
    clients = landline.provisioning.clients
    casa = clients.create({"name": "Casa", "max_daily_usage": "10.00"}, reason="signed up")
    assert clients.get(casa["id"]) == casa
    changed = clients.change(casa, {"max_daily_usage": None, "max_calls": 3})
    assert (changed["max_daily_usage"], changed["max_calls"], changed["version"]) == (None, 3, 2)
    with pytest.raises(VersionMismatch):
        clients.change(casa, {"max_calls": 9})
    assert clients.change(casa["id"], {"max_calls": 4})["max_calls"] == 4
    with pytest.raises(VersionMismatch):
        clients.delete(changed)
    clients.delete(casa["id"])
    with pytest.raises(NotFound):
        clients.get(casa["id"])


def test_lists_are_iterated_page_by_page(landline: Landline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters as keywords; no row twice, none left out."""
    from landline_client import resource

    monkeypatch.setattr(resource, "MOST_ROWS", 2)
    clients = landline.provisioning.clients
    made = [clients.create({"name": f"Page {n}"})["id"] for n in range(5)]
    found = [row["id"] for row in clients.iterate(name__contains="page", sort="-name")]
    assert found == made[::-1]
    page = clients.page(limit=3, id__in=made[:4], count=True)
    assert (len(page["items"]), page["total"], page["next_cursor"] is None) == (3, 4, False)
    assert clients.csv(name="Page 1").count("\r\n") == 2


def test_refusals_are_exceptions_named_for_what_happened(landline: Landline) -> None:
    """Each with its code, and every wrong field at once."""
    clients = landline.provisioning.clients
    with pytest.raises(Invalid) as invalid:
        clients.create({"name": "", "max_calls": -1})
    assert {error.field for error in invalid.value.errors} == {"name", "max_calls"}
    clients.create({"name": "Twice"})
    with pytest.raises(Conflict) as taken:
        clients.create({"name": "Twice"})
    assert (taken.value.code, taken.value.status) == ("name_taken", 409)
    casa = clients.create({"name": "Needed"})
    landline.provisioning.devices.create({"client_id": casa["id"], "name": "phone"})
    with pytest.raises(Conflict) as needed:
        clients.delete(casa)
    assert [need["resource"] for need in needed.value.needed_by] == ["devices"]
    with pytest.raises(Forbidden):
        landline.provisioning.edges.page()
    with pytest.raises(NotFound) as gone:
        clients.get(str(uuid4()))
    assert gone.value.request_id


def test_a_repeated_creation_is_done_once(landline: Landline) -> None:
    """The key is the caller's own: a job that starts again does not do its work twice."""
    key = str(uuid4())
    first = landline.provisioning.clients.create({"name": "Once"}, key=key)
    assert landline.provisioning.clients.create({"name": "Once"}, key=key) == first


def test_every_service_is_there(landline: Landline) -> None:
    """One client, four services."""
    assert landline.billing.postings.page()["items"] == []
    assert landline.call_control.calls.page()["items"] == []
    assert landline.notifier.notifications.page()["items"] == []
    kinds = landline.request("GET", "/api/notifier/v1/notification-kinds")
    assert "daily_usage" in {kind["kind"] for kind in kinds}


def test_a_person_logs_in_and_is_renewed(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Access tokens live ten minutes; a script may run for hours."""
    from landline_client import client

    monkeypatch.setattr(client, "EARLY_S", 10_000.0)  # every request finds its token about to end
    with Landline.login(platform.stack.url, "admin", ADMIN_PASSWORD) as landline:
        assert landline.request("GET", "/api/provisioning/v1/auth/me")["username"] == "admin"
        assert landline.provisioning.brands.page(limit=1)["items"]
    with pytest.raises((Unauthorized, TooManyRequests)):
        Landline.login(platform.stack.url, "admin", "not the password")
    with Landline(platform.stack.url, api_key="llk_nonsense") as nobody, pytest.raises(Unauthorized):
        nobody.provisioning.brands.page()
