"""What a tariff may not be, and its text form."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from landline.rating.checks import check
from landline.rating.errors import InvalidTariff
from landline.rating.pinned import dumps, loads
from landline.rating.tariff import DAY_S, EVERY_DAY, Price, Tariff, Tier, Window, always, weekday_mask

TIER = Tier.of(0, "0.12", 60)
PRICE = Price.of("0.10", TIER)
GOOD = Tariff("EUR", (always(PRICE),))
MORNING = Window(EVERY_DAY, 0, 43_200, PRICE, 1)
UUID = "01960000-0000-7000-8000-00000000000"


def priced(price: Price) -> Tariff:
    return replace(GOOD, windows=(always(price),))


def windowed(*windows: Window) -> Tariff:
    return replace(GOOD, windows=windows, timezone="Europe/Madrid")


@pytest.mark.parametrize(
    ("why", "field", "tariff"),
    [
        ("no tier", "tiers", priced(Price(0, ()))),
        ("too many tiers", "tiers", priced(Price(0, tuple(Tier(n, 0, 1) for n in range(17))))),
        ("first tier not at 0", "interval_start", priced(Price(0, (Tier(60, 0, 60),)))),
        ("starts fall", "interval_start", priced(Price(0, (TIER, Tier(60, 0, 30), Tier(30, 0, 1))))),
        ("start twice", "interval_start", priced(Price(0, (TIER, Tier(0, 0, 1))))),
        ("no multiple of the increment before", "interval_start", priced(Price(0, (TIER, Tier(90, 0, 1))))),
        ("increment zero", "increment", priced(Price(0, (Tier(0, 1, 0),)))),
        ("increment negative", "increment", priced(Price(0, (Tier(0, 1, -1),)))),
        ("increment of more than a day", "increment", priced(Price(0, (Tier(0, 1, DAY_S + 1),)))),
        ("negative rate", "rate", priced(Price(0, (Tier(0, -1, 1),)))),
        ("rate beyond a million", "rate", priced(Price(0, (Tier(0, 10**15 + 1, 1),)))),
        ("negative fee", "connect_fee", priced(Price(-1, (TIER,)))),
        ("no window", "windows", windowed()),
        ("too many windows", "windows", windowed(*(replace(MORNING, weight=n) for n in range(65)))),
        ("no weekday", "weekdays", windowed(replace(MORNING, weekdays=0))),
        ("eighth weekday", "weekdays", windowed(replace(MORNING, weekdays=256))),
        ("past midnight", "window", windowed(replace(MORNING, start_s=70_000, end_s=3_600))),
        ("longer than a day", "window", windowed(replace(MORNING, end_s=DAY_S + 1))),
        ("neither wins", "weight", windowed(MORNING, replace(MORNING, end_s=3_600))),
        ("timed without zone", "timezone", replace(GOOD, windows=(MORNING,))),
        ("unknown zone", "timezone", replace(GOOD, timezone="Europe/Atlantis")),
        ("zone that is a folder", "timezone", replace(GOOD, timezone="Europe")),
        ("zone that is a path", "timezone", replace(GOOD, timezone="../../etc/passwd")),
        ("currency in small letters", "currency", replace(GOOD, currency="eur")),
        ("seven decimals", "decimals", replace(GOOD, decimals=7)),
        ("unknown rounding", "rounding", replace(GOOD, rounding="bankers")),  # type: ignore[arg-type]
    ],
)
def test_a_tariff_that_would_misprice_is_refused_by_field(why: str, field: str, tariff: Tariff) -> None:
    with pytest.raises(InvalidTariff) as refused:
        check(tariff)
    assert refused.value.field == field, why


@pytest.mark.parametrize(
    "windows",
    [
        (MORNING, replace(MORNING, weight=2)),
        (MORNING, replace(MORNING, start_s=3_600)),
        (replace(MORNING, weekdays=weekday_mask(0, 6)), replace(MORNING, weekdays=weekday_mask(1))),
    ],
    ids=["by weight", "by start", "by weekday"],
)
def test_overlapping_windows_are_fine_when_one_wins(windows: tuple[Window, ...]) -> None:
    tariff = windowed(*windows)
    assert check(tariff) is tariff


def full(*windows: Window) -> Tariff:
    return Tariff(
        "EUR",
        windows,
        6,
        "up",
        "Europe/Madrid",
        UUID + "1",
        UUID + "2",
        UUID + "3",
        12,
        "+346",
        "Spain mobile, all",
    )


def test_a_tariff_survives_its_text() -> None:
    timed = full(replace(MORNING, weight=-3), always(Price.of("0", TIER, Tier.of(60, "0.000000001", 1))))
    heavy = replace(GOOD, windows=(replace(always(PRICE), weight=7),))
    floor = priced(replace(PRICE, minimum_charge=True))
    for tariff in (GOOD, full(always(PRICE)), timed, heavy, floor):
        assert loads(dumps(tariff)) == tariff
        assert loads(dumps(tariff).encode()) == tariff


def test_a_one_tier_tariff_fits_220_bytes_with_three_uuids() -> None:
    """The ticket has 700 bytes for everything; a longer tariff pushes it out of a SIP dialog."""
    price = Price.of("99.123456", Tier.of(0, "0.123456789", 60))
    tariff = Tariff(
        "EUR",
        (always(price),),
        plan_id=UUID + "1",
        profile_id=UUID + "2",
        deck_id=UUID + "3",
        deck_version=99,
        prefix="+34612",
        destination="Spain mobile special",
    )
    assert len(dumps(tariff).encode()) <= 220


def spoilt(change: Callable[[dict[str, object]], object]) -> str:
    plain = json.loads(dumps(GOOD))
    change(plain)
    return json.dumps(plain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        b"\xff",
        '{"c":"EUR"}',
        spoilt(lambda plain: plain.update(t=[0, 0, 0, 1, 0])),
        spoilt(lambda plain: plain.update(t=[0, 2, 0, 1, 1])),
        spoilt(lambda plain: plain.update(t=[0, 0, 0, 1])),
        spoilt(lambda plain: plain.update(t=[])),
        spoilt(lambda plain: plain.update(r="bankers")),
        spoilt(lambda plain: plain.update(w=[[127, 0, 86400, 0, [0, 0, 0, 1, 1]]])),
        spoilt(lambda plain: plain.pop("c")),
    ],
)
def test_a_spoilt_text_is_refused(text: str | bytes) -> None:
    """A zero increment that got through would divide by zero at every `ended`, for ever."""
    with pytest.raises(InvalidTariff):
        loads(text)
