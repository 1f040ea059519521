"""Barring, risk classes, price cap and speed (domain.md section 4.7), as tables."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.adapters.placement import Change
from call_control.domain.risk import Barring, RiskLimits, RiskMap, RiskRange
from call_control.domain.velocity import stamp_of, too_fast

from tests.support import configured as c
from tests.support.decided import NOW_MS, decided

# NOW_MS is Sunday 2026-11-22 13:00 in Madrid.


def barring(prefixes: list[str], **changes: Any) -> Change:
    """The client's own."""
    data = {"name": "No mobiles", "enabled": True, "prefixes": prefixes, "weekdays": [], **changes}
    return c.row("barring", "019a0000-0000-7000-8000-000000000ba1", data, client_id=c.CLIENT)


def risk(prefix: str, risk: str, country: str | None = None, **more: Any) -> Change:
    """A row of the risk list; `brand_id=None`: the platform's."""
    row_id = f"019a0000-0000-7000-8000-0000{int(prefix):08x}"
    return c.row("risk_class", row_id, {"prefix": prefix, "risk": risk, "country": country}, **more)


BARRED: dict[str, tuple[Change, str]] = {
    "its prefix": (barring(["+346"]), "barred"),
    "everything": (barring(["+"]), "barred"),
    "another prefix": (barring(["+347"]), "allow"),
    "one of several": (barring(["+1", "+34600"]), "barred"),
    "switched off": (barring(["+346"], enabled=False), "allow"),
    "on sundays": (barring(["+346"], weekdays=[7]), "barred"),
    "on mondays": (barring(["+346"], weekdays=[1]), "allow"),
    "at one in the afternoon": (barring(["+346"], from_time="13:00", to_time="13:01"), "barred"),
    "until one in the afternoon": (barring(["+346"], from_time="08:00", to_time="13:00"), "allow"),
    "from nine at night until two": (barring(["+346"], from_time="21:00", to_time="14:00"), "barred"),
    "a night that began on saturday": (
        barring(["+346"], weekdays=[6], from_time="21:00", to_time="14:00"),
        "barred",
    ),
    "a night that begins on sunday": (
        barring(["+346"], weekdays=[7], from_time="21:00", to_time="14:00"),
        "allow",
    ),
}


@pytest.mark.parametrize(("row", "code"), BARRED.values(), ids=BARRED)
async def test_what_a_client_bars_is_not_called_at_those_times(row: Change, code: str) -> None:
    """Times are the client's local ones: an hour off, and children call at night after all."""
    decision = await decided({}, row)
    assert decision.code == code
    if code == "barred":
        assert decision.sip_code == 403
        assert decision.refusal is not None
        assert decision.refusal.detail == "+34600123123 is barred by No mobiles"


def test_a_window_past_midnight_belongs_to_the_day_it_began() -> None:
    """Friday 22:00 to 06:00 is in force on Saturday at 5, not on Friday at 5."""
    night = Barring("night", ("+",), frozenset({5}), 22 * 60, 6 * 60)
    assert night.in_force(5, 22 * 60)
    assert night.in_force(6, 5 * 60)
    assert not night.in_force(5, 5 * 60)
    assert not night.in_force(6, 22 * 60)
    monday = Barring("night", ("+",), frozenset({7}), 22 * 60, 6 * 60)
    assert monday.in_force(1, 0), "Sunday's night reaches into Monday"


RISKS: dict[str, tuple[tuple[Change, ...], str]] = {
    "no list at all": ((), "allow"),
    "high risk is off by default": ((risk("+346", "high_risk"),), "risk_barred"),
    "special rate is on by default": ((risk("+346", "special_rate"),), "allow"),
    "the platform's list counts": ((risk("+346", "high_risk", brand_id=None),), "risk_barred"),
    "a brand's row replaces the platform's": (
        (risk("+346", "high_risk", brand_id=None), risk("+346", "normal", position="2-0")),
        "allow",
    ),
    "the longest prefix decides": ((risk("+34", "high_risk"), risk("+34600", "normal")), "allow"),
    "a brand may allow it": (
        (risk("+346", "high_risk"), c.brand(allowed_risk_classes=["normal", "high_risk"])),
        "allow",
    ),
    "a client may be allowed more than its brand": (
        (
            risk("+346", "high_risk"),
            c.client(
                allowed_risk_classes=["normal", "high_risk"],
                operator_limits={"allowed_risk_classes": ["normal", "high_risk"]},
            ),
        ),
        "allow",
    ),
    "a client's people can only tighten": (
        (
            risk("+346", "high_risk"),
            c.client(allowed_risk_classes=["normal", "high_risk"], operator_limits={}),
        ),
        "risk_barred",
    ),
    "a client's people have tightened": (
        (risk("+346", "special_rate"), c.client(allowed_risk_classes=["normal"])),
        "risk_barred",
    ),
    "a premium number of one's own country": ((risk("+346", "special_rate", "ES"),), "allow"),
    "a premium number of another country": (
        (risk("+346", "special_rate", "ES"), c.client(country="FR")),
        "risk_barred",
    ),
}


@pytest.mark.parametrize(("more", "code"), RISKS.values(), ids=RISKS)
async def test_the_risk_class_of_the_destination_decides(more: tuple[Change, ...], code: str) -> None:
    """Toll fraud goes to these numbers: allowed by mistake, one night costs more than a year of calls."""
    decision = await decided({}, *more)
    assert decision.code == code
    if code == "risk_barred":
        assert decision.sip_code == 403


PRICES: dict[str, tuple[tuple[Change, ...], str]] = {
    "no cap": ((), "allow"),
    "as dear as the cap": ((c.brand(price_cap_per_minute="1.20"),), "allow"),
    "dearer than the brand's cap": ((c.brand(price_cap_per_minute="1.1999"),), "too_expensive"),
    "the client's own cap": ((c.client(price_cap_per_minute="1.00"),), "too_expensive"),
    "the tighter of both": (
        (c.client(price_cap_per_minute="9.00", operator_limits={"price_cap_per_minute": "1.00"}),),
        "too_expensive",
    ),
    "an unpriced client": (
        (c.client(billing_method="none", price_cap_per_minute="0.01"),),
        "allow",
    ),
}


@pytest.mark.parametrize(("more", "code"), PRICES.values(), ids=PRICES)
async def test_no_minute_is_dearer_than_the_cap(more: tuple[Change, ...], code: str) -> None:
    """Mobile costs 1.20 a minute."""
    decision = await decided({}, *more)
    assert decision.code == code
    if code == "too_expensive":
        assert decision.sip_code == 403
        assert "a minute costs 1.20" in decision.refusal.detail  # type: ignore[union-attr]


async def test_what_has_no_price_is_told_so_even_under_a_cap() -> None:
    """The cap must not turn `no_rate` into something that raising the cap would not mend."""
    capped = c.brand(price_cap_per_minute="0.01")
    assert (await decided({"request_user": "00442071234567"}, capped)).code == "no_rate"
    assert (await decided({}, capped, without=("profile",))).code == "no_rating_profile"


async def test_barring_comes_before_routes_and_after_the_number_to_show() -> None:
    """The order of section 4: 6, 7, 9."""
    nothing = ("route", "profile")
    barred = barring(["+346"])
    assert (await decided({}, barred, without=nothing)).code == "barred"
    hidden = c.client(outgoing_ddi_id=None)
    assert (await decided({"asserted_identity": None}, barred, hidden)).code == "no_presentation_number"
    both = (barred, risk("+346", "high_risk"))
    assert (await decided({}, *both)).code == "barred"


async def test_emergency_calls_skip_all_of_it() -> None:
    """4.12: barring is the client's wish, a risk class ours; neither may cost a life."""
    emergency = c.row("emergency_number", "019a0000-0000-7000-8000-000000000e01", {"number": "112"})
    more = (emergency, barring(["+"]), risk("+34", "high_risk"), c.brand(price_cap_per_minute="0"))
    case = (await decided({"request_user": "112"}, *more)).case
    assert (case.call_class, case.client_per_minute, case.device_per_minute) == ("emergency", 0, 0)


SPEEDS: dict[str, tuple[tuple[Change, ...], tuple[int, int]]] = {
    "out of the box": ((), (30, 30)),
    "the brand's": ((c.brand(max_calls_per_minute=10),), (10, 10)),
    "the client's own, tighter": ((c.client(max_calls_per_minute=5, operator_limits={}),), (5, 5)),
    "looser by its people": ((c.client(max_calls_per_minute=50, operator_limits={}),), (30, 30)),
    "looser by the operator": (
        (c.client(max_calls_per_minute=50, operator_limits={"max_calls_per_minute": 50}),),
        (50, 50),
    ),
    "unlimited by the operator": (
        (c.client(max_calls_per_minute=0, operator_limits={"max_calls_per_minute": 0}),),
        (0, 0),
    ),
    "unlimited, tightened": (
        (c.client(max_calls_per_minute=4, operator_limits={"max_calls_per_minute": 0}),),
        (4, 4),
    ),
    "the device's": ((c.device(max_calls_per_minute=3),), (30, 3)),
    "on probation": (
        (c.brand(probation_days=7), c.client(created_at="2026-11-20T00:00:00Z")),
        (15, 15),
    ),
    "after probation": (
        (c.brand(probation_days=1), c.client(created_at="2026-11-20T00:00:00Z")),
        (30, 30),
    ),
}


@pytest.mark.parametrize(("more", "speeds"), SPEEDS.values(), ids=SPEEDS)
async def test_whose_speed_limit_counts(more: tuple[Change, ...], speeds: tuple[int, int]) -> None:
    """The operator's, else the brand's, tightened by the client's people, halved while the client is new."""
    case = (await decided({}, *more)).case
    assert (case.client_per_minute, case.device_per_minute) == speeds


async def test_probation_halves_the_hours_spend_too() -> None:
    """A thief opens the account in order to spend at once."""
    rows = (c.brand(probation_days=7, spend_per_hour="5.00"), c.client(created_at="2026-11-21T00:00:00Z"))
    assert (await decided({}, *rows)).case.terms.hour_limit_micros == 2_500_000
    assert (await decided({}, rows[0])).case.terms.hour_limit_micros == 5_000_000


MINUTE: dict[str, tuple[list[tuple[int, str]], int, int, tuple[str, int] | None]] = {
    "nothing yet": ([], 2, 2, None),
    "room for one more": ([(1, "a")], 2, 2, None),
    "the client is at its limit": ([(1, "a"), (2, "b")], 9, 2, ("client", 58_000)),
    "the device is at its limit": ([(1, "a"), (2, "a"), (3, "b")], 2, 9, ("device", 58_000)),
    "another device's calls": ([(1, "b"), (2, "b")], 2, 9, None),
    "a minute ago": ([(60, "a"), (59, "a")], 2, 2, None),
    "unlimited": ([(0, "a")] * 99, 0, 0, None),
}


@pytest.mark.parametrize(("calls", "device_max", "client_max", "expected"), MINUTE.values(), ids=MINUTE)
def test_calls_of_the_last_minute_are_counted_by_device_and_client(
    calls: list[tuple[int, str]], device_max: int, client_max: int, expected: tuple[str, int] | None
) -> None:
    """`calls`: seconds ago, device. What a simulation says must be what the script says."""
    rows = sorted(((NOW_MS - ago * 1000, stamp_of(device)) for ago, device in calls), key=lambda row: row[0])
    recent = "".join(f"{at:013d}{stamp}" for at, stamp in rows)
    found = too_fast(recent, stamp_of("a"), device_max, client_max, NOW_MS)
    assert (found and (found.whose, found.retry_ms)) == expected


def test_a_map_of_risks_is_shared_where_a_brand_adds_nothing() -> None:
    """A thousand brands must not each copy the platform's thousand ranges."""
    platform = RiskMap([RiskRange("+870", "high_risk")])
    assert platform.with_own([]) is platform
    own = platform.with_own([RiskRange("+87077", "normal")])
    assert own.find("+870771") == RiskRange("+87077", "normal")
    assert platform.find("+870771") == RiskRange("+870", "high_risk")
    assert platform.find("+34600123123") is None


def test_no_limit_tightened_by_none_stays_none() -> None:
    """A brand without limits and a client without wishes: nothing is refused."""
    free = RiskLimits(None, None, 0, None, 0)
    assert free.tightened(RiskLimits()).per_minute is None
    assert RiskLimits().over(free) == free
