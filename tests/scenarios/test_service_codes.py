"""Service codes told as stories: what a device dials is set in provisioning, and acts on the next call."""

from __future__ import annotations

from landline.kernel.ids import new_id

from tests.support.story_edge import Edge
from tests.support.world import PROVISIONING, Brand, Home, Row, until


def forwards(home: Home) -> list[Row]:
    """The device's forwards, as its owner sees them."""
    return list(home.api.items(f"{PROVISIONING}/call-forwards", device_id=home.device_id))


def test_a_forward_is_set_and_cleared_by_its_code(brand: Brand, edge: Edge) -> None:
    """*82 and a number as it is dialled; the same attempt twice is one change; *82 alone takes it away."""
    home = brand.home()
    request = edge.request(home, "*82600999888")
    first = edge.post("/calls", request).json()
    assert (first["decision"], first["service"]) == ("service", "forward_set")
    assert first["uri"] == "sip:ann+forward-set@default"
    assert edge.post("/calls", request).json() == first
    [made] = forwards(home)
    assert (made["kind"], made["target"], made["number"], made["no_answer_timeout_s"], made["version"]) == (
        "no_answer",
        "number",
        "+34600999888",
        20,
        1,
    )
    changed = edge.ask(home, "*82611222333")
    assert changed["service"] == "forward_set"
    [made] = forwards(home)
    assert (made["number"], made["version"]) == ("+34611222333", 2)
    cleared = edge.ask(home, "*82")
    assert (cleared["service"], cleared["uri"]) == ("forward_cleared", "sip:ann+forward-cleared@default")
    assert forwards(home) == []
    assert edge.ask(home, "*82")["service"] == "forward_cleared"
    assert home.usage()["active_calls"] == 0


def test_a_code_acts_on_the_next_call_and_is_in_the_audit_log(brand: Brand, edge: Edge) -> None:
    """Within a second; written by the platform's own service, for the service code."""
    home = brand.home()
    ddi = {"target": "device", "device_id": home.device_id}
    home.api.patch(f"{PROVISIONING}/ddis/{home.ddi_id}", ddi)
    neighbour = brand.home()

    def outcome() -> str:
        answer = edge.ask(neighbour, home.number[3:])
        if answer["decision"] == "allow":
            edge.post(f"/calls/{answer['call_id']}/ended", {"at": edge.now(), "sip_code": 487})
        return str(answer.get("reason") or answer["callee"])

    until(lambda: outcome() == "not_registered", "the number leads to the device")
    assert edge.ask(home, "*83600999888")["service"] == "forward_set"
    until(lambda: outcome() == "+34600999888", "the next call is forwarded", within_s=5)
    [entry] = home.api.items(f"{PROVISIONING}/audit-log", resource="call-forwards", client_id=home.id)
    assert (entry["action"], entry["reason"]) == ("create", "service code")
    until(lambda: not home.live_calls(), "no call is left")


def test_what_a_client_lacks_is_told_not_done(brand: Brand, edge: Edge) -> None:
    """No voicemail: neither the box nor a forward to it; and no number is no number."""
    home = brand.home()
    for dialled, reason in (
        ("*93", "service_unavailable"),
        ("*80*", "service_unavailable"),
        ("*80nonsense", "invalid_number"),
    ):
        assert edge.denied(home, dialled)["reason"] == reason
    assert forwards(home) == []
    again = edge.post("/calls", {**edge.request(home, "*80*"), "attempt_id": new_id()})
    assert again.json()["decision"] == "deny"
