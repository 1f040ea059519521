"""Calls from outside (domain.md section 5): by which provider, to which number, to which device."""

from __future__ import annotations

from typing import Any

from landline.kernel.numbers import is_e164

from call_control.domain.admission.caps import RING_S
from call_control.domain.admission.case import Case, Target
from call_control.domain.admission.dialled import clean
from call_control.domain.admission.identity import anonymous_from
from call_control.domain.admission.numbers import asserted_number, rewritten
from call_control.domain.admission.presentation import asks_privacy
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import BrandFacts, Contact, DdiProvider, DeviceFacts
from call_control.domain.lease import FirstHold
from call_control.domain.live_call import Terms

UNPRICED = Terms(thresholds=())
ANONYMOUS = "anonymous"


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


def explain_caller(case: Case) -> str:
    """`+34600123123 by From`."""
    return f"{case.shown} by {case.shown_by}{', withheld' if case.withhold else ''}"


def judge_target(case: Case) -> Denial | None:
    """The device that the number leads to, where it is reached now."""
    assert case.ddi is not None
    device = case.facts.device
    if case.ddi.target != "device" or device is None:
        return deny("no_destination", f"{case.callee} has target {case.ddi.target}")
    if not device.enabled:
        return deny("disabled", f"device {device.name} is disabled")
    contacts = (_direct(device),) if device.direct else case.arrival.contacts
    live = tuple(each for each in contacts if device.direct or each.expires_at_ms > case.now_ms)
    if not live:
        return deny("not_registered", f"device {device.name} is not registered")
    case.device = device
    case.targets = (_target(case, device, live if device.multi_contact else live[:1]),)
    return None


def _direct(device: DeviceFacts) -> Contact:
    host = f"[{device.ip}]" if device.ip and ":" in device.ip else device.ip
    port = f":{device.port}" if device.port else ""
    return Contact(uri=f"sip:{device.name}@{host}{port};transport={device.transport}")


def _target(case: Case, device: DeviceFacts, contacts: tuple[Contact, ...]) -> Target:
    """Numbers as the device or its client writes them; nothing of a caller who withholds."""
    set_id = device.transformation_set_id or case.client.transformation_set_id
    rules = case.brand.sets.get(set_id or "")
    shown = ANONYMOUS if case.withhold else rewritten(case.brand, rules, "caller_out", case.shown)
    called = rewritten(case.brand, rules, "callee_out", case.callee) if device.ddi_in else None
    display = "Anonymous" if case.withhold else case.ddi.display_name if case.ddi else None
    return Target(
        aor=f"{device.name}@{case.brand.sip_domain}",
        contacts=contacts,
        parallel=device.multi_contact,
        ring_timeout_s=RING_S,
        request_user=called,
        caller=shown,
        caller_name=display or (None if case.withhold else case.request.from_display),
        codecs=device.codecs,
        srtp=device.srtp,
        t38=device.t38,
    )


def explain_target(case: Case) -> str:
    """`device casa1, 2 contacts`."""
    return f"device {case.device.name}, {len(case.targets[0].contacts)} contacts"


def judge_room(case: Case) -> None:
    """Only calls are counted; money and daily usage never refuse a call from outside."""
    case.brand_max_calls, case.client_max_calls = case.brand.max_calls, case.client.max_calls
    case.terms, case.hold = UNPRICED, FirstHold(0, 0, 0)
    case.priced = case.pinned = None


def explain_room(case: Case) -> str:
    """The limits that the script will look at."""
    brand, client = case.brand_max_calls or "unlimited", case.client_max_calls or "unlimited"
    return f"brand calls {brand}, client calls {client}"
