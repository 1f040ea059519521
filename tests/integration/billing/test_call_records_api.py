"""Call records as people read them, and what other services read of billing."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import msgspec
import pytest_asyncio
from landline.contracts import streams
from landline.contracts.envelope import fields
from landline.kernel.ids import CallId

from tests.support.billing_api import BillingApi
from tests.support.billing_calls import DAY, NOW_MS, Client, corrected, sealed


class Scene:
    """Two clients of one brand and one of another, with calls."""

    def __init__(self, api: BillingApi) -> None:
        self.api = api
        self.one, self.other = Client(), Client()
        self.sister = Client(brand_id=self.one.brand_id)

    async def play(self) -> Scene:
        for client in (self.one, self.other, self.sister):
            await self.api.client(client)
        self.ends = [self.one.ended(60 * n, f"0.{5 + 10 * n}") for n in range(1, 5)]
        missed = self.one.ended(0, "0", tariff=None, direction="inbound", billing_method="prepaid")
        for end in [*self.ends, missed, self.other.ended(), self.sister.ended()]:
            await self.api.redis.xadd(streams.calls(17), fields(sealed(end)))
        async with asyncio.timeout(20):
            while len((await self.api.get("platform", "/call-records", limit=500))["items"]) < 7:
                await asyncio.sleep(0.05)
        return self


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(api: BillingApi) -> Scene:
    """The calls, recorded."""
    return await Scene(api).play()


async def test_a_client_reads_its_own_calls_without_what_concerns_the_operator(scene: Scene) -> None:
    """Cost and carrier are the operator's business; other clients' calls are nobody's."""
    page = await scene.api.get(scene.api.customer(scene.one), "/call-records", count="true")
    assert page["total"] == 5
    assert {record["client_id"] for record in page["items"]} == {scene.one.client_id}
    record = next(r for r in page["items"] if r["duration_s"] == 120)
    assert (record["price"], record["callee"], record["destination"]) == ("0.25", "+34600123123", "Spain")
    assert not {"cost", "carrier_id", "attempts", "price_check", "sip_call_id"} & set(record)


async def test_a_client_without_billing_details_sees_no_price_anywhere(scene: Scene) -> None:
    """show_billing_details false hides every price, in lists, filters, CSV, postings, balance and quotes."""
    api, client = scene.api, scene.other
    await api.client(client, 2, show_billing_details=False)
    who = api.customer(client)
    async with asyncio.timeout(10):
        while "price" in (await api.get(who, "/call-records"))["items"][0]:
            await asyncio.sleep(0.05)
    filtered = await api.call(who, "GET", "/call-records?price__gte=0")
    text = (await api.call(who, "GET", "/call-records", headers={"Accept": "text/csv"})).text
    assert filtered.status_code == 422
    assert "price" not in text.splitlines()[0]
    assert "amount" not in (await api.get(who, "/postings"))["items"][0]
    assert (await api.call(who, "GET", "/rating-profiles")).status_code == 403
    balance = f"/clients/{client.client_id}/balance"
    assert (await api.call(who, "GET", balance)).json()["code"] == "billing_details_hidden"
    assert (await api.call(api.operator(client.brand_id), "GET", balance)).status_code == 200
    body = {"client_id": client.client_id, "number": "+34600123123"}
    assert (await api.call(who, "POST", "/price-quotes", json=body)).status_code == 403
    operator = await api.get(api.operator(client.brand_id), "/call-records")
    assert operator["items"][0]["price"] == "0.15"


async def test_an_operator_sees_its_brand_and_no_other(scene: Scene) -> None:
    """Row-level security under every list."""
    page = await scene.api.get(scene.api.operator(scene.one.brand_id), "/call-records", limit=500)
    assert {r["client_id"] for r in page["items"]} == {scene.one.client_id, scene.sister.client_id}
    foreign = await scene.api.get(
        scene.api.operator(scene.other.brand_id), "/call-records", client_id=scene.one.client_id
    )
    assert foreign["items"] == []


async def test_records_are_filtered_sorted_and_paged(scene: Scene) -> None:
    """A month of calls is read in pages, by what people look for."""
    who = scene.api.operator(scene.one.brand_id)
    paid = {"client_id": scene.one.client_id, "price__gte": "0.25", "sort": "-duration_s"}
    first = await scene.api.get(who, "/call-records", limit=2, **paid)
    second = await scene.api.get(who, "/call-records", limit=2, cursor=first["next_cursor"], **paid)
    assert [r["duration_s"] for r in first["items"] + second["items"]] == [240, 180, 120]
    inbound = await scene.api.get(who, "/call-records", direction="inbound")
    assert [(r["price"], r["cause"]) for r in inbound["items"]] == [(None, "normal")]
    bad = await scene.api.call(who, "GET", "/call-records?duration_s__gte=x&limit=0&nonsense=1")
    assert {e["field"] for e in bad.json()["errors"]} == {"duration_s__gte", "limit", "nonsense"}


async def test_the_whole_list_comes_as_csv(scene: Scene) -> None:
    """What people hand to their accountants."""
    answer = await scene.api.call(
        scene.api.customer(scene.one), "GET", "/call-records?sort=duration_s", headers={"Accept": "text/csv"}
    )
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["duration_s"], r["price"]) for r in lines] == [
        ("0", ""),
        ("60", "0.15"),
        ("120", "0.25"),
        ("180", "0.35"),
        ("240", "0.45"),
    ]


async def test_one_record_is_found_by_its_call_id(scene: Scene) -> None:
    """The id leads to the partition; strange ids are no error of ours."""
    call_id = scene.ends[0].call.call_id
    who = scene.api.customer(scene.one)
    assert (await scene.api.get(who, f"/call-records/{call_id}"))["id"] == call_id
    for strange in (str(CallId.new(17, NOW_MS)), "nonsense", "99-x"):
        assert (await scene.api.call(who, "GET", f"/call-records/{strange}")).status_code == 404
    stranger = scene.api.customer(scene.other)
    assert (await scene.api.call(stranger, "GET", f"/call-records/{call_id}")).status_code == 404


async def test_reconcile_gets_balance_sequence_days_and_what_was_posted(scene: Scene) -> None:
    """call-control compares its counters with this; a wrong day would show drift where there is none."""
    api, client = scene.api, await scene.api.client(Client())
    end = client.ended()
    fix = corrected(end, 180, "0.35")
    for event in (end, fix):
        await api.redis.xadd(streams.calls(17), fields(sealed(event)))
    item: dict[str, Any] = {}
    async with asyncio.timeout(10):
        while item.get("sequence") != 2:
            answer = await api.call("system", "GET", f"/internal/reconcile?client_ids={client.client_id}")
            item = next(iter(answer.json()["items"]), {})
            await asyncio.sleep(0.05)
    assert (item["balance_micros"], item["days"]) == (-350_000, {DAY: 350_000})
    page = (await api.get("system", "/internal/postings", client_id=client.client_id, after=1))["items"]
    assert [(p["sequence"], p["amount_micros"], p["operation_id"]) for p in page] == [
        (2, -200_000, fix.correction_id)
    ]
    assert (await api.call("platform", "GET", "/internal/reconcile?client_ids=x")).status_code == 403


async def test_the_snapshot_is_whole_and_says_where_the_streams_stood(scene: Scene) -> None:
    """A read model built from nothing needs every balance, and the place from which to follow on."""
    deck = await scene.api.post(
        "platform", "/rate-decks", {"brand_id": scene.one.brand_id, "name": "d", "currency": "EUR"}
    )
    answer = await scene.api.call("system", "GET", "/internal/snapshot")
    lines = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    head, rows, last = lines[0], lines[1:-1], lines[-1]
    assert "-" in head["position"]
    assert "-" in head["ledger_position"]
    assert last == {"complete": True, "rows": len(rows)}
    decks = {r["entity_id"]: r for r in rows if r.get("entity") == "deck"}
    assert decks[deck["id"]]["data"]["version"] == 1
    balances = {r["client_id"]: r for r in rows if "settled_micros" in r}
    assert balances[scene.one.client_id]["settled_micros"] == -1_200_000
    assert balances[scene.one.client_id]["applied_seq"] == 4


async def test_a_client_never_reads_who_withheld_its_number(scene: Scene) -> None:
    """Neither of a call that came in, nor of the leg it was forwarded on; the operator does, and filters."""
    api, home = scene.api, Client()
    await api.client(home)
    hidden: dict[str, Any] = {"caller": "+34911222333", "withheld": True}
    came = home.ended(60, "0", tariff=None, direction="inbound", **hidden)
    went = home.ended(60, parent_call_id=came.call.call_id, **hidden)
    own = home.ended(60, withheld=True, on_net=True)
    for end in (came, went, own):
        await api.redis.xadd(streams.calls(17), fields(sealed(end)))
    customer, operator = api.customer(home), api.operator(home.brand_id)
    async with asyncio.timeout(20):
        while len((await api.get(operator, "/call-records"))["items"]) < 3:
            await asyncio.sleep(0.05)
    mine = {record["id"]: record for record in (await api.get(customer, "/call-records"))["items"]}
    assert "911222333" not in str(mine)
    assert [mine[each.call.call_id]["caller"] for each in (came, went, own)] == [
        "anonymous",
        "anonymous",
        "+34944048182",
    ]
    assert mine[went.call.call_id]["parent_call_id"] == came.call.call_id
    found = await api.get(operator, "/call-records", withheld_caller="+34911222333")
    assert {record["id"] for record in found["items"]} == {came.call.call_id, went.call.call_id}
    [on_net] = (await api.get(operator, "/call-records", on_net="true"))["items"]
    assert on_net["cost"] == "0.00"
