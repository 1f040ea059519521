"""KEYS and ARGV of the scripts that begin a call and carry it on, in the order of their headers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from landline.contracts.call_control.events import CallAnswered

from call_control.adapters.call_events import sealed, sealed_admission, thresholds
from call_control.adapters.keys import keys_of, keys_of_own
from call_control.domain.lease import UNSEEN_MS, Begun, Extend
from call_control.domain.live_call import UNBILLED, LiveCall
from call_control.domain.local_day import local_day
from call_control.domain.replies import NewCall
from call_control.domain.velocity import stamp_of

KEPT_MS = 86_400_000  # call and attempt after the end; an attempt lives so long beyond the longest call

Arguments = tuple[list[str], list[Any]]
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


def encode(number: int | None) -> int | str:
    """'' stands for "none" in our scripts."""
    return "" if number is None else number


def _or_false(number: int | None) -> int | Literal[False]:
    """`false` stands for "none" among the figures of a script: Lua's arrays have no holes."""
    return False if number is None else number


def admission_arguments(new: NewCall, now_ms: int) -> Arguments:
    """Of admit_call.lua."""
    facts, terms = new.facts, new.terms
    keys = keys_of_own(facts.call_id)
    day = local_day(now_ms, facts.timezone)
    encoded = _encode(facts)
    names = [
        keys.call(facts.call_id),
        keys.client(facts.client_id),
        keys.brand(facts.brand_id),
        keys.day(facts.client_id, day.name),
        keys.attempt(facts.edge_id, new.attempt_id),
        keys.live,
        keys.due,
        keys.edge(facts.edge_id),
        keys.calls,
    ]
    credit = _or_false(terms.credit_micros)
    limit = False if new.forced else _or_false(terms.limit_micros)
    hour_limit = False if new.forced else _or_false(terms.hour_limit_micros)
    figures = (
        now_ms,
        new.brand_max_calls,
        new.client_max_calls,
        new.hold_micros,
        new.floor_micros,
        new.covered_s,
        now_ms + UNSEEN_MS,
        day.ttl_ms(now_ms),
        facts.cap_s * 1000 + UNSEEN_MS + 2 * KEPT_MS,
        0 if new.forced else new.device_per_minute,
        0 if new.forced else new.client_per_minute,
        credit,
        limit,
        hour_limit,
    )
    values = [
        _pack(figures),
        facts.call_id,
        new.attempt_id,
        UNBILLED if new.forced else terms.rule,
        int(terms.day_short),
        day.name,
        encoded,
        _encode(terms),
        new.answer,
        sealed_admission(facts, encoded, new.hold_micros, now_ms),
        stamp_of(facts.device_id),
        *thresholds(terms, facts, day, now_ms),
    ]
    return names, values


def reception_arguments(new: NewCall, now_ms: int) -> Arguments:
    """Of receive_call.lua."""
    facts = new.facts
    keys = keys_of_own(facts.call_id)
    encoded = _encode(facts)
    device_max = new.device_max_calls
    names = [
        keys.call(facts.call_id),
        keys.client(facts.client_id),
        keys.brand(facts.brand_id),
        keys.attempt(facts.edge_id, new.attempt_id),
        keys.live,
        keys.due,
        keys.edge(facts.edge_id),
        keys.calls,
    ]
    values = [
        now_ms,
        facts.call_id,
        new.attempt_id,
        new.brand_max_calls,
        new.client_max_calls,
        "" if device_max is None else facts.device_id or "",
        device_max or 0,
        facts.cap_s * 1000 + UNSEEN_MS + 2 * KEPT_MS,
        now_ms + UNSEEN_MS,
        encoded,
        _encode(new.terms),
        new.answer,
        sealed_admission(facts, encoded, 0, now_ms),
    ]
    return names, values


def answer_arguments(
    call: LiveCall, answered_ms: int, begun: Begun, server_id: str | None, now_ms: int
) -> Arguments:
    """Of answer_call.lua. More money counts on today, less is given back on the admission's day."""
    keys, facts, terms = keys_of(call.partition), call.facts, call.terms
    today = local_day(now_ms, facts.timezone)
    first = min(call.holds, default=today.name)
    day = today.name if begun.delta_micros >= 0 else first
    names = [
        keys.call(call.call_id),
        keys.client(facts.client_id),
        keys.day(facts.client_id, first),
        keys.day(facts.client_id, day),
        keys.due,
        keys.edge(facts.edge_id),
        keys.calls,
    ]
    values = [
        now_ms,
        call.call_id,
        call.rev,
        answered_ms,
        begun.delta_micros,
        begun.lease.covered_s,
        begun.due_ms,
        encode(begun.cut_at_ms),
        begun.lease.cut_cause,
        server_id or "",
        terms.rule,
        encode(terms.credit_micros),
        encode(terms.limit_micros),
        int(begun.lease.by_day),
        first,
        day,
        today.ttl_ms(now_ms),
        sealed(CallAnswered(answered_at_ms=answered_ms, server_id=server_id), facts, now_ms),
        *thresholds(terms, facts, today, now_ms),
    ]
    return names, values


def extend_arguments(call: LiveCall, step: Extend, now_ms: int) -> Arguments:
    """Of extend_lease.lua. The lease counts on the local day of now."""
    keys, facts, terms = keys_of(call.partition), call.facts, call.terms
    today = local_day(now_ms, facts.timezone)
    names = [
        keys.call(call.call_id),
        keys.client(facts.client_id),
        keys.day(facts.client_id, today.name),
        keys.due,
        keys.calls,
    ]
    values = [
        call.call_id,
        call.rev,
        call.lease_no,
        step.add_micros,
        step.lease.covered_s,
        step.due_ms,
        encode(step.cut_at_ms),
        step.lease.cut_cause,
        terms.rule,
        encode(terms.credit_micros),
        encode(terms.limit_micros),
        int(step.lease.by_day),
        today.name,
        today.ttl_ms(now_ms),
        *thresholds(terms, facts, today, now_ms),
    ]
    return names, values
