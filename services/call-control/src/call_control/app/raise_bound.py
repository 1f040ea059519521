"""The edge's own timer is set to what could be paid at admission; money that came meanwhile raises it.

Told by heartbeats, and at once by the keeper when a lease comes near the old bound.
"""

from __future__ import annotations

from call_control.app.call_port import Calls
from call_control.domain.lease import UNLIMITED_MICROS, first_bound_s, outer_bound_s
from call_control.domain.live_call import LiveCall


def nears_bound(call: LiveCall, ahead_s: int) -> bool:
    """Whether `ahead_s` more than what is held reaches the edge's timer, and that timer is not the cap."""
    return call.covered_s + ahead_s >= first_bound_s(call) < call.facts.cap_s


async def raised_bound_s(calls: Calls, call: LiveCall, now_ms: int) -> int | None:
    """`max_duration_s` by what could be paid now; None while the old one is far, or the call is to be cut."""
    if not call.billed or call.cut_at_ms is not None or call.answered_ms is None:
        return None
    facts = call.facts
    if not nears_bound(call, facts.lease_s):
        return None
    usage = await calls.client_usage(call.partition, facts.client_id, facts.timezone, now_ms)
    free = room = UNLIMITED_MICROS
    if call.terms.rule != "postpaid" or call.terms.credit_micros is not None:
        free = usage.available_micros + (call.terms.credit_micros or 0)
    if call.terms.limit_micros is not None:
        room = call.terms.limit_micros - usage.day_spend_micros - usage.day_held_micros
    money = call.held_micros + max(0, min(free, room))
    return outer_bound_s(call.tariff, call.answered_ms, money, facts.cap_s)
