"""The price of the call, found now and pinned to it (domain.md section 4.10)."""

from __future__ import annotations

from landline.rating.errors import DeckUnavailable, NoRate, NoRatingProfile

from call_control.domain.admission.case import Case
from call_control.domain.admission.outage import tolerated
from call_control.domain.denials import Denial, deny
from call_control.domain.rates import PlanUnavailable


def unpriced(case: Case) -> bool:
    """Billing none, emergency and special numbers leave an unpriced record (4.12)."""
    return case.client.billing_method == "none" or case.call_class != "normal"


def judge(case: Case) -> Denial | None:
    """Nothing goes out that can't be billed. Rates that can't be read are another denial than no rate."""
    case.priced, case.pinned, case.outage = None, None, False
    if unpriced(case):
        return None
    try:
        priced, profile_id = case.facts.rates.price(case.client.profiles, case.callee, case.now_ms)
    except NoRatingProfile:
        return deny("no_rating_profile", f"client {case.client.name} has no profile active now")
    except NoRate as error:
        return deny("no_rate", f"{case.callee}: {error}")
    except (DeckUnavailable, PlanUnavailable) as error:
        if not tolerated(case):
            return deny("rates_unavailable", str(error))
        case.outage = True  # priced when it ends (app/late_prices.py)
        return None
    case.priced, case.pinned = priced, priced.pinned(profile_id)
    return None


def explain(case: Case) -> str:
    """`+34600 Spain mobile, first 60 s hold 0.02`, or why there is no price."""
    if case.outage:
        return f"no rates now, outage_policy {case.client.outage_policy}: priced when it ends"
    if case.priced is None:
        return f"unpriced: billing {case.client.billing_method}, {case.call_class}"
    tariff = case.priced.tariff
    return f"{tariff.prefix} {tariff.destination}, plan {tariff.plan_id}"
