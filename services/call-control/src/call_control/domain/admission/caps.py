"""How long a call may ring and last (domain.md section 4.13)."""

from __future__ import annotations

from call_control.domain.admission.case import Case

CAP_S = 10_800
RING_S = 180


def judge(case: Case) -> None:
    """3 h on any call, lower by brand or client; refuses nothing."""
    cap_s = CAP_S
    for lower in (case.brand.max_call_s, case.client.max_call_s):
        if lower is not None and not case.emergency:
            cap_s = min(cap_s, lower)
    case.cap_s = cap_s


def explain(case: Case) -> str:
    """`at most 10800 s, ringing 180 s`."""
    return f"at most {case.cap_s} s, ringing {RING_S} s"
