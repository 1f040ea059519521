"""Which relay set and which application server an edge is told for a call (model-system 1.1)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from call_control.adapters.transformation_facts import LazySets
from call_control.domain.facts import BrandFacts, ClientFacts
from call_control.domain.media_place import application_server, media_relay_set

BRAND = BrandFacts(
    id="b",
    partition=0,
    name="B",
    sip_domain="b.example",
    media_relay_sets={"r1": "fast"},
    application_servers={"s1": ("as1", "as2", "as3"), "one": ("as9",), "none": ()},
)


def client(number: int = 0, **changes: Any) -> ClientFacts:
    made = ClientFacts(f"client {number}", "b", "C", application_server_set_id="s1", media_relay_set_id="r1")
    return replace(made, **changes)


def shares(servers: list[str]) -> Counter[str]:
    return Counter(servers)


@pytest.mark.parametrize("set_id", [None, "gone", "none"])
def test_without_a_known_set_the_edge_is_told_default(set_id: str | None) -> None:
    """A set's row may come after the client's: the call goes on, with what every edge has."""
    lost = client(application_server_set_id=set_id, media_relay_set_id=set_id)
    assert (media_relay_set(BRAND, lost), application_server(BRAND, lost, "1")) == ("default", "default")
    assert media_relay_set(BRAND, client()) == "fast"


def test_static_takes_the_first_and_a_set_of_one_its_only_server() -> None:
    """Whatever the call."""
    assert {application_server(BRAND, client(distribution="static"), str(n)) for n in range(50)} == {"as1"}
    assert application_server(BRAND, client(application_server_set_id="one"), "1") == "as9"


def test_hash_keeps_a_client_on_its_server_and_spreads_clients() -> None:
    """Its voicemail and conferences live there; no server gets most of the clients."""
    assert len({application_server(BRAND, client(), str(n)) for n in range(50)}) == 1
    found = shares([application_server(BRAND, client(n), "1") for n in range(3000)])
    assert all(850 < count < 1150 for count in found.values()), found


def test_a_server_that_goes_moves_only_its_own_clients() -> None:
    """Modulo by the number of servers would move nearly everybody."""
    fewer = BrandFacts(
        id="b", partition=0, name="B", sip_domain="b", application_servers={"s1": ("as1", "as3")}
    )
    for n in range(300):
        before = application_server(BRAND, client(n), "1")
        assert before == "as2" or application_server(fewer, client(n), "1") == before


def test_round_robin_spreads_the_calls_of_one_client() -> None:
    """Evenly, by the call's id: workers share no counter."""
    turns = client(distribution="round-robin")
    found = shares([application_server(BRAND, turns, f"17-{n}") for n in range(3000)])
    assert all(850 < count < 1150 for count in found.values()), found


def rule(set_id: str, match: str) -> dict[str, object]:
    return {
        "transformation_set_id": set_id,
        "direction": "callee_in",
        "priority": 1,
        "match": match,
        "replace": "+1",
    }


def test_transformation_sets_are_compiled_when_first_used_and_shared() -> None:
    """250 countries compiled for each brand would stop the event loop; a broken one stops no other."""
    shared = LazySets({"set:es": {}, "rule:1": rule("es", "^0$"), "set:bad": {}, "rule:2": rule("bad", "(")})
    own = LazySets({"set:mine": {}, "rule:3": rule("mine", "^9$")}, shared)
    assert shared._made == {}
    assert own["mine"].apply("callee_in", "9").result == "+1"
    assert own.get("es") is own["es"] is shared.get("es")
    assert (own.get("bad"), own.get("nowhere")) == (None, None)
    assert set(own) == {"es", "bad", "mine"}
    assert len(own) == 3
    with pytest.raises(KeyError):
        own["bad"]
