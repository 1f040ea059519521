"""The number that the called party sees, and whether it sees it (domain.md section 4.6)."""

from __future__ import annotations

from call_control.domain.admission.case import Case
from call_control.domain.admission.identity import anonymous_from
from call_control.domain.admission.numbers import rewritten, user_of
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import Ddi

_ASKS = frozenset({"id", "user", "header"})  # RFC 3323 section 4.2, RFC 3325 section 9.3


def judge(case: Case) -> Denial | None:
    """First that is an active DDI of the client: caller, diverting number, the device's, the client's."""
    ddi, by = _chosen(case)
    if ddi is None and case.emergency:
        ddi, by = _callback(case), "any number to call back"
    if ddi is None and not case.emergency:
        return deny(
            "no_presentation_number", f"caller {case.caller or 'none'} is no active DDI of the client"
        )
    case.ddi, case.shown_by = ddi, by
    case.shown = ddi.number if ddi is not None else case.caller or case.device.name
    case.withhold = not case.emergency and _hidden(case)
    return None


def _hidden(case: Case) -> bool:
    """A code dialled for this call beats what client and device want in general."""
    if case.hide_once is not None:
        return case.hide_once
    return case.client.withhold_number or asks_privacy(case)


def _chosen(case: Case) -> tuple[Ddi | None, str]:
    ddis = case.client.ddis
    # An empty caller must never match: a lookup of "" could only hit a row that is damaged.
    if case.caller:
        ddi = ddis.get(case.caller)
        if ddi is not None and ddi.active:
            return ddi, "caller"
    if case.request.diversion:
        diverting = _diverting(case)
        if diverting is not None:
            return diverting, "diversion"
    for ddi_id, by in ((case.device.outgoing_ddi_id, "device"), (case.client.outgoing_ddi_id, "client")):
        ddi = case.client.ddis_by_id.get(ddi_id) if ddi_id else None
        if ddi is not None and ddi.active:
            return ddi, by
    return None, "none"


def _diverting(case: Case) -> Ddi | None:
    rules = case.transformations()
    for diversion in case.request.diversion or ():
        number = user_of(diversion.number)
        if number:
            number = rewritten(case.brand, rules, "caller_in", number)
        ddi = case.client.ddis.get(number) if number else None
        if ddi is not None and ddi.active:
            return ddi
    return None


def _callback(case: Case) -> Ddi | None:
    """The best number for an emergency service to call back: one that can be called, else any active one."""
    active = [ddi for ddi in case.client.ddis.values() if ddi.active]
    return next((ddi for ddi in active if ddi.kind == "inout"), next(iter(active), None))


def asks_privacy(case: Case) -> bool:
    """The device asks to stay unknown: Privacy id, user or header, or an anonymous From (RFC 3323)."""
    request = case.request
    if request.privacy and request.privacy != "none":
        asked = {value.strip().lower() for value in request.privacy.replace(",", ";").split(";")}
        if asked & _ASKS:
            return True
    return request.from_user is not None and anonymous_from(request)


def explain(case: Case) -> str:
    """`+34944048182 by caller`."""
    return f"{case.shown} by {case.shown_by}{', withheld' if case.withhold else ''}"
