"""A client set up in one call: all of it or nothing, and whatever fails between two services, once."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from landline.chassis.auth import Principal
from landline.chassis.postgres import Database, Scope
from landline.chassis.redis import connect
from landline.chassis.settings import Settings
from sqlalchemy import text

from tests.support.brand_documents import row_counts
from tests.support.setup_story import Story, setup_story

_numbers = itertools.count(944_100_001)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(settings: Settings) -> AsyncIterator[Story]:
    """Both services for the module; every test makes a home of its own."""
    redis = await connect(settings)
    async with setup_story(settings, redis) as made:  # type: ignore[arg-type]
        yield made
    await redis.aclose()


def home(story: Story, **fields: Any) -> dict[str, Any]:
    """A request for a home that nobody has yet."""
    n = next(_numbers)
    return {
        "client": {"name": f"Casa {n}", "billing_method": "prepaid", "max_calls": 2},
        "devices": [{"name": f"hall_{n}"}, {"name": f"attic_{n}"}],
        "ddis": [{"number": f"+34{n}", "device": f"hall_{n}", "display_name": "Casa"}],
        "authorized_sources": [{"network": "203.0.113.7"}],
        "rating_plan_id": story.plan_id,
        "opening_balance": "25.50",
        **fields,
    }


async def test_one_call_makes_a_home_that_can_be_billed(story: Story) -> None:
    """A pool number and a new one, two devices with passwords, a source, a plan and the first money."""
    pool = f"+34{next(_numbers)}"
    kept = await story.api.made(story.who, "ddis", {"number": pool, "description": "in the pool"})
    body = home(story)
    body["ddis"].append({"number": pool})
    answer = await story.set_up({**body, "outgoing_number": pool})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    client = made["client"]
    assert [len(device["password"]) >= 10 for device in made["devices"]] == [True, True]
    assert [(d["client_id"], d["target"], d["device_id"]) for d in made["ddis"]] == [
        (client["id"], "device", made["devices"][0]["id"]),
        (client["id"], "none", None),
    ]
    assert made["ddis"][1]["id"] == kept["id"] == client["outgoing_ddi_id"]
    assert made["ddis"][1]["description"] == "in the pool"
    assert made["billing"]["state"] == "done", made["billing"]
    (profile,) = await story.profiles(client["id"])
    assert (profile["id"], profile["rating_plan_id"]) == (made["billing"]["rating_profile_id"], story.plan_id)
    assert await story.balance(client["id"]) == ("25.50", 1)
    assert answer.headers["location"].endswith(f"/client-setups/{made['id']}")


async def test_the_same_request_again_makes_nothing_and_tells_the_same(story: Story) -> None:
    """Passwords included: the first answer may have been lost."""
    body = home(story)
    first = await story.set_up(body, "once")
    again = await story.set_up(body, "once")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert await story.balance(first.json()["client"]["id"]) == ("25.50", 1)
    assert (await story.set_up(home(story), "once")).json()["code"] == "idempotency_key_reused"


async def test_many_at_once_with_one_key_make_one_home(story: Story) -> None:
    """A client that retries by timeout, while the first is still at it."""
    body = home(story)
    answers = await asyncio.gather(*(story.set_up(body, "crowd") for _ in range(6)))
    assert {a.status_code for a in answers} <= {201, 409}
    ids = {a.json()["client"]["id"] for a in answers if a.status_code == 201}
    assert len(ids) == 1
    client_id = ids.pop()
    assert len(await story.profiles(client_id)) == 1
    assert await story.balance(client_id) == ("25.50", 1)


async def test_with_billing_away_no_home_is_made_whose_plan_nobody_checked(story: Story) -> None:
    """Better nothing than a home that could call at no price."""
    before = await row_counts(story.api)
    story.gateway.away = True
    try:
        answer = await story.set_up(home(story), "away")
    finally:
        story.gateway.away = False
    assert (answer.status_code, answer.json()["code"]) == (503, "peer_away")
    assert answer.headers["retry-after"]
    assert await row_counts(story.api) == before
    assert (await story.set_up(home(story), "away")).status_code == 201


PROFILE, MONEY = "/rating-profiles", "/balance/operations"


@pytest.mark.parametrize("step", [PROFILE, MONEY])
@pytest.mark.parametrize("fault", ["refuses", "loses"])
@pytest.mark.parametrize("who_completes", ["the same request", "the worker"])
async def test_what_fails_between_the_services_is_completed_once(
    story: Story, step: str, fault: str, who_completes: str
) -> None:
    """Not arrived, or done and the answer lost: the home stands, says pending, and is completed without
    a second profile or posting. It is also what a kill between provisioning's commit and billing leaves.
    """
    body, key = home(story), f"{step}{fault}{who_completes}".replace(" ", "_")
    faults: set[str] = getattr(story.gateway, fault)
    faults.add(step)
    try:
        first = await story.set_up(body, key)
    finally:
        faults.discard(step)
    assert first.status_code == 201, first.text
    made = first.json()
    assert made["billing"]["state"] == "pending"
    assert "billing answers 50" in made["billing"]["problem"]
    if who_completes == "the worker":
        row = await story.until_done(made["id"])
    else:
        again = (await story.set_up(body, key)).json()
        row = again.pop("billing")
        made.pop("billing")
        assert again == made
    assert (row["state"], row["problem"]) == ("done", None)
    (profile,) = await story.profiles(made["client"]["id"])
    assert profile["id"] == row["rating_profile_id"]
    assert await story.balance(made["client"]["id"]) == ("25.50", 1)


async def test_completed_a_week_later_it_is_still_done_once(story: Story, settings: Settings) -> None:
    """Billing has forgotten the keys of its answers by then; profile and posting themselves tell."""
    made = (await story.set_up(home(story))).json()
    async with story.api.db.transaction(Scope.system()) as tx:
        await tx.execute(
            text("update client_setups set state = 'pending', rating_profile_id = null where id = :id"),
            {"id": made["id"]},
        )
    billing_db = Database(settings, "billing", pool_size=1)
    async with billing_db.transaction(Scope.system()) as tx:
        await tx.execute(text("delete from idempotency_keys"))
    await billing_db.close()
    row = await story.until_done(made["id"])
    assert row["rating_profile_id"] == made["billing"]["rating_profile_id"]
    assert await story.balance(made["client"]["id"]) == ("25.50", 1)
    assert len(await story.profiles(made["client"]["id"])) == 1


async def test_everything_wrong_is_said_at_once_and_nothing_is_made(story: Story) -> None:
    """With the place of each mistake in the request."""
    other = (await story.set_up(home(story))).json()
    body = home(
        story,
        devices=[{"name": other["devices"][0]["name"]}, {"name": "fine", "direct_connectivity": True}],
        ddis=[
            {"number": other["ddis"][0]["number"]},
            {"number": "+33100000000"},
            {"number": "+34944199999", "device": "nobody"},
        ],
        rating_plan_id=other["id"],
    )
    before = await row_counts(story.api)
    answer = await story.set_up(body)
    assert answer.status_code == 422, answer.text
    found = {(e["field"], e["code"]) for e in answer.json()["errors"]}
    assert {
        ("devices.0.name", "taken"),
        ("ddis.0.number", "taken"),
        ("ddis.2.device", "not_found"),
        ("rating_plan_id", "not_found"),
    } <= found
    assert {f.split(".")[0] + f.split(".")[1] for f, _ in found if f.startswith("d")} == {
        "devices0", "devices1", "ddis0", "ddis1", "ddis2",
    }  # fmt: skip
    assert await row_counts(story.api) == before


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"client": {}}, "client.name", "required"),
        ({"client": {"name": "x", "max_calls": -1}}, "client.max_calls", "greater_than_equal"),
        ({"client": {"name": "x", "billing_method": "none"}}, "opening_balance", "not_billed"),
        ({"client": {"name": "x", "currency": "USD"}}, "rating_plan_id", "currency_differs"),
        ({"client": {"name": "x", "more": 1}}, "client.more", "unknown_field"),
        ({"opening_balance": "0"}, "opening_balance", "money_range"),
        ({"opening_balance": 5}, "opening_balance", "money_text"),
        ({"outgoing_number": "+34944000000"}, "outgoing_number", "not_found"),
        ({"activation_time": "tomorrow"}, "activation_time", "datetime_from_date_parsing"),
        ({"devices": [{}]}, "devices.0.name", "required"),
        ({"more": 1}, "more", "unknown_field"),
    ],
)
async def test_bad_input_is_named(story: Story, change: dict[str, Any], field: str, code: str) -> None:
    """Before anything is made."""
    before = await row_counts(story.api)
    answer = await story.set_up(home(story, **change))
    assert answer.status_code == 422, answer.text
    assert (field, code) in {(e["field"], e["code"]) for e in answer.json()["errors"]}
    assert await row_counts(story.api) == before


async def test_a_dry_run_says_what_would_be_and_makes_nothing(story: Story) -> None:
    """No password either: it would never open anything."""
    before = await row_counts(story.api)
    answer = await story.api.post(story.who, "client-setups?dry_run=true", home(story))
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["id"], made["dry_run"], made["billing"]) == (None, True, None)
    assert len(made["devices"]) == 2
    assert "password" not in answer.text
    assert await row_counts(story.api) == before


async def test_only_operators_with_the_rights_set_up_clients(story: Story) -> None:
    """Billing is asked as a service, so nobody may reach through it further than by hand."""
    client = await story.api.client(story.brand)
    other = await story.api.brand()
    narrow = Principal(
        "brand", story.brand["id"], admin_id="9", rights={"clients": "crud", "devices": "crud"}
    )
    story.api.who.known["narrow"] = narrow
    assert (await story.set_up(home(story), who=client["name"])).status_code == 403
    assert (await story.set_up(home(story), who="narrow")).status_code == 403
    theirs = await story.set_up(home(story), who=other["name"])
    assert {(e["field"], e["code"]) for e in theirs.json()["errors"]} == {("rating_plan_id", "not_found")}
    foreign = await story.set_up({**home(story), "brand_id": story.brand["id"]}, who=other["name"])
    assert {(e["field"], e["code"]) for e in foreign.json()["errors"]} == {("client.brand_id", "not_found")}
    made = (await story.set_up(home(story))).json()
    assert (await story.api.get(other["name"], f"client-setups/{made['id']}")).status_code == 404
    assert (await story.api.get(client["name"], f"client-setups/{made['id']}")).status_code == 403


async def test_without_money_billing_has_no_part(story: Story) -> None:
    """A brand without billing sets up clients too."""
    body = home(story)
    for name in ("rating_plan_id", "opening_balance"):
        del body[name]
    made = (
        await story.set_up({**body, "client": {"name": "Casa sin cuenta", "billing_method": "none"}})
    ).json()
    assert (made["billing"]["state"], made["billing"]["attempts"]) == ("done", 0)
