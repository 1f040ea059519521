"""What the admission script must find room for (domain.md section 4.11): limits in, no policy left over.

The script decides, in the same atomic step that creates the call: brand calls, client calls, the day's
spend, the balance. A limit that does not apply to this call is left out here.
"""

from __future__ import annotations

from msgspec.structs import replace

from call_control.domain.admission.case import Case
from call_control.domain.lease import FirstHold
from call_control.domain.live_call import UNBILLED, Terms

UNPRICED = Terms(thresholds=())


def judge(case: Case) -> None:
    """Emergency: no limit. Special and unpriced: only calls are counted. Else all of 4.11."""
    client = case.client
    case.brand_max_calls = 0 if case.emergency else case.brand.max_calls
    case.client_max_calls = 0 if case.emergency else client.max_calls
    if case.priced is None:
        case.terms, case.hold = client.terms if case.outage else UNPRICED, FirstHold(0, 0, 0)
        return
    case.terms = client.terms
    if case.hour_limit_micros is not None:
        case.terms = replace(client.terms, hour_limit_micros=case.hour_limit_micros)
    # Can't be NoRate: the rate step found this tariff in force at this very moment.
    case.hold = case.priced.first_hold(case.now_ms, case.facts.lease_s, case.cap_s, client.terms.rule)


def terms_of(
    billing_method: str,
    credit_limit: int | None,
    max_daily_usage: int | None,
    client_spend_cap: int | None,
    alerts: tuple[int, ...],
) -> Terms:
    """A client's money terms (micros), made with its facts: the lower daily limit, credit of postpaid."""
    limits = [limit for limit in (max_daily_usage, client_spend_cap) if limit is not None]
    return Terms(
        rule=billing_method,
        credit_micros=credit_limit if billing_method == "postpaid" else None,
        limit_micros=min(limits, default=None) if billing_method != UNBILLED else None,
        thresholds=alerts,
    )


def explain(case: Case) -> str:
    """The limits that the script will look at."""
    return (
        f"{case.terms.rule}, brand calls {case.brand_max_calls or 'unlimited'}, "
        f"client calls {case.client_max_calls or 'unlimited'}, first hold {case.hold.covered_s} s"
    )
