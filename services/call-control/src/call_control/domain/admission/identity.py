"""Who is calling (domain.md section 4.2): the verified digest or the source address, never From."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from call_control.domain.admission.case import Case, Challenge
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial, deny

ANONYMOUS_DOMAIN = "anonymous.invalid"  # RFC 3323 section 4.1.1.3


def anonymous_from(request: CallRequest) -> bool:
    """From hides the caller: no user, `anonymous`, or the domain that RFC 3323 sets aside for it."""
    user = request.from_user
    return not user or user.lower() == "anonymous" or request.from_domain == ANONYMOUS_DOMAIN


def domain_of(request: CallRequest) -> str | None:
    """The SIP domain that decides the brand: of the digest, else of From, else of the request URI."""
    if request.auth_realm:
        return request.auth_realm.lower()
    if request.from_domain and request.from_domain.lower() != ANONYMOUS_DOMAIN:
        return request.from_domain.lower()
    return request.request_domain.lower() if request.request_domain else None


@lru_cache(maxsize=4096)
def is_address(domain: str) -> bool:
    """An IP address where a domain should be, IPv6 with or without brackets."""
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return False
    return True


def judge(case: Case) -> Denial | Challenge | None:
    """Brand by domain, then the device by its digest or its address."""
    request, facts = case.request, case.facts
    domain = facts.domain
    if domain is None or is_address(domain):
        return deny("domain_required", f"domain {domain or 'missing'}")
    if facts.brand is None:
        return deny("unknown_domain", f"domain {domain}")
    refusal = _judge_from_domain(request, domain) or _judge_device(case)
    if refusal is None and facts.client is not None and facts.device is not None:
        case.brand, case.client, case.device = facts.brand, facts.client, facts.device
    return refusal


def _judge_from_domain(request: CallRequest, domain: str) -> Denial | None:
    """From must stay in the domain of the digest, or hide; a direct device is judged by its address."""
    shown = request.from_domain
    if not shown or shown == domain or shown.lower() == domain or anonymous_from(request):
        return None
    if is_address(shown):
        return deny("domain_required", f"From domain {shown}")
    return deny("identity_mismatch", f"From domain {shown}, authenticated in {domain}")


def _judge_device(case: Case) -> Denial | Challenge | None:
    request, device = case.request, case.facts.device
    user = request.auth_user
    if device is None or case.facts.client is None:
        if user:
            return deny("unknown_device", f"device {user} in {case.facts.domain}")
        return Challenge("no digest, and the source address is no device's")
    if device.direct and device.ip != request.source_ip:
        return deny("source_not_device", f"{request.source_ip} is not the address of {device.name}")
    if not user and not device.direct:
        return Challenge(f"device {device.name} registers: digest needed")
    if case.facts.from_names_other:
        return deny("identity_mismatch", f"From is {request.from_user}, the caller is {device.name}")
    return None


def explain(case: Case) -> str:
    """`device casa1 by digest`."""
    how = "digest" if case.request.auth_user else "source address"
    return f"device {case.device.name} of client {case.client.name} by {how}"


def judge_enabled(case: Case) -> Denial | None:
    """Brand, client and device are switched on; an emergency call goes on all the same (4.12)."""
    if case.emergency:
        return None
    for what, enabled in (
        ("brand", case.brand.enabled),
        ("client", case.client.enabled),
        ("device", case.device.enabled),
    ):
        if not enabled:
            return deny("disabled", f"{what} is disabled")
    return None


def explain_enabled(case: Case) -> str:
    """`enabled`, or why it was not looked at."""
    return "skipped: emergency" if case.emergency else "brand, client and device are enabled"
