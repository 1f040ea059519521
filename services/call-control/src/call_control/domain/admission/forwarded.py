"""A leg that a called number sends on (domain.md section 5): an outbound call of its client, whom nobody has
to prove again, that shows the original caller and says by which number it came (RFC 5806)."""

from __future__ import annotations

from landline.kernel.numbers import is_e164

from call_control.domain.admission.arrival import ANONYMOUS
from call_control.domain.admission.case import Case
from call_control.domain.admission.numbers import rewritten
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import DeviceFacts
from call_control.domain.forwarding import MOST_HOPS, REASONS, Forwarded

NO_DEVICE = DeviceFacts(id="", name="")
"""A number that goes to a fax box or nowhere may forward by its filter, without any device."""


def way_of(case: Case) -> Forwarded:
    """What the case is forwarded by; only for cases that are."""
    assert case.facts.forwarded is not None
    return case.facts.forwarded


def judge(case: Case) -> Denial | None:
    """Client and device are those of the called number; five hops are enough."""
    facts, way = case.facts, way_of(case)
    assert facts.brand is not None
    assert facts.client is not None
    case.brand, case.client, case.device = facts.brand, facts.client, facts.device or NO_DEVICE
    if way.hops > MOST_HOPS:
        return deny("too_many_forwards", f"forwarded {way.hops - 1} times already")
    return None


def explain(case: Case) -> str:
    """`forwarded by +34944048182: user-busy, hop 1`."""
    way = way_of(case)
    return f"forwarded by {way.ddi}: {REASONS.get(way.reason, 'unknown')}, hop {way.hops}"


def judge_presentation(case: Case) -> None:
    """The original caller, as it came: unknown stays unknown. The number that forwards is the call's DDI."""
    way = way_of(case)
    case.ddi = case.client.ddis_by_id.get(way.ddi_id)
    case.shown = case.caller = way.caller or ANONYMOUS
    case.shown_by = "original caller"
    case.withhold = way.withheld or not is_e164(way.caller)


def explain_presentation(case: Case) -> str:
    """The original caller, unless it withholds: traces are shown to the client."""
    return f"{ANONYMOUS if case.withhold else case.shown} by {case.shown_by}"


def diversion(case: Case, rules_of_carrier: str | None, host: str) -> str:
    """The header of RFC 5806 section 5: the number that forwards, as the carrier writes callers."""
    way = way_of(case)
    number = rewritten(case.brand, case.brand.sets.get(rules_of_carrier or ""), "caller_out", way.ddi)
    reason = REASONS.get(way.reason, "unknown")
    return f"<sip:{number}@{host}>;reason={reason};counter={way.hops}"
