"""Rate decks from sheet to price: import jobs, plans, profiles, quotes, what the rates stream is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from landline.chassis.postgres import Database
from landline.contracts import streams
from landline.kernel.money import decimal_string
from landline.rating.deck_file import Deck
from landline.rating.price import price_micros
from landline.rating.tariff import Price, Tariff, Tier, always

from tests.integration.billing.ledger_view import rows, value
from tests.support.billing_api import BillingApi
from tests.support.billing_calls import Client

HEADER = b"destination,prefix,rate,connect fee,increment,interval_start\n"
AT = "2026-11-18T11:00:00Z"  # a Wednesday, 12:00 in Madrid


async def deck(api: BillingApi, brand_id: str, sheet: bytes = b"", **fields: Any) -> str:
    """A new deck, with a sheet imported if given."""
    body = {"brand_id": brand_id, "name": f"deck {fields.pop('name', 1)}", "currency": "EUR", **fields}
    made = await api.post("platform", "/rate-decks", body)
    if sheet:
        job = await api.upload("platform", made["id"], HEADER + sheet)
        assert job["state"] == "done", job
    return str(made["id"])


async def plan(api: BillingApi, brand_id: str, *entries: dict[str, Any], **fields: Any) -> str:
    """A new plan with entries."""
    body = {"brand_id": brand_id, "name": "plan", "currency": "EUR", "timezone": "Europe/Madrid", **fields}
    made = await api.post("platform", "/rating-plans", body)
    for entry in entries:
        await api.post("platform", f"/rating-plans/{made['id']}/entries", entry)
    return str(made["id"])


async def quote(api: BillingApi, duration_s: int = 60, number: str = "+34600123123", **more: Any) -> Any:
    """The answer of a price quote."""
    body = {"number": number, "at": AT, "duration_s": duration_s, **more}
    answer = await api.call("platform", "POST", "/price-quotes", json=body)
    return answer.json()


async def test_a_sheet_becomes_a_deck_a_plan_a_profile_and_a_price(api: BillingApi) -> None:
    """The whole way an operator goes; a break anywhere leaves calls refused with no_rate."""
    client = await api.client(Client())
    sheet = b"Spain,+34,0.10,0.05,60,0\nSpain,+34,0.06,,1,60\nSpain mobile,+346,0.20,0.05,1,0\n"
    deck_id = await deck(api, client.brand_id, sheet)
    plan_id = await plan(api, client.brand_id, {"rate_deck_id": deck_id})
    assert (await quote(api, client_id=client.client_id))["code"] == "no_rating_profile"
    profile = {
        "client_id": client.client_id,
        "rating_plan_id": plan_id,
        "activation_time": "2026-01-01T00:00:00Z",
    }
    made = await api.post("platform", "/rating-profiles", {"brand_id": client.brand_id, **profile})
    mobile = await quote(api, 61, client_id=client.client_id)
    landline = await quote(api, 90, "+34944048182", client_id=client.client_id)
    assert (mobile["price"], mobile["destination"], mobile["prefix"]) == ("0.2533", "Spain mobile", "+346")
    assert landline["price"] == "0.18"  # 0.05 + 0.10 + 30 s of 0.06 a minute
    assert [
        (x["kind"], x["from_s"], x["billed_s"], x["rate_per_minute"], x["amount"]) for x in landline["lines"]
    ] == [
        ("connect", 0, 0, None, "0.05"),
        ("usage", 0, 60, "0.1", "0.1"),
        ("usage", 60, 30, "0.06", "0.03"),
    ]
    assert (await quote(api, number="+4420", client_id=client.client_id))["code"] == "no_rate"
    [published] = await api.told(streams.RATES, "rating_profile.published.v1", profile_id=made["id"])
    assert published["plan_id"] == plan_id
    plans = await api.told(streams.RATES, "rating_plan.published.v1", 2, plan_id=plan_id)
    assert plans[-1]["entries"] == [
        {"deck_id": deck_id, "weight": 10, "weekdays": None, "start": None, "end": None}
    ]
    assert [p["version"] for p in plans] == [1, 2]


async def test_the_published_file_is_what_the_event_announced(api: BillingApi, tmp_path: Path) -> None:
    """call-control prices from this file: checksum, rows and prices must be the deck's."""
    deck_id = await deck(api, Client().brand_id, b"Spain,+34,0.10,0.05,60,\nFrance,+33,0.02,0,1,\n", name=2)
    told = await api.told(streams.RATES, "tariff.published.v1", 2, deck_id=deck_id)
    assert [(e["version"], e["rows"]) for e in told] == [(1, 0), (2, 2)]
    answer = await api.call("system", "GET", f"/internal/decks/{deck_id}/2")
    path = tmp_path / "deck"
    path.write_bytes(answer.content)
    with Deck.open(path, told[-1]["sha256"]) as opened:
        assert [row.prefix for row in opened] == ["+33", "+34"]
        assert opened.find("+34600") is not None
    missing = await api.call("system", "GET", f"/internal/decks/{deck_id}/3")
    stranger = await api.call("platform", "GET", f"/internal/decks/{deck_id}/2")
    assert (missing.status_code, stranger.status_code) == (404, 403)


async def test_three_bad_lines_of_a_hundred_thousand_change_nothing_and_are_named(
    api: BillingApi, db: Database
) -> None:
    """All or nothing, and the operator finds each line in the file."""
    brand = Client().brand_id
    deck_id = await deck(api, brand, b"Spain,+34,0.10,0.05,60,\n", name=3)
    lines = [b"D%d,+%d,0.0%d,0,60,\n" % (n % 200, 100_000_000 + n, n % 9 + 1) for n in range(100_000)]
    lines[499] = b"D,+12345,abc,0,60,\n"
    lines[50_000] = b"D,,0.1,0,60,\n"
    lines[99_998] = b"D,+100000000,0.1,0,60,\n"
    job = await api.upload("platform", deck_id, HEADER + b"".join(lines))
    assert (job["state"], job["error_count"], job["rows_total"]) == ("failed", 3, 100_000)
    assert [(e["line"], e["field"], e["code"]) for e in job["errors"]] == [
        (501, "rate", "invalid"),
        (50_002, "prefix", "invalid"),
        (100_000, "prefix", "duplicate"),
    ]
    listed = await api.get("platform", "/rates", rate_deck_id=deck_id, count="true")
    assert (listed["total"], listed["items"][0]["prefix"]) == (1, "+34")
    assert (await api.get("platform", f"/rate-decks/{deck_id}"))["published_version"] == 2
    assert await value(db, "select count(*) from rates where deck_id = $1", deck_id) == 1
    good = [line for n, line in enumerate(lines) if n not in (499, 50_000, 99_998)]
    again = await api.upload("platform", deck_id, HEADER + b"".join(good))
    assert (again["state"], again["result"]["rows"]) == ("done", 99_997)
    assert (await api.get("platform", "/rates", rate_deck_id=deck_id, count="true"))["total"] == 99_997
    assert await value(db, "select count(*) from job_inputs where job_id::text = $1", again["id"]) == 0


async def test_merge_adds_and_replaces_while_replace_starts_anew(api: BillingApi) -> None:
    """A carrier's amendment names only what changes."""
    deck_id = await deck(api, Client().brand_id, b"Spain,+34,0.10,0,60,\nFrance,+33,0.02,0,1,\n", name=4)
    merged = await api.upload("platform", deck_id, b"Spain,+34,0.12,0,60\nItaly,+39,0.03,0,1\n", mode="merge")
    assert merged["result"]["rows"] == 3
    rates = (await api.get("platform", "/rates", rate_deck_id=deck_id))["items"]
    assert [(r["prefix"], r["rate_per_minute"]) for r in rates] == [
        ("+33", "0.020000000"),
        ("+34", "0.120000000"),
        ("+39", "0.030000000"),
    ]
    replaced = await api.upload("platform", deck_id, b"Italy,+39,0.03,0,1\n")
    assert replaced["result"]["rows"] == 1


async def test_a_worker_that_died_is_followed_by_one_that_begins_anew(api: BillingApi, db: Database) -> None:
    """A job left running, with some of its rows written, must end as if nothing had happened."""
    deck_id = await deck(api, Client().brand_id, name=5)
    brand = (await api.get("platform", f"/rate-decks/{deck_id}"))["brand_id"]
    await value(
        db,
        "with j as (insert into jobs (id, brand_id, kind, rate_deck_id, state, options, created_by,"
        " created_at, updated_at)"
        " values (gen_random_uuid(), $2, 'rates_import', $1, 'running', '{}', 'x', now(), now())"
        " returning id), r as (insert into rates values ($1, 2, '+99', $2, 'half', 0, '{0,1,1}'))"
        " insert into job_inputs select id, $2, convert_to('Spain,+34,0.1,0,60', 'UTF8') from j returning 1",
        deck_id,
        brand,
    )
    (job_id,) = (await rows(db, "select id::text from jobs where rate_deck_id = $1", deck_id))[0]
    job = await api.finished("platform", job_id)
    assert (job["state"], job["result"]["rows"]) == ("done", 1)
    listed = await api.get("platform", "/rates", rate_deck_id=deck_id)
    assert [r["prefix"] for r in listed["items"]] == ["+34"]


def rating_cases() -> list[Any]:
    """Priced tiers as tables: (fee, tiers, duration)."""
    return [
        ("0", [(0, "0.10", 60)], 1),
        ("0.05", [(0, "0.10", 60)], 61),
        ("0.30", [(0, "0", 1), (30, "0.12", 1)], 45),
        ("0.01", [(0, "0.333333333", 6)], 3601),
        ("0", [(0, "1", 60), (60, "0.5", 30), (300, "0.1", 1)], 1234),
    ]


@pytest.mark.parametrize(("fee", "tiers", "duration"), rating_cases())
@pytest.mark.parametrize("minimum", [False, True])
async def test_a_quote_is_the_engines_price(
    api: BillingApi, fee: str, tiers: list[tuple[int, str, int]], duration: int, minimum: bool
) -> None:
    """What is promised must be what is charged: deck, file, plan and engine in one line."""
    client = Client()
    sheet = "".join(f"X,+34,{rate},{fee},{step},{start}\n" for start, rate, step in tiers).encode()
    deck_id = await deck(api, client.brand_id, sheet, deductible_connect_fee=minimum)
    plan_id = await plan(api, client.brand_id, {"rate_deck_id": deck_id})
    found = await quote(api, duration, rating_plan_id=plan_id)
    price = Price.of(fee, *(Tier.of(*tier) for tier in tiers), minimum_charge=minimum)
    expected = price_micros(Tariff("EUR", (always(price),)), 0, duration)
    assert found["price"] == decimal_string(expected)


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "an entry of another currency": ("entry", {"deck": "USD"}, "rate_deck_id", "currency_differs"),
    "two entries of which neither wins": ("twice", {}, "weight", "invalid"),
    "an entry that ends before it starts": (
        "entry",
        {"time_in": "20:00", "time_out": "08:00"},
        "time_out",
        "invalid",
    ),
    "a weekday that does not exist": ("entry", {"weekdays": [7]}, "weekdays.0", "less_than_equal"),
    "an unknown deck": (
        "entry",
        {"rate_deck_id": "0190a5a0-0000-7000-8000-000000000000"},
        "rate_deck_id",
        "not_found",
    ),
    "a profile of nobody": ("profile", {"client_id": None}, "client_id", "one_of"),
    "a profile in another currency": ("profile", {"plan": "USD"}, "rating_plan_id", "currency_differs"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_could_not_price_a_call_is_refused_when_it_is_written(api: BillingApi, name: str) -> None:
    """Found at the first call it would be a customer who finds it."""
    what, given, field, code = REFUSED[name]
    change = dict(given)
    client = await api.client(Client())
    deck_id = await deck(api, client.brand_id, currency=change.pop("deck", "EUR"))
    plan_id = await plan(api, client.brand_id, currency=change.pop("plan", "EUR"))
    path, body = f"/rating-plans/{plan_id}/entries", {"rate_deck_id": deck_id, **change}
    if what == "profile":
        path = "/rating-profiles"
        body = {"brand_id": client.brand_id, "client_id": client.client_id, "rating_plan_id": plan_id}
        body |= {"activation_time": AT, **change}
        await api.operate("platform", client, "increment", "1", "known")
    if what == "twice":
        await api.post("platform", path, body)
    answer = await api.call("platform", "POST", path, json=body)
    assert answer.status_code == 422, answer.text
    assert (field, code) in [(e["field"], e["code"]) for e in answer.json()["errors"]]


async def test_a_plans_prices_come_as_one_csv(api: BillingApi) -> None:
    """The price list that operators send to their customers; nothing of it may be missing."""
    brand = Client().brand_id
    many = b"".join(b"D%d,+%d,0.0%d,0,60,\n" % (n, 1_000 + n, n % 9 + 1) for n in range(2_500))
    deck_id = await deck(api, brand, many + b"Spain,+34,0.10,0.05,60,0\nSpain,+34,0.06,,1,60\n")
    plan_id = await plan(api, brand, {"rate_deck_id": deck_id, "weekdays": [5, 6]})
    text = (await api.call("platform", "GET", f"/rating-plans/{plan_id}/prices.csv")).text
    lines = text.splitlines()
    assert len(lines) == 1 + 2_500 + 2
    assert f"plan,Spain,+34,0.05,0.06,1,60,10,5;6,,,{deck_id}" in lines
    stranger = await api.call(api.operator(Client().brand_id), "GET", f"/rating-plans/{plan_id}/prices.csv")
    assert stranger.status_code == 404


async def test_currency_and_connect_fee_of_a_deck_never_change(api: BillingApi) -> None:
    """Every price already quoted would silently mean something else."""
    deck_id = await deck(api, Client().brand_id, name=6)
    for change in ({"currency": "USD"}, {"deductible_connect_fee": True}):
        answer = await api.call("platform", "PATCH", f"/rate-decks/{deck_id}", json=change)
        assert answer.status_code in (403, 422)
    renamed = await api.call("platform", "PATCH", f"/rate-decks/{deck_id}", json={"name": "other"})
    assert renamed.status_code == 200


async def test_a_deck_in_a_plan_and_a_plan_in_a_profile_cannot_be_deleted(api: BillingApi) -> None:
    """In the model system that silently left clients unable to call."""
    client = await api.client(Client())
    deck_id = await deck(api, client.brand_id, name=7)
    plan_id = await plan(api, client.brand_id, {"rate_deck_id": deck_id})
    await api.operate("platform", client, "increment", "1", "known")
    body = {"brand_id": client.brand_id, "client_id": client.client_id, "rating_plan_id": plan_id}
    profile = await api.post("platform", "/rating-profiles", {**body, "activation_time": AT})
    for path in (f"/rate-decks/{deck_id}", f"/rating-plans/{plan_id}"):
        assert (await api.call("platform", "DELETE", path)).status_code == 409
    for path in (f"/rating-profiles/{profile['id']}", f"/rating-plans/{plan_id}", f"/rate-decks/{deck_id}"):
        answer = await api.call("platform", "DELETE", path)
        assert answer.status_code == 204, answer.text
    this = {"profile_id": profile["id"], "deleted": True}
    gone = await api.told(streams.RATES, "rating_profile.published.v1", **this)
    assert [each["version"] for each in gone] == [2]


async def test_no_brand_sees_or_imports_into_anothers_deck(api: BillingApi) -> None:
    """Prices are the business of whoever made them."""
    mine, theirs = Client(), Client()
    deck_id = await deck(api, theirs.brand_id, b"Spain,+34,0.10,0,60,\n", name=8)
    who = api.operator(mine.brand_id)
    assert (await api.call(who, "GET", f"/rate-decks/{deck_id}")).status_code == 404
    assert (await api.get(who, "/rates", rate_deck_id=deck_id))["items"] == []
    upload = await api.call(who, "POST", f"/rate-decks/{deck_id}/import", files={"file": ("x.csv", b"a")})
    assert upload.status_code == 404
    customer = await api.call(api.customer(theirs), "GET", "/rate-decks")
    assert customer.status_code == 403
