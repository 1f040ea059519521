"""Calls to a number of this platform (domain.md section 4.8): no carrier, and no way round through one."""

from __future__ import annotations

from call_control.domain.admission.case import Case


def judge(case: Case) -> None:
    """Refuses nothing: whether the number takes the call is decided by its own admission, right after.

    A number that only seems to be ours is judged again without this by `app/legs.py`.
    """
    case.on_net = case.call_class == "normal" and case.facts.perhaps_ours(case.callee)


def explain(case: Case) -> str:
    """`on-net`, or why it was not looked at."""
    if case.call_class != "normal":
        return f"skipped: {case.call_class}"
    return f"{case.callee} is a number of this platform" if case.on_net else "leaves the platform"
