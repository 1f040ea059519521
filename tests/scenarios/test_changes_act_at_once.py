"""Promise 6: a change in provisioning acts on the next call within one second."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.support.story_edge import Edge
from tests.support.world import MOBILE, PROVISIONING, Brand, Home, until

ROUNDS = 5
PROMISED_S = 1.0


def reason(edge: Edge, home: Home) -> str:
    """Why a call is denied; `allow` otherwise. An allowed call is ended at once."""
    answer = edge.ask(home, MOBILE)
    if answer["decision"] != "allow":
        return str(answer["reason"])
    edge.post(f"/calls/{answer['call_id']}/ended", {"at": time.time(), "cause": "cancelled"})
    return "allow"


def seconds_until(condition: Callable[[], bool], what: str) -> float:
    """How long it took."""
    started = time.monotonic()
    until(condition, what)
    return time.monotonic() - started


def test_disabling_and_enabling_a_client_acts_on_its_next_call(brand: Brand, edge: Edge) -> None:
    """The quickest of some changes must keep the promise: a busy test machine may delay one, not all."""
    home = brand.home()
    took = []
    for _ in range(ROUNDS):
        home.change(enabled=False)
        took.append(seconds_until(lambda: reason(edge, home) == "disabled", "the client is disabled"))
        home.change(enabled=True)
        took.append(seconds_until(lambda: reason(edge, home) == "allow", "the client is enabled"))
    assert min(took) < PROMISED_S, took


def test_devices_numbers_and_routes_act_too(brand: Brand, edge: Edge) -> None:
    """Every entity that an admission looks at travels the same way."""
    home = brand.home(country="ES")
    api = brand.api

    def becomes(wanted: str, change: Callable[[], object]) -> float:
        change()
        return seconds_until(lambda: reason(edge, home) == wanted, f"the next call: {wanted}")

    device, ddi = f"{PROVISIONING}/devices/{home.device_id}", f"{PROVISIONING}/ddis/{home.ddi_id}"
    own = {"brand_id": brand.id, "client_id": home.id}
    pattern = {"brand_id": brand.id, "name": "Mobiles", "prefix": "+346"}
    pattern_id = api.post(f"{PROVISIONING}/destination-patterns", pattern)["id"]
    block = {**own, "mode": "block", "destination_pattern_id": pattern_id, "priority": 0}
    made: list[str] = []
    took = [
        becomes("disabled", lambda: api.patch(device, {"enabled": False})),
        becomes("allow", lambda: api.patch(device, {"enabled": True})),
        becomes("blocked", lambda: made.append(api.post(f"{PROVISIONING}/routes", block)["id"])),
        becomes("allow", lambda: api.http.delete(f"{PROVISIONING}/routes/{made[0]}").raise_for_status()),
        becomes("no_presentation_number", lambda: home.change(outgoing_ddi_id=None)),
        becomes("allow", lambda: home.change(outgoing_ddi_id=home.ddi_id)),
        becomes("no_presentation_number", lambda: api.patch(ddi, {"state": "quarantine"})),
        becomes("allow", lambda: api.patch(ddi, {"state": "active"})),
        becomes("max_calls_reached", lambda: _busy_with_one_call(edge, home)),
    ]
    assert min(took) < PROMISED_S, took


def _busy_with_one_call(edge: Edge, home: Home) -> None:
    edge.admit(home, MOBILE)
    home.change(max_calls=1)


def test_a_disabled_edge_is_out_and_a_new_key_replaces_the_old_one(brand: Brand) -> None:
    """A stolen edge key must be worthless at once."""
    platform = brand.platform
    edge = platform.edge("edge-of-a-thief")
    [row] = platform.api.items(f"{PROVISIONING}/edges", name="edge-of-a-thief")
    path = f"{PROVISIONING}/edges/{row['id']}"
    key = platform.api.patch(path, {"reset_key": True})["key"]
    until(lambda: not edge.is_known(), "the old key is refused")
    renewed = Edge(platform.stack.url, key)
    until(renewed.is_known, "the new key is taken")
    platform.api.patch(path, {"enabled": False})
    until(lambda: not renewed.is_known(), "a disabled edge is refused")
