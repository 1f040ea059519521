"""What a service code asks for, once its caller is let in (domain.md section 5). It ends the decision."""

from __future__ import annotations

from landline.kernel.numbers import is_e164

from call_control.domain.admission.case import Case, ServiceAsked
from call_control.domain.admission.numbers import rewritten
from call_control.domain.denials import Denial, deny


def judge(case: Case) -> Denial | ServiceAsked | None:
    """What a code asks for: `*80600123123` forwards to a number as this device dials it, `*80*` to its
    voicemail box, `*80` alone switches the forward off; `*93` opens the box."""
    if case.asked is None:
        return None
    service, argument = case.asked
    if service == "voicemail":
        if "voicemail" not in case.client.features:
            return deny("service_unavailable", f"client {case.client.name} has no voicemail")
        return ServiceAsked(service, f"voicemail box of {case.device.name}")
    kind = service.removeprefix("forward_")
    if argument == "":
        return ServiceAsked(service, f"forward {kind} of {case.device.name} off")
    if argument == "*":
        return ServiceAsked(service, f"forward {kind} of {case.device.name} to voicemail", "voicemail")
    number = rewritten(case.brand, case.transformations(), "callee_in", argument)
    if not is_e164(number):
        return deny("invalid_number", f"dialled {case.dialled[:40]}: {argument[:40]} is no number")
    return ServiceAsked(service, f"forward {kind} of {case.device.name} to {number}", "number", number)


def explain(case: Case) -> str:
    """`none`, or how the number is shown in this call."""
    if case.hide_once is None:
        return "none"
    return "number withheld once" if case.hide_once else "number shown once"
