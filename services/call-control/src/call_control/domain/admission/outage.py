"""What may go out while counters or rates can't be reached (domain.md section 4, after the steps; section 2).

Unknown never means allowed: only what the client's outage_policy names, emergency calls (promise 4), and
calls from outside, which carry no money: the policy is about outbound calls (domain.md section 2).
"""

from __future__ import annotations

from landline.numbering.countries import is_domestic

from call_control.domain.admission.case import Case
from call_control.domain.risk import NORMAL


def tolerated(case: Case) -> bool:
    """allow: whatever passed the other rules; domestic: ordinary numbers of the client's own country.

    A premium number at home is as dear as one abroad, so domestic means normal ones only. What comes in from
    outside is spoken to: all that may go wrong is a call more than the client's lines.
    """
    if case.facts.inbound or case.emergency:
        return True
    client = case.client
    if client.outage_policy == "domestic":
        return case.risk == NORMAL and is_domestic(case.callee, client.country)
    return client.outage_policy == "allow"
