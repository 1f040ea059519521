"""By which servers the call may go out, in the order to try them (domain.md section 4.9)."""

from __future__ import annotations

from random import Random

from call_control.domain.admission.case import Case, Leg
from call_control.domain.admission.outage import tolerated
from call_control.domain.admission.rewriting import leg
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import BrandFacts, Carrier, Route

MAX_SERVERS = 5
MEMO_LIMIT = 100_000

Tier = tuple[Route, ...]
"""Routes of one priority; their order is drawn for each call."""


def judge(case: Case) -> Denial | None:
    """Routes by priority, then by weighted chance; a block reached first denies, one reached later ends."""
    case.legs = ()
    if case.on_net:
        return None
    kind = "emergency" if case.emergency else "fax" if case.request.fax else "call"
    tiers = _tiers(case, kind)
    if not tiers and kind != "call":
        tiers = _tiers(case, "call")
    legs: list[Leg] = []
    tried: set[str] = set()
    for route in _in_order(tiers, case.random):
        if route.mode == "block":
            if not legs:
                return deny("blocked", f"{case.callee} by route {route.id}")
            break
        _add_legs(case, route, legs, tried)
        if len(legs) == MAX_SERVERS:
            break
    if not legs:
        return deny("no_route", f"{case.callee}: {_why_none(tiers)}")
    case.legs = tuple(legs)
    return None


def _why_none(tiers: tuple[Tier, ...]) -> str:
    return "its routes lead to no working server" if tiers else "no route matches"


def _add_legs(case: Case, route: Route, legs: list[Leg], tried: set[str]) -> None:
    for carrier in _carriers(case, route):
        for server in carrier.servers:
            if len(legs) < MAX_SERVERS and server.id not in tried:
                tried.add(server.id)
                legs.append(leg(case, route, carrier, server))


def _carriers(case: Case, route: Route) -> list[Carrier]:
    """The carriers of a route that are switched on: one, or for lcr all, the cheapest for this call first."""
    found = [case.brand.carriers[i] for i in route.carrier_ids if i in case.brand.carriers]
    enabled = [carrier for carrier in found if carrier.enabled]
    if route.mode != "lcr":
        return enabled
    rates = case.facts.rates
    costs = [(rates.cost(c.profiles, case.callee, case.now_ms), c) for c in enabled]
    if not any(cost is not None for cost, _ in costs) and tolerated(case):
        # Rates of carriers that can't be read now: the client's policy lets it go on, in any order.
        return [c for c in enabled if rates.unreadable(c.profiles, case.callee, case.now_ms)]
    return [carrier for _, carrier in sorted(((cost, c) for cost, c in costs if cost is not None), key=_cost)]


def _cost(priced: tuple[int, Carrier]) -> tuple[int, str]:
    return priced[0], priced[1].id


def _tiers(case: Case, kind: str) -> tuple[Tier, ...]:
    """Matching routes by priority, cut after the first stopper's; remembered by what decides them."""
    brand, client_id = case.brand, case.client.id
    matching = _longest_prefix(brand, case.callee)
    key = (case.emergency, kind, client_id if client_id in brand.clients_with_routes else "", matching)
    known = brand.route_memo.get(key)
    if known is None:
        known = _find_tiers(case, kind)
        if len(brand.route_memo) < MEMO_LIMIT:
            brand.route_memo[key] = known
    return known


def _longest_prefix(brand: BrandFacts, callee: str) -> str:
    """The longest pattern that begins the callee: numbers that share it share all of their patterns."""
    for length in brand.pattern_lengths:
        if callee[:length] in brand.patterns and len(callee) >= length:
            return callee[:length]
    return ""


def _find_tiers(case: Case, kind: str) -> tuple[Tier, ...]:
    by_priority: dict[int, list[Route]] = {}
    for route in case.brand.routes:
        mine = route.kind == kind and route.client_id in (None, case.client.id)
        blocks = case.emergency and route.mode == "block"  # 4.12: they are not even seen
        if mine and not blocks and _matches(route, case.callee):
            by_priority.setdefault(route.priority, []).append(route)
    tiers: list[Tier] = []
    for priority in sorted(by_priority):
        tiers.append(tuple(by_priority[priority]))
        if any(route.stopper for route in by_priority[priority]):
            break
    return tuple(tiers)


def _matches(route: Route, callee: str) -> bool:
    """Emergency and fax routes may have no pattern: they take every number of their kind."""
    return callee.startswith(route.prefixes) or (not route.prefixes and route.kind != "call")


def _in_order(tiers: tuple[Tier, ...], random: Random) -> list[Route]:
    ordered: list[Route] = []
    for tier in tiers:
        ordered += tier if len(tier) == 1 else _drawn(tier, random)
    return ordered


def _drawn(tier: Tier, random: Random) -> list[Route]:
    """A random order in which a route of weight 2 comes first twice as often as one of weight 1.

    Efraimidis and Spirakis, "Weighted random sampling with a reservoir": u**(1/weight), largest first.
    """
    return sorted(tier, key=lambda route: random.random() ** (1 / route.weight), reverse=True)


def explain(case: Case) -> str:
    """`2 servers: <id>, <id>`."""
    if case.on_net:
        return "no carrier: on-net"
    return f"{len(case.legs)} servers: {', '.join(each.server_id for each in case.legs)}"
