"""Admission of a call: the rules of domain.md section 4, one after the other.

Owns: the order of the rules, each rule, the words of a refusal. Does not own: counters and balances (the
admission script's, in one atomic step after this), what is configured (facts), how it is fetched or answered.
"""

from call_control.domain.admission.case import Case, Challenge
from call_control.domain.admission.pipeline import STEPS, decide, judge, trace
from call_control.domain.admission.request import CallRequest

__all__ = ["STEPS", "CallRequest", "Case", "Challenge", "decide", "judge", "trace"]
