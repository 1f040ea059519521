"""What a client may have, given its brand: pure rules, told as refusals (domain section 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """A field that breaks a rule."""

    field: str
    code: str
    message: str


def client_refusals(client: Mapping[str, Any], brand: Mapping[str, Any]) -> Iterator[Refusal]:
    """Every conditional rule that a client's row breaks. Both rows keyed by column, money in micros."""
    for feature in sorted(set(client["features"]) - set(brand["features"])):
        yield Refusal("features", "feature_not_in_brand", f"the brand has no {feature}")
    if client["billing_method"] != "none" and "billing" not in brand["features"]:
        yield Refusal("billing_method", "billing_not_in_brand", "the brand has no billing: only none")
    if client["geoip_countries"] and not client["ip_filter"]:
        yield Refusal("geoip_countries", "needs_ip_filter", "countries mean nothing while ip_filter is off")
    if client["credit_limit_micros"] is not None and client["billing_method"] != "postpaid":
        yield Refusal("credit_limit", "only_postpaid", "only a postpaid client has a credit limit")
    if client["max_daily_usage_micros"] is not None and client["billing_method"] == "none":
        yield Refusal("max_daily_usage", "needs_billing", "usage is counted only where calls are priced")
    for kind in ("media_relay_set", "application_server_set"):
        if client[f"{kind}_id"] not in brand[f"{kind}_ids"]:
            yield Refusal(f"{kind}_id", "not_in_brand", "the brand may not use this set")
