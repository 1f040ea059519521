"""Denials that counters decide: what the admission script's refusals mean, and which of them come first.

How fast and how dear a client calls is rule 4.7, and is counted in the step that creates the call (decision
0019). So a call that 4.8 to 4.10 refuse has not been judged by it: only then it is asked whether 4.7 would
have refused it before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Protocol

from landline.kernel.money import decimal_string

from call_control.domain.admission import Case
from call_control.domain.denials import BUSY, DEVICE_BUSY, REASONS, Denial, Reason, deny
from call_control.domain.replies import AdmitReply, ClientUsage, Status
from call_control.domain.velocity import stamp_of, too_fast

SPEED: Final = "barring"
"""The step that speed and spend of the hour belong to."""
BEHIND_SPEED: Final = frozenset({"on_net", "routes", "rate"})


class ReadsUsage(Protocol):
    """`adapters.call_store.CallStore`, as far as needed here."""

    async def client_usage(
        self, partition: int, client_id: str, timezone: str, now_ms: int
    ) -> ClientUsage: ...


async def first_denial(
    store: ReadsUsage, case: Case, denial: Denial, outage: type[Exception] | tuple[type[Exception], ...]
) -> Denial:
    """The denial that comes first in the order of section 4. Costs a read only for denials of 4.8 to 4.10.

    Counters away: the denial as it is, which is true as well.
    """
    if denial.step not in BEHIND_SPEED or not limits_speed(case):
        return denial
    client = case.client
    try:
        usage = await store.client_usage(case.brand.partition, client.id, client.timezone, case.now_ms)
    except outage:
        return denial
    return speed_before(case, denial, usage)


def limits_speed(case: Case) -> bool:
    """Whether anything of 4.7 is counted for this call."""
    per_minute = case.device_per_minute or case.client_per_minute
    return bool(per_minute) or case.hour_limit_micros is not None


def speed_before(case: Case, denial: Denial, usage: ClientUsage) -> Denial:
    """The denial by speed, if there is one; else the one that was found behind it. The call has no price
    yet: the hour is full for it when there is nothing left."""
    reply = speed_of(case, usage, 1, case.hour_limit_micros)
    return denial if reply is None else denial_of(reply, 0)


def speed_of(case: Case, usage: ClientUsage, floor_micros: int, hour_micros: int | None) -> AdmitReply | None:
    """What `admit_call.lua` would say of 4.7, from counters that were only read; calls that come in have
    no speed."""
    if case.facts.inbound:
        return None
    fast = too_fast(
        usage.recent, stamp_of(case.device.id), case.device_per_minute, case.client_per_minute, case.now_ms
    )
    if fast is not None:
        whose, limit, count, retry_ms = fast
        return AdmitReply(Status.TOO_FAST, whose=whose, limit=limit, active=count, retry_ms=retry_ms)
    spent, held = usage.hour_micros, usage.held_micros
    if hour_micros is not None and spent + held + floor_micros > hour_micros:
        return AdmitReply(Status.HOUR_LIMIT, limit=hour_micros, spend_micros=spent, held_micros=held)
    return None


def denial_of(reply: AdmitReply, least_micros: int, inbound: bool = False) -> Denial:
    """What the script's refusal means (domain.md section 4.11), with its figures. `least_micros`: what the
    call must be able to hold at first; a pseudo-prepaid one would take much more, but needs no more."""
    money, full = decimal_string, BUSY if inbound else REASONS["max_calls_reached"]
    if reply.status is Status.MAX_CALLS_BRAND:
        return _full(full, "brand", reply)
    if reply.status is Status.MAX_CALLS_CLIENT:
        return _full(full, "client", reply)
    if reply.status is Status.MAX_CALLS_DEVICE:
        return _full(DEVICE_BUSY, "device", reply)
    if reply.status is Status.TOO_FAST:
        return _too_fast(reply)
    if reply.status in (Status.DAILY_LIMIT, Status.HOUR_LIMIT):
        limit, spent, held = money(reply.limit), money(reply.spend_micros), money(reply.held_micros)
        used = money(reply.spend_micros + reply.held_micros)
        told = f"limit {limit}, spent {spent}, held {held}"
        told += f", first hold {money(least_micros)}" if least_micros else ""
        code = "daily_limit_reached" if reply.status is Status.DAILY_LIMIT else "hourly_limit_reached"
        denial = deny(code, told, limit=limit, value=used)
        return denial if reply.status is Status.DAILY_LIMIT else replace(denial, step=SPEED)
    available, hold = money(reply.available_micros or 0), money(least_micros)
    return deny("no_credit", f"available {available}, first hold {hold}", limit=available, value=hold)


def _full(reason: Reason, whose: str, reply: AdmitReply) -> Denial:
    detail = f"{whose} limit {reply.limit}, active {reply.active}"
    return Denial(reason, detail, limit=str(reply.limit), value=str(reply.active))


def _too_fast(reply: AdmitReply) -> Denial:
    """Retry-After is when the oldest of the counted calls leaves the minute."""
    detail = f"{reply.whose} limit {reply.limit} calls a minute, {reply.active} in the last one"
    denial = deny("too_fast", detail, limit=str(reply.limit), value=str(reply.active))
    return replace(denial, step=SPEED, retry_after_s=-(-reply.retry_ms // 1000))
