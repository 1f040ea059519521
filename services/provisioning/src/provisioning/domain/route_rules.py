"""Which fields a route needs, by its kind and mode: pure rules (model-system 1.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.domain.client_rules import Refusal


def route_refusals(route: Mapping[str, Any]) -> Iterator[Refusal]:
    """Every rule between the fields of a route's row that it breaks."""
    mode = route["mode"]
    kind = route["kind"]
    for of_kind, field in (("pattern", "destination_pattern_id"), ("group", "destination_pattern_group_id")):
        if kind == of_kind and route[field] is None:
            yield Refusal(field, "required", f"a route by {kind} needs one")
        if kind != of_kind and route[field] is not None:
            yield Refusal(field, "not_for_kind", f"a {kind} route has none")
    if kind == "emergency" and mode == "block":
        yield Refusal("mode", "not_for_kind", "an emergency call is never blocked: it would not be looked at")
    if mode == "static" and route["carrier_id"] is None:
        yield Refusal("carrier_id", "required", "a static route needs one carrier")
    if mode != "static":
        for field in ("carrier_id", "prefix", "force_clid"):
            if route[field]:
                yield Refusal(field, "only_static", f"a {mode} route has none")
    if mode == "lcr" and not route["carrier_ids"]:
        yield Refusal("carrier_ids", "required", "an lcr route chooses among carriers")
    if mode != "lcr" and route["carrier_ids"]:
        yield Refusal("carrier_ids", "only_lcr", f"a {mode} route has no list of carriers")
