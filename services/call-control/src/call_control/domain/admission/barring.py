"""What a client does not want called, and what is too risky for it (domain.md section 4.7).

The speed of calls is part of 4.7 too; it is counted by the admission script, in the step that creates the
call, so this says only which limits the script has to look at.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from landline.kernel.money import decimal_string
from landline.rating.errors import DeckUnavailable, NoRate, NoRatingProfile

from call_control.domain.admission.case import Case
from call_control.domain.admission.rate import unpriced
from call_control.domain.denials import Denial, deny
from call_control.domain.facts import BrandFacts, ClientFacts
from call_control.domain.rates import PlanUnavailable
from call_control.domain.risk import DAY_MS, NORMAL, Barring, RiskLimits, halved


def judge(case: Case) -> Denial | None:
    """Barred, then the risk class, then the price of a minute; emergency calls skip all of it."""
    case.risk = NORMAL
    case.device_per_minute = case.client_per_minute = 0
    case.hour_limit_micros = None
    if case.emergency:
        return None
    barred = _barred(case) if case.client.barrings else None
    if barred is not None:
        return deny("barred", f"{case.callee} is barred by {barred.name}", limit=barred.name)
    limits = limits_of(case.brand, case.client)
    _set_speed(case, limits)
    return _judge_risk(case, limits) or _judge_price(case, limits)


def limits_of(brand: BrandFacts, client: ClientFacts) -> RiskLimits:
    """The client's limits in this brand: the operator's or the brand's, tightened by the client's own.

    Remembered with the client, for as long as the brand's limits are the same object.
    """
    memo = client.limits_memo
    if memo and memo[0] is brand.limits:
        found: RiskLimits = memo[1]
        return found
    found = client.operator_limits.over(brand.limits).tightened(client.limits)
    memo[:] = (brand.limits, found)
    return found


def _barred(case: Case) -> Barring | None:
    local: datetime | None = None
    for barring in case.client.barrings:
        if not case.callee.startswith(barring.prefixes):
            continue
        if not barring.timed:
            return barring
        local = local or datetime.fromtimestamp(case.now_ms / 1000, ZoneInfo(case.client.timezone))
        if barring.in_force(local.isoweekday(), local.hour * 60 + local.minute):
            return barring
    return None


def _judge_risk(case: Case, limits: RiskLimits) -> Denial | None:
    found = case.brand.risks.find(case.callee)
    if found is None:
        return None
    case.risk = found.for_callers_of(case.client.calling_code)
    if limits.classes is None or case.risk in limits.classes:
        return None
    allowed = ", ".join(sorted(limits.classes))
    told = f"{found.prefix} is {case.risk}, allowed: {allowed}"
    return deny("risk_barred", told, limit=allowed, value=case.risk)


def _judge_price(case: Case, limits: RiskLimits) -> Denial | None:
    """No minute dearer than the cap. What has no price is 4.10's to refuse, in its turn."""
    cap = limits.price_cap
    if cap is None or unpriced(case):
        return None
    try:
        priced, _ = case.facts.rates.price(case.client.profiles, case.callee, case.now_ms)
    except (NoRatingProfile, NoRate, DeckUnavailable, PlanUnavailable):
        return None
    minute = priced.dearest_minute(case.now_ms)
    if minute <= cap:
        return None
    told, limit = decimal_string(minute), decimal_string(cap)
    return deny("too_expensive", f"a minute costs {told}, cap {limit}", limit=limit, value=told)


def _set_speed(case: Case, limits: RiskLimits) -> None:
    """What the script will count; half of it while the client is new."""
    client_max, hour = limits.per_minute or 0, limits.per_hour
    device_max = case.device.max_calls_per_minute
    device_max = client_max if device_max is None else device_max
    if on_probation(case.client, limits, case.now_ms):
        client_max, device_max = halved(client_max), halved(device_max)
        hour = None if hour is None else hour // 2
    case.client_per_minute, case.device_per_minute = client_max, device_max
    case.hour_limit_micros = hour


def on_probation(client: ClientFacts, limits: RiskLimits, now_ms: int) -> bool:
    """The first days of a client: who opens an account to misuse it does so at once."""
    created = client.created_at_ms
    return created is not None and now_ms < created + (limits.probation_days or 0) * DAY_MS


def explain(case: Case) -> str:
    """`normal, at most 30 calls a minute`."""
    if case.emergency:
        return "skipped: emergency"
    speed = f"at most {case.client_per_minute} calls a minute" if case.client_per_minute else "any speed"
    return f"{case.risk}, {speed}"
