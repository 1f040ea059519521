"""KEYS and ARGV of the scripts that settle a call, in the order of their headers."""

from __future__ import annotations

from typing import Any

import msgspec
from landline.contracts.call_control.events import CallCorrected, CallEnded

from call_control.adapters.call_arguments import KEPT_MS, Arguments, encode
from call_control.adapters.call_events import sealed, thresholds
from call_control.adapters.keys import Keys, keys_of
from call_control.domain.live_call import LiveCall
from call_control.domain.local_day import LocalDay, local_day, named_day

HOUR_MS = 3_600_000
_encode = msgspec.json.Encoder().encode


def correction_id(call_id: str) -> str:
    """The one correction a call can have; billing's posting of it carries this as its operation_id."""
    return f"{call_id}:correction"


def end_arguments(
    call: LiveCall, outcome: CallEnded, now_ms: int, lost: bool, by_day: bool, forgotten: bool
) -> Arguments:
    """Of end_call.lua. Shares: today, every day with a hold, every day with spend."""
    keys, facts, terms = keys_of(call.partition), call.facts, call.terms
    today = local_day(now_ms, facts.timezone)
    days = _days(today, facts.timezone, {*call.holds, *outcome.spend_by_day})
    shares: list[Any] = []
    for day in days:
        shares += [day.name, outcome.spend_by_day.get(day.name, 0), day.ttl_ms(now_ms)]
    names = [
        keys.call(call.call_id),
        keys.client(facts.client_id),
        keys.brand(facts.brand_id),
        keys.unposted(facts.client_id),
        keys.settled(call.call_id),
        keys.attempt(facts.edge_id, call.attempt_id),
        keys.live,
        keys.due,
        keys.edge(facts.edge_id),
        keys.calls,
        *_day_keys(keys, facts.client_id, today, days),
    ]
    values = [
        now_ms,
        call.call_id,
        call.rev,
        outcome.charge_micros,
        int(lost),
        KEPT_MS,
        _encode(outcome),
        sealed(outcome, facts, now_ms),
        _encode(facts) if forgotten else b"",
        terms.beyond_hold_rule,
        encode(None),
        encode(terms.limit_micros),
        int(by_day),
        "" if terms.hour_limit_micros is None else now_ms // HOUR_MS,
        len(days),
        *shares,
        *thresholds(terms, facts, today, now_ms),
    ]
    return names, values


def correction_arguments(call: LiveCall, outcome: CallEnded, now_ms: int, by_day: bool) -> Arguments:
    """Of correct_call.lua: differences between the stored outcome of the lost call and the new one."""
    keys, facts, terms = keys_of(call.partition), call.facts, call.terms
    old = call.outcome or outcome
    today = local_day(now_ms, facts.timezone)
    days = _days(today, facts.timezone, {*old.spend_by_day, *outcome.spend_by_day})
    shares: list[Any] = []
    for day in days:
        change = outcome.spend_by_day.get(day.name, 0) - old.spend_by_day.get(day.name, 0)
        shares += [change, day.ttl_ms(now_ms)]
    this = correction_id(call.call_id)
    names = [
        keys.call(call.call_id),
        keys.client(facts.client_id),
        keys.unposted(facts.client_id),
        keys.settled(this),
        keys.calls,
        *_day_keys(keys, facts.client_id, today, days),
    ]
    values = [
        call.rev,
        this,
        outcome.charge_micros - old.charge_micros,
        KEPT_MS,
        _encode(outcome),
        sealed(CallCorrected(correction_id=this, ended=outcome), facts, now_ms),
        terms.beyond_hold_rule,
        encode(None),
        encode(terms.limit_micros),
        int(by_day),
        len(days),
        *shares,
        *thresholds(terms, facts, today, now_ms),
    ]
    return names, values


def _days(today: LocalDay, timezone: str, named: set[str]) -> list[LocalDay]:
    others = sorted(named - {today.name})
    return [today, *(named_day(name, timezone) for name in others)]


def _day_keys(keys: Keys, client_id: str, today: LocalDay, days: list[LocalDay]) -> list[str]:
    return [keys.day(client_id, day.name) for day in (today, *days)]
