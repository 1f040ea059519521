"""Registrations told as stories: who may register, from how many places, and who sees where."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from landline.chassis.embedded.rest_client import Refused

from tests.support.story_edge import Edge
from tests.support.world import PROVISIONING, Brand, Home, Row, until


def register(edge: Edge, home: Home, n: int, **changes: Any) -> Row:
    """REGISTER from the n-th place."""
    body = {
        "auth_user": home.device,
        "auth_realm": home.brand.domain,
        "contact": f"sip:{home.device}@192.0.2.{n}:5060",
        "received": f"sip:192.0.2.{n}:5060",
        "source_ip": f"192.0.2.{n}",
        "expires_s": 300,
        "user_agent": "Phone 1.0",
        **changes,
    }
    answer = edge.post("/registrations", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def registrations(home: Home, api: Any = None) -> Row:
    """As people see them."""
    return dict((api or home.api).get(f"{PROVISIONING}/devices/{home.device_id}/registrations"))


def test_people_see_where_a_device_is_registered(brand: Brand, edge: Edge) -> None:
    """The latest first, gone with its unregistration; another client's device does not exist."""
    home, other = brand.home(), brand.home()
    assert registrations(home)["status"] == "not_registered"
    assert register(edge, home, 1)["allow"]
    assert register(edge, home, 2, expires_s=600)["allow"]
    found = registrations(home)
    assert (found["status"], [each["source_ip"] for each in found["items"]]) == (
        "registered",
        ["192.0.2.2", "192.0.2.1"],
    )
    assert (found["items"][0]["edge"], found["items"][0]["user_agent"]) == ("edge-1", "Phone 1.0")
    owner, stranger = brand.admin("owner", home.id), brand.admin("stranger", other.id)
    assert registrations(home, owner)["items"] == found["items"]
    with pytest.raises(Refused) as refused:
        registrations(home, stranger)
    assert refused.value.status == 404
    register(edge, home, 2, expires_s=0)
    assert [each["source_ip"] for each in registrations(home)["items"]] == ["192.0.2.1"]


def test_ten_places_are_the_most_and_one_without_multi_contact(brand: Brand, edge: Edge) -> None:
    """The eleventh is refused and told why; whoever is in may renew; single contacts replace each other."""
    home = brand.home()
    assert all(register(edge, home, n)["allow"] for n in range(1, 11))
    refused = register(edge, home, 11)
    assert (refused["allow"], refused["reason"], refused["sip_code"]) == (False, "too_many_contacts", 403)
    assert register(edge, home, 3)["allow"]
    assert len(registrations(home)["items"]) == 10
    single = brand.home()
    brand.api.patch(f"{PROVISIONING}/devices/{single.device_id}", {"multi_contact": False})
    for n in (1, 2):
        register(edge, single, n)

    # The change acts within a second; until then both contacts may be kept.
    def only_the_latest() -> bool:
        register(edge, single, 2)
        return [each["source_ip"] for each in registrations(single)["items"]] == ["192.0.2.2"]

    until(only_the_latest, "the latest contact replaces the others")


def test_twenty_phones_at_once_find_ten_places(brand: Brand, edge: Edge) -> None:
    """Counted where they are kept: REGISTERs in parallel can't take more places than there are."""
    home = brand.home()
    assert register(edge, home, 99)["allow"]  # the device is known
    assert register(edge, home, 99, expires_s=0)["allow"]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: register(edge, home, n), range(1, 21)))
    assert sum(answer["allow"] for answer in answers) == 10, "the others find it FULL"
    assert {answer["reason"] for answer in answers} == {None, "too_many_contacts"}
    assert len(registrations(home)["items"]) == 10


def test_a_place_that_is_not_allowed_is_refused(brand: Brand, edge: Edge) -> None:
    """ip_filter holds for REGISTER too."""
    home = brand.home()
    home.change(ip_filter=True)
    until(lambda: register(edge, home, 1)["reason"] == "source_not_allowed", "the filter is on")
    register(edge, home, 1, expires_s=0)
    assert registrations(home)["items"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("contact", ""),
        ("contact", "sip:a@192.0.2.1\r\nRoute: <sip:198.51.100.1>"),
        ("contact", "<sip:a@192.0.2.1>;expires=9"),
        ("contact", "http://192.0.2.1/"),
        ("contact", "*"),  # with an expiry: only who leaves names all (RFC 3261 10.2.2)
        ("received", "192.0.2.1:5060"),
        ("received", "sip:192.0.2.1\0"),
        ("path", "<sip:edge;lr>\r\nX: y"),
    ],
)
def test_a_contact_that_is_no_sip_uri_is_refused_by_name(
    brand: Brand, edge: Edge, field: str, value: str
) -> None:
    """It becomes the Request-URI of the next call to the device: what fits in there must be a URI alone."""
    home = brand.home()
    body = {"auth_user": home.device, "auth_realm": brand.domain, "contact": "sip:a@192.0.2.1"}
    answer = edge.post("/registrations", {**body, "source_ip": "192.0.2.1", field: value})
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert registrations(home)["items"] == []
