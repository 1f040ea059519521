"""Settling a call: billed seconds, charge, overrun, and the days that carry it (domain.md section 6).
Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from landline.rating.price import affordable_seconds, price_micros

from call_control.domain.lease import Payable
from call_control.domain.live_call import LiveCall


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call costs. `unbilled_*`: talked but not charged, the operator's loss."""

    duration_s: int = 0
    charge_micros: int = 0
    unbilled_s: int = 0
    unbilled_micros: int = 0
    spend_by_day: Mapping[str, int] = field(default_factory=dict)
    by_day: bool = False


def talked_seconds(answered_ms: int | None, ended_ms: int) -> int:
    """floor(ended - answered), at least 1 for an answered call, 0 for one never answered."""
    if answered_ms is None:
        return 0
    return max(1, (ended_ms - answered_ms) // 1000)


def billed_seconds(answered_ms: int | None, ended_ms: int, cut_at_ms: int | None) -> int:
    """The same, but a call that we cut is billed exactly to the cut second."""
    end = ended_ms if cut_at_ms is None else min(ended_ms, cut_at_ms)
    return talked_seconds(answered_ms, end)


def settle(
    call: LiveCall, answered_ms: int | None, ended_ms: int, today: str, payable: Payable | None = None
) -> Settlement:
    """The charge of a call that ended. `payable`: given after the charge above the hold was refused as SHORT.

    Raises NoRate only when the plan does not cover the answer.
    """
    talked = talked_seconds(answered_ms, ended_ms)
    cut_at = call.cut_at_ms if call.cuttable else None
    billed = billed_seconds(answered_ms, ended_ms, cut_at)
    if not call.billed or answered_ms is None:
        return Settlement(duration_s=billed)
    start = answered_ms / 1000
    money = 2**52 if payable is None else payable.micros
    if price_or_reach(call, start, billed)[0] > money:
        billed = affordable_seconds(call.tariff, start, money, billed)
    charge, billed = price_or_reach(call, start, billed)
    full, _ = price_or_reach(call, start, talked)
    return Settlement(
        duration_s=billed,
        charge_micros=charge,
        unbilled_s=talked - billed,
        unbilled_micros=max(0, full - charge),
        spend_by_day=distribute(call.holds, charge, today),
        by_day=payable is not None and payable.by_day,
    )


def price_or_reach(call: LiveCall, start_s: float, seconds: int) -> tuple[int, int]:
    """Price of the seconds, and how many of them the plan covers: what it does not cover is not billed."""
    reach = affordable_seconds(call.tariff, start_s, 2**52, seconds)
    return price_micros(call.tariff, start_s, reach), reach


def distribute(holds: Mapping[str, int], charge_micros: int, today: str) -> dict[str, int]:
    """The charge over local days: fills the days of the holds, oldest first; what no hold covers is today's.

    Days that get nothing are left out; the values sum to the charge.
    """
    shares: dict[str, int] = {}
    rest = charge_micros
    for day in sorted(holds):
        part = min(rest, holds[day])
        if part > 0:
            shares[day] = part
            rest -= part
    if rest > 0:
        shares[today] = shares.get(today, 0) + rest
    return shares


def redistribute(spend_by_day: Mapping[str, int], diff_micros: int, today: str) -> dict[str, int]:
    """The days after a correction: more is today's, less is taken from the newest day first."""
    days = dict(spend_by_day)
    if diff_micros > 0:
        days[today] = days.get(today, 0) + diff_micros
    rest = -diff_micros
    for day in sorted(days, reverse=True):
        if rest <= 0:
            break
        part = min(rest, days[day])
        days[day] -= part
        rest -= part
    return {day: micros for day, micros in days.items() if micros}
