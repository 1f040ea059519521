"""By which servers a call goes out (domain.md section 4.9): order, chance, stoppers, blocks, rewriting."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from call_control.adapters.placement import Change

from tests.support import configured as c
from tests.support.decided import decided

CARRIER_2 = "019a0000-0000-7000-8000-0000000000c2"


def ids(number: int) -> str:
    """An id of a test's own, growing with `number`."""
    return f"019a0000-0000-7000-8000-0000000{number:05d}"


def carrier_with(number: int, **server: Any) -> list[Change]:
    """A carrier with one server, both named by a number."""
    carrier_id = ids(1000 + number)
    return [
        c.carrier(carrier_id=carrier_id),
        c.server(ids(2000 + number), carrier_id=carrier_id, host=f"c{number}.example", **server),
    ]


async def hosts(*more: Change, seed: int = 0, **body: object) -> list[str]:
    """The hosts that a call would try, in order."""
    decision = await decided(dict(body), *more, seed=seed)
    assert decision.code == "allow", decision.refusal
    return [leg.uri.partition("@")[2].partition(";")[0].partition(":")[0] for leg in decision.case.legs]


async def test_lower_priorities_come_first() -> None:
    """The dearer carrier must be the fallback, not the first choice."""
    rows = [*carrier_with(1), *carrier_with(2)]
    first = c.route(ids(1), carrier_id=ids(1002), priority=1)
    later = c.route(ids(2), carrier_id=ids(1001), priority=2)
    assert await hosts(*rows, later, first, c.route(priority=9)) == [
        "c2.example",
        "c1.example",
        "198.51.100.9",
        "198.51.100.10",
    ]


async def test_a_stopper_drops_later_priorities_and_keeps_its_own() -> None:
    """Premium traffic must not leak to the fallback when its carriers fail."""
    rows = [*carrier_with(1), *carrier_with(2), *carrier_with(3)]
    routes = [
        c.route(ids(1), carrier_id=ids(1001), priority=1, stopper=True),
        c.route(ids(2), carrier_id=ids(1002), priority=1),
        c.route(ids(3), carrier_id=ids(1003), priority=2),
    ]
    assert sorted(await hosts(*rows, *routes, c.route(priority=3))) == ["c1.example", "c2.example"]


async def test_equal_priorities_are_drawn_by_weight() -> None:
    """Weight 3 against 1: about three quarters of first tries, or one carrier carries all the load."""
    rows = [*carrier_with(1), *carrier_with(2)]
    routes = [
        c.route(ids(1), carrier_id=ids(1001), weight=3),
        c.route(ids(2), carrier_id=ids(1002), weight=1),
        c.route(enabled=False),
    ]
    firsts = Counter([(await hosts(*rows, *routes, seed=seed))[0] for seed in range(120)])
    assert 70 <= firsts["c1.example"] <= 110
    assert firsts["c2.example"] == 120 - firsts["c1.example"]


async def test_only_prefixes_of_the_number_match() -> None:
    """A route for Portugal must not take calls to Spain; the longest prefix has no precedence by itself."""
    rows = [*carrier_with(1), *carrier_with(2)]
    portugal, mobiles = c.pattern("+351", ids(11)), c.pattern("+346", ids(12))
    routes = [
        c.route(ids(1), carrier_id=ids(1001), destination_pattern_id=ids(11)),
        c.route(ids(2), carrier_id=ids(1002), destination_pattern_id=ids(12), priority=2),
    ]
    assert await hosts(*rows, portugal, mobiles, *routes) == ["198.51.100.9", "198.51.100.10", "c2.example"]
    landline = await hosts(*rows, portugal, mobiles, *routes, request_user="944000000")
    assert landline == ["198.51.100.9", "198.51.100.10"]


async def test_a_route_whose_pattern_is_gone_matches_nothing() -> None:
    """Events may come in any order: half a route must not take every call."""
    decision = await decided({}, c.route(destination_pattern_id=ids(77)))
    assert decision.code == "no_route"


async def test_routes_of_another_client_are_not_ours() -> None:
    """A private trunk of one client must not carry the calls of others."""
    rows = [*carrier_with(1), *carrier_with(2)]
    mine = c.route(ids(1), carrier_id=ids(1001), client_id=c.CLIENT, priority=0)
    other = c.route(ids(2), carrier_id=ids(1002), client_id=ids(99), priority=0)
    assert await hosts(*rows, mine, other) == ["c1.example", "198.51.100.9", "198.51.100.10"]


async def test_a_block_reached_later_only_ends_the_list() -> None:
    """Reached first it refuses (see the denials); behind a working route it is the end of the fallback."""
    block = c.route(ids(1), mode="block", carrier_id=None, priority=2)
    rows = [*carrier_with(3), c.route(ids(2), carrier_id=ids(1003), priority=3)]
    assert await hosts(block, *rows) == ["198.51.100.9", "198.51.100.10"]


async def test_at_most_five_servers_each_once() -> None:
    """An answer must fit the edge's buffers; a server tried twice only loses time."""
    rows = [row for number in range(1, 8) for row in carrier_with(number)]
    routes = [c.route(ids(n), carrier_id=ids(1000 + n), priority=n) for n in range(1, 8)]
    again = c.route(ids(8), carrier_id=ids(1001), priority=2)
    assert await hosts(*rows, *routes, again, c.route(enabled=False)) == [
        f"c{n}.example" for n in range(1, 6)
    ]


async def test_a_disabled_carrier_is_passed_over() -> None:
    """Switching a carrier off must act without touching its routes."""
    rows = [*carrier_with(1), c.route(ids(1), carrier_id=ids(1001), priority=2)]
    assert await hosts(c.carrier(enabled=False), *rows) == ["c1.example"]


async def test_a_fax_prefers_fax_routes_and_falls_back_to_voice() -> None:
    """Fax routes first for faxes; a brand without them still sends its faxes."""
    rows = [*carrier_with(1), c.route(ids(1), kind="fax", destination_pattern_id=None, carrier_id=ids(1001))]
    assert await hosts(*rows, fax=True) == ["c1.example"]
    assert await hosts(*rows, fax=False) == ["198.51.100.9", "198.51.100.10"]
    assert await hosts(fax=True) == ["198.51.100.9", "198.51.100.10"]


async def test_a_carrier_gets_numbers_as_it_wants_them() -> None:
    """caller-out and callee-out of the carrier, the route's prefix, a forced number."""
    rows = [c.carrier(transformation_set_id=c.SET), c.server(c.SERVER_2, enabled=False)]
    leg = (await decided({}, *rows, c.route(prefix="9#"))).case.legs[0]
    assert leg.uri == "sip:9#600123123@198.51.100.9:5060;transport=udp"
    assert (leg.from_user, leg.pai) == ("944048182", f"<sip:944048182@{c.DOMAIN}>")
    forced = (await decided({}, *rows, c.route(force_clid="+34900111222"))).case.legs[0]
    assert forced.from_user == "900111222"


async def test_a_uri_leaves_the_port_to_dns_and_brackets_ipv6() -> None:
    """RFC 3261 section 19.1.1: an IPv6 host without brackets is another host with a port."""
    server = c.server(host="2001:db8::9", port=None, transport="tls", uri_scheme="sips")
    leg = (await decided({}, server, c.server(c.SERVER_2, enabled=False))).case.legs[0]
    assert leg.uri == f"sips:{c.MOBILE}@[2001:db8::9];transport=tls"


async def test_least_cost_tries_the_cheapest_carrier_for_this_call() -> None:
    """lcr: carriers by what five minutes to this number cost; one without a price for it is left out."""
    rows = [*carrier_with(1), *carrier_with(2), *carrier_with(3), *carrier_with(4)]
    decks = {ids(71): [("+34", "0.30"), ("+346", "0.10")], ids(72): [("+34", "0.20")], ids(73): [("+1", "0")]}
    for number in range(1, 4):
        entries = [{"deck_id": ids(70 + number), "weight": 1}]
        profile = {"plan_id": ids(50 + number), "carrier_id": ids(1000 + number), "activation_at_ms": 0}
        rows.append(c.row("plan", ids(50 + number), {**(c.plan().data or {}), "entries": entries}))
        rows.append(c.row("profile", ids(60 + number), profile))
    lcr = c.route(mode="lcr", carrier_id=None, carrier_ids=[ids(1000 + n) for n in range(1, 5)])
    to_mobile = await decided({}, *rows, lcr, decks=decks)
    to_landline = await decided({"request_user": "944000001"}, *rows, lcr, decks=decks)
    assert [leg.carrier_id for leg in to_mobile.case.legs] == [ids(1001), ids(1002)]
    assert [leg.carrier_id for leg in to_landline.case.legs] == [ids(1002), ids(1001)]


async def test_a_route_by_group_takes_the_numbers_of_all_its_patterns() -> None:
    """One route for a continent; a pattern that is not in the group is not taken."""
    group = c.row(
        "destination_pattern_group",
        ids(50),
        {"name": "Iberia", "destination_pattern_ids": [ids(11), ids(12), ids(99)]},
    )
    by_group = {"kind": "group", "destination_pattern_id": None, "destination_pattern_group_id": ids(50)}
    rows = [c.pattern("+351", ids(11)), c.pattern("+346", ids(12)), c.pattern("+34", ids(13)), group]
    rows.append(c.route(c.ROUTE, version=2, **by_group))
    prices = {c.DECK: [("+34", "0.60"), ("+351", "0.60")]}
    for dialled, code in (("600123123", "allow"), ("00351911222333", "allow"), ("944111222", "no_route")):
        decision = await decided({"request_user": dialled}, *rows, decks=prices)
        assert decision.code == code, dialled


@pytest.mark.parametrize(("policy", "code"), [("deny", "no_route"), ("domestic", "allow")])
async def test_least_cost_goes_on_without_costs_only_if_the_client_may(policy: str, code: str) -> None:
    """The carriers' rates can't be read on this host: without a cost there is no order, but a way."""
    profile = c.row(
        "profile",
        ids(60),
        {"profile_id": ids(60), "plan_id": ids(61), "carrier_id": c.CARRIER, "activation_at_ms": 0},
    )
    lcr = c.route(mode="lcr", carrier_id=None, carrier_ids=[c.CARRIER])
    decision = await decided({}, profile, lcr, c.client(outage_policy=policy))
    assert decision.code == code
