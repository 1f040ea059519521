"""Admit a call with its first hold; a pseudo-prepaid one with what balance and day can pay."""

from __future__ import annotations

from dataclasses import replace

from call_control.app.call_port import Calls
from call_control.app.recorded import TRIES, CallBusy
from call_control.domain.lease import Payable, lease_for_money
from call_control.domain.live_call import tariff_of
from call_control.domain.replies import AdmitReply, NewCall, Status


async def admit_with_hold(calls: Calls, new: NewCall, now_ms: int) -> AdmitReply:
    """As `Calls.admit`, but never SHORT: a hold that can't be paid shrinks to one that can, down to
    `floor_micros`, below which the answer is NO_CREDIT or DAILY_LIMIT.

    Raises CallBusy when the money kept changing (five tries).
    """
    for _ in range(TRIES):
        reply = await calls.admit(new, now_ms)
        if reply.status is not Status.SHORT or new.facts.tariff is None:
            return reply
        payable = Payable.of(0, reply.available_micros, reply.room_micros)
        lease = lease_for_money(tariff_of(new.facts.tariff), now_ms, payable, new.facts.cap_s)
        new = replace(new, hold_micros=lease.held_micros, covered_s=lease.covered_s, day_short=payable.by_day)
    raise CallBusy(new.facts.call_id)
