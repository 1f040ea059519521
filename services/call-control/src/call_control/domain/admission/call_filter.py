"""The call filter of the called number, and callers that show a number of ours (domain.md section 5).

Order: block lists before anything; then anonymous callers, allow lists, opening hours, unconditional forward.
"""

from __future__ import annotations

from call_control.domain.admission.arrival import named
from call_control.domain.admission.case import Case, VoicemailTarget
from call_control.domain.denials import Denial, deny
from call_control.domain.forwarding import CallFilter, Diverted


def judge_spoofed(case: Case) -> Denial | None:
    """A call from outside that shows one of our own active numbers, and was not diverted by it."""
    if case.arrival.shows_ours and case.brand.reject_spoofed and not case.request.diversion:
        return deny("spoofed_caller", f"{named(case)} is a number of this platform, not of {_provider(case)}")
    return None


def explain_spoofed(case: Case) -> str:
    """Whether it was looked at."""
    return "looked at" if case.brand.reject_spoofed else "skipped: the brand does not ask for it"


def _provider(case: Case) -> str:
    return case.arrival.provider.name


def filter_of(case: Case) -> CallFilter | None:
    """The filter of the called number, if it has one."""
    filter_id = case.ddi.call_filter_id if case.ddi is not None else None
    return case.client.filters.get(filter_id) if filter_id is not None else None


def judge_filter(case: Case) -> Denial | None:
    """Reject, send elsewhere, or let through."""
    case.diverted, case.targets = None, ()
    found = filter_of(case)
    if found is None:
        case.filtered_by = "no filter"
        return None
    case.filtered_by = f"passed {found.name}"
    if _listed(case, found.block_list_ids):
        return deny("rejected_by_filter", f"{named(case)} is on a block list of {found.name}")
    if found.reject_anonymous and (case.withhold or not case.caller):
        return deny("anonymous_rejected", f"{found.name} takes no anonymous calls")
    if _listed(case, found.allow_list_ids):
        return None
    if found.allow_only:
        return deny("rejected_by_filter", f"{named(case)} is on no allow list of {found.name}")
    return _judge_hours(case, found)


def _judge_hours(case: Case, found: CallFilter) -> Denial | None:
    if not found.hours.open_at(case.now_ms):
        if not found.forward_when_closed:
            return deny("rejected_by_filter", f"{found.name} is closed now")
        _divert(case, found, "schedule")
    elif found.forward_always:
        _divert(case, found, "unconditional")
    return None


def _divert(case: Case, found: CallFilter, reason: str) -> None:
    case.filtered_by = f"{found.name} forwards: {reason}"
    if found.number is not None:
        case.diverted = Diverted(reason, found.number)
    else:
        case.targets = (VoicemailTarget.of(found.voicemail_device_id or "", case.server),)


def _listed(case: Case, list_ids: tuple[str, ...]) -> bool:
    """By the number that calls, known to us even where it withholds. The lists of the client, then its
    brand's; an empty caller is on none."""
    if not case.caller:
        return False
    for list_id in list_ids:
        found = case.client.match_lists.get(list_id) or case.brand.match_lists.get(list_id)
        if found is not None and found.has(case.caller):
            return True
    return False


def explain_filter(case: Case) -> str:
    """`passed Friends only`."""
    return case.filtered_by
