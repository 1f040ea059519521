"""Emergency and special numbers (domain.md section 4.12): what may never stop them."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.adapters.placement import Change

from tests.support import configured as c
from tests.support.decided import decided

NUMBERS = (
    c.row("emergency_number", "019a0000-0000-7000-8000-000000000e01", {"number": "112", "country": "ES"}),
    c.row(
        "emergency_number",
        "019a0000-0000-7000-8000-000000000e02",
        {"number": "+34091", "country": None},
        brand_id=None,
    ),
    c.row(
        "special_number", "019a0000-0000-7000-8000-000000000e03", {"number": "+34900100200", "country": None}
    ),
)

OBSTACLES: dict[str, tuple[dict[str, Any], tuple[Change, ...], tuple[str, ...]]] = {
    "disabled client": ({}, (c.client(enabled=False),), ()),
    "disabled device": ({}, (c.device(enabled=False),), ()),
    "forbidden source": ({}, (c.client(ip_filter=True),), ()),
    "nothing to show": ({"asserted_identity": None}, (c.client(outgoing_ddi_id=None),), ()),
    "no rates": ({}, (), ("profile", "deck", "plan")),
    "blocking route": (
        {},
        (c.route("019a0000-0000-7000-8000-000000000e09", mode="block", carrier_id=None, priority=0),),
        (),
    ),
}


@pytest.mark.parametrize(("body", "more", "without"), OBSTACLES.values(), ids=OBSTACLES)
async def test_nothing_stops_an_emergency_call(
    body: dict[str, Any], more: tuple[Change, ...], without: tuple[str, ...]
) -> None:
    """Promise 4: someone may die of each row of this table."""
    decision = await decided({"request_user": "112", **body}, *NUMBERS, *more, without=without)
    assert decision.code == "allow", decision.refusal
    assert decision.case.call_class == "emergency"
    assert decision.case.priced is None


async def test_an_emergency_call_has_no_limit_and_no_price() -> None:
    """Calls in use, the day's limit and an empty balance are not looked at."""
    limited = c.client(max_calls=1, max_daily_usage="0.01", max_call_s=10)
    case = (await decided({"request_user": "112"}, *NUMBERS, limited, c.brand(max_calls=1))).case
    assert (case.brand_max_calls, case.client_max_calls, case.cap_s) == (0, 0, 10_800)
    assert (case.terms.rule, case.terms.limit_micros, case.hold.hold_micros) == ("none", None, 0)


async def test_an_emergency_number_is_also_known_by_its_e164_form() -> None:
    """Looked up on the dialled string, and again after callee-in (4.3)."""
    decision = await decided({"request_user": "091"}, *NUMBERS)
    assert (decision.case.call_class, decision.case.callee) == ("emergency", "+34091")


async def test_another_countrys_emergency_number_is_an_ordinary_number() -> None:
    """112 is an emergency number where the list says so."""
    decision = await decided({"request_user": "112"}, *NUMBERS, c.client(country="US"))
    assert decision.case.call_class == "normal"


async def test_an_emergency_call_always_shows_a_number_to_call_back() -> None:
    """Withholding is overridden; without a configured number the best active DDI is shown."""
    hidden = c.client(outgoing_ddi_id=None, withhold_number=True)
    out_only = c.ddi(kind="out")
    body = {"request_user": "112", "asserted_identity": None, "privacy": "id"}
    case = (await decided(body, *NUMBERS, hidden, out_only)).case
    assert (case.shown, case.withhold) == (c.NUMBER_2, False)
    assert case.legs[0].pai is not None
    none_left = (c.ddi(state="quarantine"), c.ddi(c.DDI_2, c.NUMBER_2, state="quarantine"))
    case = (await decided(body, *NUMBERS, hidden, *none_left)).case
    assert (case.ddi, case.shown) == (None, "casa1")


async def test_emergency_routes_are_used_where_there_are_any() -> None:
    """The direct trunk to the emergency centre, and nothing else while it is configured."""
    trunk = [
        c.carrier(carrier_id="019a0000-0000-7000-8000-000000000e07"),
        c.server(
            "019a0000-0000-7000-8000-000000000e08",
            carrier_id="019a0000-0000-7000-8000-000000000e07",
            host="psap.example",
        ),
        c.route(
            "019a0000-0000-7000-8000-000000000e09",
            kind="emergency",
            destination_pattern_id=None,
            carrier_id="019a0000-0000-7000-8000-000000000e07",
        ),
    ]
    case = (await decided({"request_user": "112"}, *NUMBERS, *trunk)).case
    assert [leg.uri.partition("@")[2] for leg in case.legs] == ["psap.example:5060;transport=udp"]


async def test_a_forced_number_never_hides_who_is_in_distress() -> None:
    """force_clid replaces the caller on ordinary calls only."""
    forced = c.route(force_clid="+34900111222")
    assert (await decided({"request_user": "112"}, *NUMBERS, forced)).case.legs[0].from_user == c.NUMBER


async def test_special_numbers_are_free_but_counted() -> None:
    """Special numbers skip rate and money, not limits of calls (4.12)."""
    case = (await decided({"request_user": "900100200"}, *NUMBERS, without=("profile",))).case
    assert (case.call_class, case.priced, case.terms.rule) == ("special", None, "none")
    assert case.client_max_calls == 2


async def test_billing_none_leaves_calls_unpriced() -> None:
    """A client that is not billed needs no profile; its calls are counted all the same."""
    decision = await decided({}, c.client(billing_method="none"), without=("profile",))
    assert decision.code == "allow"
    assert (decision.case.priced, decision.case.client_max_calls) == (None, 2)
    assert "unpriced: billing none, normal" in [line.detail for line in decision.trace]
