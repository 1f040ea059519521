"""Promise 5: an admin of one brand sees and touches nothing of another: 404, as if it did not exist."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from landline.chassis.embedded.rest_client import RestClient

from tests.support.story_edge import Edge, StoryCall
from tests.support.world import BILLING, CALL_CONTROL, MOBILE, NOTIFIER, PROVISIONING, Brand, Home, Platform

LISTS = (
    *(f"{PROVISIONING}/{name}" for name in (
        "brands", "clients", "devices", "ddis", "authorized-sources", "carriers", "carrier-servers",
        "routes", "ddi-providers", "ddi-provider-addresses", "destination-patterns", "transformation-sets",
        "transformation-rules", "admins",
    )),
    *(f"{BILLING}/{name}" for name in (
        "rate-decks", "rates", "rating-plans", "rating-profiles", "postings", "call-records", "jobs",
    )),
    f"{CALL_CONTROL}/calls",
    f"{NOTIFIER}/notifications",
    f"{NOTIFIER}/notification-templates",
)  # fmt: skip


@dataclass
class Two:
    """A brand with a live call and a finished one, and the admin of another brand."""

    owner: Brand
    home: Home
    live: StoryCall
    ended: StoryCall
    stranger: RestClient
    foreign_client: RestClient

    def rows(self) -> dict[str, str]:
        """Addresses of single rows of the first brand."""
        brand, home = self.owner, self.home
        own = {f"{PROVISIONING}/brands": brand.id, f"{PROVISIONING}/clients": home.id}
        own |= {f"{PROVISIONING}/devices": home.device_id, f"{PROVISIONING}/ddis": home.ddi_id}
        for name, row_id in brand.ids.items():
            billings = name in ("rate-decks", "rating-plans", "rating-profiles", "jobs")
            own[f"{BILLING if billings else PROVISIONING}/{name}"] = row_id
        own[f"{BILLING}/call-records"] = self.ended.id
        return own


@pytest.fixture(scope="module")
def two(platform: Platform, brand: Brand) -> Two:
    """Brand Alpha with calls, and brand Beta's people."""
    edge: Edge = platform.edge()
    home = brand.home(billing_method="prepaid", balance="1.00")
    ended = edge.talk(home, MOBILE, 1)
    live = edge.admit(home, MOBILE)
    live.answered()
    home.record(ended.id)
    beta = platform.brand("Beta")
    neighbour = beta.home()
    stranger, foreign = beta.admin("beta-operator"), beta.admin("beta-garcia", neighbour.id)
    return Two(brand, home, live, ended, stranger, foreign)


def test_every_row_of_another_brand_is_404_to_read_change_and_delete(two: Two) -> None:
    """A guessed or leaked id must be worth nothing, in any service."""
    wrong = {}
    for collection, row_id in two.rows().items():
        path = f"{collection}/{row_id}"
        for person, who in ((two.stranger, "operator"), (two.foreign_client, "client")):
            for method in ("GET", "PATCH", "DELETE"):
                answer = person.http.request(method, path, json={} if method == "PATCH" else None)
                # 403 and 405 say nothing about the row: this kind of person can never do that to any row.
                refused = (403, 404, 405) if method != "GET" or who == "client" else (404,)
                if answer.status_code not in refused:
                    wrong[f"{who} {method} {path}"] = answer.status_code
        assert two.owner.api.http.get(path).status_code == 200, path
    assert wrong == {}


def test_actions_on_another_brands_rows_are_404(two: Two) -> None:
    """Money, calls, secrets and imports of others are out of reach."""
    home, brand, api = two.home, two.owner, two.stranger
    headers = {"X-Reason": "curiosity", "Idempotency-Key": "beta-1"}
    money = {"operation": "increment", "amount": "1.00", "reason": "mine"}
    sheet = {"file": ("a.csv", b"destination,prefix,rate,connect fee,increment\n", "text/csv")}
    answers = {
        "usage": api.http.get(f"{CALL_CONTROL}/clients/{home.id}/usage"),
        "hangup": api.http.post(f"{CALL_CONTROL}/calls/{two.live.id}/hangup"),
        "balance": api.http.get(f"{BILLING}/clients/{home.id}/balance"),
        "operation": api.http.post(
            f"{BILLING}/clients/{home.id}/balance/operations", json=money, headers=headers
        ),
        "import": api.http.post(f"{BILLING}/rate-decks/{brand.deck_id}/import", files=sheet),
        "entries": api.http.get(f"{BILLING}/rating-plans/{brand.plan_id}/entries"),
        "unlink": api.http.post(f"{PROVISIONING}/ddis/{home.ddi_id}/unlink"),
        "try": api.http.post(
            f"{PROVISIONING}/transformation-sets/{brand.set_id}/try",
            json={"direction": "callee_in", "number": "600123123"},
        ),
        "simulate": api.http.post(
            f"{CALL_CONTROL}/simulate", json=brand.platform.edge().request(home, MOBILE)
        ),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 404)
    quote = {"client_id": home.id, "number": "+34600123123"}
    assert api.http.post(f"{BILLING}/price-quotes", json=quote).status_code in (404, 422)
    assert [call["call_id"] for call in home.live_calls()] == [two.live.id]


@pytest.mark.parametrize("path", LISTS)
def test_lists_hold_nothing_of_another_brand(two: Two, path: str) -> None:
    """Neither by filter nor by paging."""
    for person in (two.stranger, two.foreign_client):
        for query in ({}, {"brand_id": two.owner.id}, {"client_id": two.home.id}):
            answer = person.http.get(path, params={"limit": 500, **query})
            assert answer.status_code in (200, 403, 422), answer.text
            assert two.owner.id not in answer.text.replace(str(answer.request.url), "")
            assert two.home.id not in answer.text


def test_rows_cannot_be_made_for_or_moved_to_another_brand(two: Two) -> None:
    """A reference is a way in, too."""
    [own] = two.stranger.get(f"{PROVISIONING}/clients")["items"]
    [pattern] = two.stranger.get(f"{PROVISIONING}/destination-patterns")["items"]
    brand, home = two.owner, two.home
    tries = {
        "client of another brand": ("POST", "clients", {"name": "Spy", "brand_id": brand.id}),
        "device of another's client": ("POST", "devices", {"name": "spy", "client_id": home.id}),
        "another's dialling": ("PATCH", f"clients/{own['id']}", {"transformation_set_id": brand.set_id}),
        "another's number": ("PATCH", f"clients/{own['id']}", {"outgoing_ddi_id": home.ddi_id}),
        "another's carrier": (
            "POST",
            "routes",
            {"destination_pattern_id": pattern["id"], "carrier_id": brand.ids["carriers"]},
        ),
        "admin of another's client": (
            "POST",
            "admins",
            {"username": "spy", "password": "a spy of tests 1", "client_id": home.id},
        ),
    }
    found = {
        name: two.stranger.http.request(method, f"{PROVISIONING}/{path}", json=body).status_code
        for name, (method, path, body) in tries.items()
    }
    assert set(found.values()) <= {403, 404, 422}, found


def test_a_client_sees_only_itself(two: Two, platform: Platform) -> None:
    """Neighbours in one brand are strangers as well; an edge key opens no management API."""
    own = two.owner.admin("garcia", two.home.id)
    neighbour = two.owner.home()
    assert own.http.get(f"{CALL_CONTROL}/clients/{two.home.id}/usage").status_code == 200
    for path in (
        f"{PROVISIONING}/clients/{neighbour.id}",
        f"{CALL_CONTROL}/clients/{neighbour.id}/usage",
        f"{BILLING}/clients/{neighbour.id}/balance",
        f"{PROVISIONING}/devices/{neighbour.device_id}",
    ):
        assert own.http.get(path).status_code == 404, path
    assert [c["call_id"] for c in own.get(f"{CALL_CONTROL}/calls")["items"]] == [two.live.id]
    with_edge_key = RestClient(platform.stack.url, platform.edge().key)
    for path in LISTS:
        assert with_edge_key.http.get(path).status_code in (401, 403), path
        assert RestClient(platform.stack.url).http.get(path).status_code == 401, path
