"""What provisioning does not know itself: live calls, money that moved, addresses that are banned."""

from __future__ import annotations

from typing import Any

from tests.support.story_edge import Edge
from tests.support.world import MOBILE, PROVISIONING, Brand, Platform


def refusal(answer: Any) -> tuple[int, str]:
    """(status, the code of the first wrong field, else of the problem)."""
    body = answer.json()
    return answer.status_code, [*(e["code"] for e in body.get("errors", [])), body["code"]][0]


def test_a_client_stays_while_it_talks_and_its_currency_once_it_paid(brand: Brand, edge: Edge) -> None:
    """call-control knows the calls, billing the money; provisioning asks both, in a running platform."""
    home = brand.home(billing_method="prepaid")
    http, path = brand.api.http, f"{PROVISIONING}/clients/{home.id}"
    assert home.change(currency="USD")["currency"] == "USD"
    assert home.change(currency="EUR")["currency"] == "EUR"
    home.top_up("5.00")
    assert refusal(http.patch(path, json={"currency": "USD"})) == (422, "currency_frozen")
    call = edge.admit(home, MOBILE)
    assert refusal(http.delete(path)) == (409, "calls_live")
    call.ended(cause="cancelled")
    assert refusal(http.delete(path)) == (409, "still_needed")


def test_a_banned_address_is_seen_and_let_in_again(platform: Platform, brand: Brand, edge: Edge) -> None:
    """Ten guessed names ban an address; the operator sees which, lifts it, and one failure bans no more."""
    address, path = "198.51.100.77", f"{PROVISIONING}/banned-addresses"

    def fails(user: str) -> str | None:
        body = {"user": user, "domain": brand.domain, "source_ip": address}
        banned: str | None = edge.post("/auth-failures", body).json()["banned_until"]
        return banned

    assert [fails(f"guess{n}") for n in range(10)][-1] is not None
    (found,) = platform.api.get(path, address=address)["items"]
    assert {f["user"] for f in found["failures"]} == {f"guess{n}" for n in range(10)}
    assert platform.api.http.delete(f"{path}/{address}").status_code == 204
    assert platform.api.get(path, address=address)["items"] == []
    assert fails("guess1") is None
