"""What the admission script must find room for (domain.md section 4.11): limits in, no policy left over.

The script decides, in the same atomic step that creates the call: brand calls, client calls, the day's
spend, the balance. A limit that does not apply to this call is left out here.
"""

from __future__ import annotations

from call_control.domain.admission.case import Case, Limits

UNLIMITED = Limits(
    brand_max_calls=0,
    client_max_calls=0,
    daily_limit_micros=None,
    billing_method="none",
    credit_limit_micros=None,
    counts_spend=False,
)


def judge(case: Case) -> None:
    """Emergency: no limit. Special and unpriced: only calls are counted. Else all of 4.11."""
    if case.emergency:
        case.limits = UNLIMITED
        return
    client = case.client
    priced = case.priced is not None
    case.limits = Limits(
        brand_max_calls=case.brand.max_calls,
        client_max_calls=client.max_calls,
        daily_limit_micros=client.daily_limit_micros if priced else None,
        billing_method=client.billing_method if priced else "none",
        credit_limit_micros=client.credit_limit_micros if client.billing_method == "postpaid" else None,
        counts_spend=priced,
    )


def explain(case: Case) -> str:
    """The limits that the script will look at."""
    limits = case.limits
    return (
        f"{limits.billing_method}, brand calls {limits.brand_max_calls or 'unlimited'}, "
        f"client calls {limits.client_max_calls or 'unlimited'}"
    )
