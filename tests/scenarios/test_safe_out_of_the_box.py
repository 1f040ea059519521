"""A brand that was only just made, on a running platform: what it refuses before anybody configured it."""

from __future__ import annotations

import pytest

from tests.support.story_edge import Edge
from tests.support.world import MOBILE, PROVISIONING, SATELLITE, Brand, Home, Platform, until

PREMIUM_ABROAD = "00449098790000"
NOTHING_SET = {"allowed_risk_classes": ["normal", "special_rate"], "max_calls_per_minute": 30}


@pytest.fixture(scope="module")
def plain(platform: Platform) -> Brand:
    """With the limits that every new brand has."""
    return platform.brand("Plain", **NOTHING_SET, probation_days=7)


@pytest.fixture(scope="module")
def home(plain: Brand) -> Home:
    """A client of it, on probation."""
    return plain.home(billing_method="postpaid")


def test_a_satellite_is_refused_and_112_is_known(edge: Edge, home: Home) -> None:
    """Ranges and emergency numbers come with the platform: nobody has to think of them."""
    denied = edge.denied(home, SATELLITE)
    assert (denied["reason"], denied["value"]) == ("risk_barred", "high_risk")
    assert denied["detail"].startswith("+870 is high_risk")
    answer = edge.ask(home, "112")
    assert (answer["decision"], answer["call_class"]) == ("allow", "emergency")
    abroad = edge.denied(home, PREMIUM_ABROAD)
    assert (abroad["reason"], abroad["value"]) == ("risk_barred", "high_risk"), "a premium number over there"


def test_a_new_client_places_fifteen_calls_a_minute(edge: Edge, home: Home) -> None:
    """Half of thirty in its first week; the operator may say otherwise, at once."""
    answers = [edge.ask(home, MOBILE) for _ in range(16)]
    assert [a["decision"] for a in answers].count("allow") == 15
    assert answers[-1]["reason"] == "too_fast"
    assert 0 < answers[-1]["retry_after_s"] <= 60
    home.change(max_calls_per_minute=0)
    until(lambda: edge.ask(home, MOBILE)["decision"] == "allow", "unlimited by its operator")


def test_a_client_bars_what_it_does_not_want(edge: Edge, plain: Brand) -> None:
    """By its own admin in the portal; the next call meets it within a second."""
    own = plain.home(billing_method="postpaid")
    admin = plain.admin("bars", own.id)
    row = admin.post(f"{PROVISIONING}/barrings", {"name": "No mobiles", "prefixes": ["+346"]})
    until(lambda: edge.ask(own, MOBILE).get("reason") == "barred", "barred")
    assert admin.http.delete(f"{PROVISIONING}/barrings/{row['id']}").status_code == 204
    until(lambda: edge.ask(own, MOBILE)["decision"] == "allow", "no longer barred")
