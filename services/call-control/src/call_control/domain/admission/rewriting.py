"""What one carrier server is sent: numbers and identity headers as it wants them (domain.md 4.6, 4.9).

Every identity header that the device sent is dropped by the edge; these are all there are.
"""

from __future__ import annotations

from call_control.domain.admission.caps import RING_S
from call_control.domain.admission.case import Case, Leg
from call_control.domain.admission.forwarded import diversion
from call_control.domain.admission.numbers import rewritten
from call_control.domain.facts import Carrier, CarrierServer, Route

ANONYMOUS = "anonymous"
ANONYMOUS_HOST = "anonymous.invalid"  # RFC 3323 section 4.1.1.3
MAX_URI = 400


def leg(case: Case, route: Route, carrier: Carrier, server: CarrierServer) -> Leg:
    """The attempt at one server: request URI, From and the headers that tell who calls."""
    rules = case.brand.sets.get(carrier.transformation_set_id or "")
    shown = _shown(case, route)
    caller = rewritten(case.brand, rules, "caller_out", shown)
    callee = rewritten(case.brand, rules, "callee_out", case.callee)
    host = server.from_domain or case.brand.sip_domain
    withhold, known = case.withhold, shown != ANONYMOUS
    return Leg(
        carrier_id=carrier.id,
        server_id=server.id,
        uri=_uri(server, route.prefix + callee),
        outbound_proxy=server.outbound_proxy,
        from_user=ANONYMOUS if withhold else server.from_user or caller,
        from_display="Anonymous" if withhold else None,
        from_domain=ANONYMOUS_HOST if withhold else server.from_domain or _own_domain(case),
        pai=f"<sip:{caller}@{host}>"
        if server.send_pai and known and (server.trusted or not withhold)
        else None,
        rpid=_rpid(caller, host, withhold) if server.send_rpid and known else None,
        privacy="id" if withhold else None,
        diversion=_diversion(case, route, carrier, host),
        auth_user=server.auth_user,
        auth_realm=server.auth_realm,
        auth_ha1=server.auth_ha1,
        ring_timeout_s=RING_S,
        t38=case.device.t38 or case.request.fax,
        srtp=server.transport == "tls" and case.device.srtp,
    )


def _shown(case: Case, route: Route) -> str:
    """Who seems to call: the presentation number, unless the route forces one. A carrier that takes no
    Diversion mostly takes no foreign caller either: it is shown the number that forwards (model-system 1.6).
    """
    if case.emergency:
        return case.shown
    if route.force_clid:
        return route.force_clid
    if case.facts.forwarded is not None and route.disable_diversion:
        return case.facts.forwarded.ddi
    return case.shown


def _own_domain(case: Case) -> str | None:
    """Of a forwarded leg: its From still has the domain it came from. Else the edge knows it."""
    return case.brand.sip_domain if case.facts.forwarded is not None else None


def _uri(server: CarrierServer, user: str) -> str:
    """RFC 3261 section 19.1; the port is left out where the operator left it to DNS."""
    host = f"[{server.host}]" if ":" in server.host and server.host[0] != "[" else server.host
    port = "" if server.port is None else f":{server.port}"
    return f"{server.scheme}:{user}@{host}{port};transport={server.transport}"


def _rpid(caller: str, host: str, withhold: bool) -> str:
    return f"<sip:{caller}@{host}>;party=calling;screen=yes;privacy={'full' if withhold else 'off'}"


def _diversion(case: Case, route: Route, carrier: Carrier, host: str) -> str | None:
    """The diverting DDI (RFC 5806), where it is why this number is shown and the route keeps it."""
    if case.facts.forwarded is not None:
        return None if route.disable_diversion else diversion(case, carrier.transformation_set_id, host)
    if case.shown_by != "diversion" or route.disable_diversion or case.withhold:
        return None
    diversions = case.request.diversion or []
    reason = next((each.reason for each in diversions if each.reason), "unconditional")
    rules = case.brand.sets.get(carrier.transformation_set_id or "")
    number = rewritten(case.brand, rules, "caller_out", case.shown)
    times = sum(each.counter or 1 for each in diversions)
    return f"<sip:{number}@{host}>;reason={_token(reason)};counter={times}"


def _token(reason: str) -> str:
    """A reason as RFC 5806 section 5 lets it be written; anything else could add parameters of its own."""
    return reason if reason.replace("-", "").isalnum() and reason.isascii() else "unknown"
