"""The peer's priced calls, each through our engine and, where it dials digits, through a real deck file.

Our figure is `exact_cost`: integers all the way, one rounding at the end. What is left out is named below.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from landline.kernel.money import Rounding, to_decimal, to_micros
from landline.rating.checks import check
from landline.rating.deck_file import Deck, DeckMeta, DeckRow, write_deck
from landline.rating.errors import NoRate
from landline.rating.lookup import Plan, PlanEntry, Timing, resolve
from landline.rating.price import affordable_seconds, covered_seconds, price_micros
from landline.rating.tariff import DAY_S, Price, Tariff, Tier, Window, always, weekday_mask

Case = Mapping[str, Any]

LEFT_OUT: Final = {
    "cd-second-segment-no-fee": "prices a later debit segment alone; our leases are differences of one price",
    "it-t2-new-year-weight": "window by month and day of month; our plans know weekdays and hours only",
    "dv-holiday-weight": "window by month and day of month, as above",
    "mu-max-rate-cut": "included minutes (unit balance) and a maximum rate inside the price engine",
    "db-ddazmbl3-negative-fee": "included minutes, and a fee that drives a prepaid balance below zero",
    "it-lc-30s-bundle-covers": "included minutes",
}
ROUNDINGS: Final[dict[str, Rounding]] = {"middle": "half_up", "up": "up", "down": "down"}
# The peer rounds each increment to 5 decimals; over these sessions that is at most 0.0003.
PEERS_ROUNDING: Final = Decimal("0.0003")

CASES: Final[list[Case]] = json.loads((Path(__file__).parent / "rating_cases.json").read_text())["cases"]


def of_kind(*kinds: str) -> list[Any]:
    return [pytest.param(c, id=c["id"]) for c in CASES if c["kind"] in kinds and c["id"] not in LEFT_OUT]


def test_every_case_is_either_run_or_left_out_for_a_reason() -> None:
    run = [param.id for param in of_kind("cost", "debit", "max_usage", "session", "error")]
    assert sorted([*run, *LEFT_OUT]) == sorted(case["id"] for case in CASES)


def price_of(plain: Case) -> Price:
    tiers = []
    for tier in plain["tiers"]:
        per_minute = Decimal(tier["rate"]) * 60 / (tier["rate_unit_s"] or 1)
        tiers.append(Tier.of(tier["start_s"], per_minute, tier["increment_s"] or 1))
    return Price.of(plain["connect_fee"], *tiers)


def terms_of(plain: Case) -> tuple[int, Rounding]:
    """Final rounding. No method means none; and below a micro there is nothing to round in these cases."""
    rounding = plain["rounding"]
    if not rounding["method"]:
        return 6, "half_up"
    return min(rounding["decimals"], 6), ROUNDINGS[rounding["method"]]


def timing_of(window: Case) -> Timing:
    assert not window["months"] + window["month_days"] + window["years"]
    assert window["end"] is None
    hours, minutes, seconds = map(int, window["start"].split(":"))
    days = weekday_mask(*((day - 1) % 7 for day in window["weekdays"] or range(7)))
    return Timing(days, hours * 3600 + minutes * 60 + seconds, DAY_S)


def window_of(plain: Case) -> Window:
    timing = timing_of(plain)
    return Window(timing.weekdays, timing.start_s, timing.end_s, price_of(plain), plain["weight"])


def tariff_of(case: Case) -> Tariff:
    plain = case["tariff"]
    decimals, rounding = terms_of(plain)
    windows = tuple(map(window_of, plain["windows"] or ())) or (always(price_of(plain)),)
    return check(Tariff("EUR", windows, decimals, rounding, "UTC"))


def start_of(case: Case) -> int:
    return int(datetime.fromisoformat(case["answer_time"]).timestamp())


@pytest.mark.parametrize("case", of_kind("cost"))
def test_a_finished_call_costs_the_exact_price(case: Case) -> None:
    """Would break: any rounding of single increments or spans (0.498 for a call of 0.50)."""
    tariff, start, duration = tariff_of(case), start_of(case), case["duration_s"]
    assert to_decimal(price_micros(tariff, start, duration)) == Decimal(case["exact_cost"])


@pytest.mark.parametrize("case", of_kind("cost"))
def test_a_finished_call_is_billed_to_the_end_of_its_increment(case: Case) -> None:
    covered = covered_seconds(tariff_of(case), start_of(case), case["duration_s"])
    assert covered == int(case["expected_billed_s"])


@pytest.mark.parametrize("case", of_kind("debit"))
def test_a_debit_of_money_takes_the_price(case: Case) -> None:
    cost = to_decimal(price_micros(tariff_of(case), start_of(case), case["duration_s"]))
    assert cost == Decimal(case["expected_cost"])
    assert Decimal(case["balance"]) - cost == Decimal(case["expected_balance_after"])


@pytest.mark.parametrize("case", of_kind("max_usage"))
def test_a_balance_allows_so_many_seconds(case: Case) -> None:
    money = to_micros(case["balance"])
    seconds = affordable_seconds(tariff_of(case), start_of(case), money, case["duration_s"])
    assert seconds == case["expected_max_s"]


@pytest.mark.parametrize("case", of_kind("session"))
def test_a_session_holds_and_returns_differences_of_one_price(case: Case) -> None:
    """Held after init: price(usage); after update: price(used + usage); kept at the end: price(total)."""
    tariff, start, opening = tariff_of(case), start_of(case), to_micros(case["balance"])
    used = granted = 0
    for step in case["steps"]:
        used = step.get("total_s", used + step.get("last_used_s", granted if step["op"] == "init" else 0))
        granted = used if step["op"] == "terminate" else used + step["usage_s"]
        balance = to_decimal(opening - price_micros(tariff, start, granted))
        assert abs(balance - Decimal(step["expected_balance"])) <= PEERS_ROUNDING


def digits_of(prefix: str) -> list[str]:
    """A prefix as our decks know it. The peer's *any is every first digit."""
    return [f"+{n}" for n in range(10)] if prefix == "*any" else ["+" + prefix.lstrip("+")]


def dials_digits(case: Case) -> bool:
    return str(case["dialed"]).lstrip("+").isdigit()


def plan_of(case: Case, folder: Path) -> tuple[Plan, dict[str, Deck]]:
    """One deck and entry per priced window of the case's destination and of its alternatives."""
    decks: dict[str, Deck] = {}
    entries: list[PlanEntry] = []
    places = [(case["tariff"], case["destination_prefixes"])]
    places += [(other["tariff"], other["destination_prefixes"]) for other in case.get("alternatives") or ()]
    for plain, prefixes in places:
        for window in plain["windows"] or (None,):
            deck_id = f"deck-{len(decks)}"
            price = price_of(window or plain)
            rows = [DeckRow(p, deck_id, price) for prefix in prefixes for p in digits_of(prefix)]
            write_deck(folder / deck_id, DeckMeta(deck_id, 1, "EUR"), rows)
            decks[deck_id] = Deck.open(folder / deck_id)
            weight = window["weight"] if window else 1
            entries.append(PlanEntry(deck_id, weight, timing_of(window) if window else None))
    decimals, rounding = terms_of(case["tariff"])
    return Plan("plan", 1, "EUR", "UTC", tuple(entries), decimals, rounding), decks


@pytest.mark.parametrize("case", [p for p in of_kind("cost") if dials_digits(p.values[0])])
def test_the_plan_finds_the_prefix_and_the_price_of_what_was_dialled(case: Case, tmp_path: Path) -> None:
    plan, decks = plan_of(case, tmp_path)
    tariff = check(resolve(plan, decks, "+" + case["dialed"].lstrip("+"), start_of(case)))
    assert tariff.prefix in digits_of(case["matched_prefix"])
    cost = to_decimal(price_micros(tariff, start_of(case), case["duration_s"]))
    assert cost == Decimal(case["exact_cost"])


@pytest.mark.parametrize("case", of_kind("error"))
def test_a_destination_without_a_price_is_refused(case: Case, tmp_path: Path) -> None:
    plan, decks = plan_of(case, tmp_path)
    with pytest.raises(NoRate):
        resolve(plan, decks, "+" + case["dialed"], start_of(case))
