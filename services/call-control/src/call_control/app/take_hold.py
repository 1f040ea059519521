"""Admit a call with its first hold; a pseudo-prepaid one with what balance and day can pay."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from call_control.app.recorded import TRIES, CallBusy
from call_control.domain.lease import Payable, lease_for_money
from call_control.domain.live_call import tariff_of
from call_control.domain.replies import AdmitReply, NewCall, Status


class Admits(Protocol):
    """What admits: `adapters.call_store.CallStore`."""

    async def admit(self, new: NewCall, now_ms: int) -> AdmitReply: ...


async def admit_with_hold(calls: Admits, new: NewCall, now_ms: int) -> AdmitReply:
    """As `admit`, but never SHORT: a hold that can't be paid shrinks to one that can, down to
    `floor_micros`, below which the answer is NO_CREDIT or DAILY_LIMIT.

    Raises CallBusy when the money kept changing (five tries).
    """
    for _ in range(TRIES):
        reply = await calls.admit(new, now_ms)
        if reply.status is not Status.SHORT or new.facts.tariff is None:
            return reply
        new = shortened(new, Payable.of(0, reply.available_micros, reply.room_micros), now_ms)
    raise CallBusy(new.facts.call_id)


def shortened(new: NewCall, money: Payable, now_ms: int) -> NewCall:
    """The same call with what can be paid for it; the script refuses it if that is less than the floor."""
    lease = lease_for_money(tariff_of(new.facts.tariff or ""), now_ms, money, new.facts.cap_s)
    terms = replace(new.terms, day_short=money.by_day)
    return replace(new, hold_micros=lease.held_micros, covered_s=lease.covered_s, terms=terms)
