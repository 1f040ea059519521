"""Calls from outside (domain.md section 5): by which provider, to which number, by whom."""

from __future__ import annotations

from typing import Any

from landline.kernel.numbers import is_e164

from call_control.domain.admission.case import Case
from call_control.domain.admission.dialled import clean
from call_control.domain.admission.identity import anonymous_from
from call_control.domain.admission.numbers import asserted_number, rewritten
from call_control.domain.admission.presentation import asks_privacy
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import BrandFacts, DdiProvider
from call_control.domain.lease import FirstHold
from call_control.domain.live_call import Terms

UNPRICED = Terms(thresholds=())
ANONYMOUS = "anonymous"


def shown_number(brand: BrandFacts, provider: DdiProvider, trusted: bool, request: CallRequest) -> str:
    """The caller in E.164: the asserted identity of a trusted address, else From; empty for none."""
    shown = asserted_number(request) if trusted else ""
    if not shown and not anonymous_from(request):
        shown = clean(request.from_user or "")
    number = _in_e164(brand, provider, "caller_in", shown) if shown else ""
    return number if is_e164(number) else ""


def called_number(brand: BrandFacts, provider: DdiProvider, request: CallRequest) -> str:
    """The called number in E.164: by the provider's callee-in, else E.164 with or without its plus."""
    return _in_e164(brand, provider, "callee_in", clean(request.request_user))


def _in_e164(brand: BrandFacts, provider: DdiProvider, direction: Any, number: str) -> str:
    rules = brand.sets.get(provider.transformation_set_id or "")
    if rules is not None:
        return rewritten(brand, rules, direction, number)
    return number if number.startswith("+") else f"+{number.removeprefix('00')}"


def judge_provider(case: Case) -> Denial | None:
    """The source address must be a provider's."""
    arrival, brand = case.facts.arrival, case.facts.brand
    if arrival is None or brand is None:
        return deny("unknown_provider", f"{case.request.source_ip} is no address of a DDI provider")
    case.brand, case.arrival, case.callee, case.call_class = brand, arrival, arrival.number, "normal"
    return None


def explain_provider(case: Case) -> str:
    """`provider Telco, trusted`."""
    return f"provider {case.arrival.provider.name}{', trusted' if case.arrival.trusted else ''}"


def judge_number(case: Case) -> Denial | None:
    """An active DDI of the brand that may be called, given to a client."""
    arrival = case.arrival
    if arrival.owner == "pool":
        return deny("unassigned_number", f"{arrival.number} is in the pool of {case.brand.name}")
    ddi, client = arrival.ddi, case.facts.client
    if ddi is None or client is None:
        return deny("unknown_number", f"{arrival.number} is no DDI of {case.brand.name}")
    if not ddi.active or ddi.kind != "inout":
        return deny("unknown_number", f"{arrival.number} is {ddi.state}, kind {ddi.kind}")
    case.ddi, case.client = ddi, client
    return None


def explain_number(case: Case) -> str:
    """`+34944048182 of client Casa Garcia`."""
    return f"{case.callee} of client {case.client.name}"


def judge_enabled(case: Case) -> Denial | None:
    """Brand and client are switched on."""
    for what, enabled in (("brand", case.brand.enabled), ("client", case.client.enabled)):
        if not enabled:
            return deny("disabled", f"{what} is disabled")
    return None


def explain_enabled(_case: Case) -> str:
    """Nothing more to say."""
    return "brand and client are enabled"


def judge_caller(case: Case) -> None:
    """Who calls: the asserted identity of a trusted address, else From; unknown when it withholds."""
    request, arrival = case.request, case.arrival
    asserted = asserted_number(request) if arrival.trusted else ""
    shown = asserted or ("" if anonymous_from(request) else clean(request.from_user or ""))
    number = _in_e164(case.brand, arrival.provider, "caller_in", shown) if shown else ""
    case.caller = number if is_e164(number) else ""
    case.shown = case.caller or shown or ANONYMOUS
    case.shown_by = "asserted identity" if asserted else "From"
    case.withhold = asks_privacy(case) or not shown


def named(case: Case) -> str:
    """The caller as the called client may read of it: details and traces are shown to it."""
    return ANONYMOUS if case.withhold else case.shown


def explain_caller(case: Case) -> str:
    """`+34600123123 by From`."""
    return f"{named(case)} by {case.shown_by}{', withheld' if case.withhold else ''}"


def judge_room(case: Case) -> None:
    """Only calls are counted; money and daily usage never refuse a call from outside."""
    case.brand_max_calls, case.client_max_calls = case.brand.max_calls, case.client.max_calls
    case.device_per_minute = case.client_per_minute = 0
    case.outage = False
    case.terms, case.hold = UNPRICED, FirstHold(0, 0, 0)
    case.priced = case.pinned = None


def explain_room(case: Case) -> str:
    """The limits that the script will look at."""
    brand, client = case.brand_max_calls or "unlimited", case.client_max_calls or "unlimited"
    return f"brand calls {brand}, client calls {client}"
