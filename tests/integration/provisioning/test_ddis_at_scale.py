"""DDIs by the range and by the sheet, given and taken back by the list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from landline.chassis.postgres import Database, Scope
from landline.chassis.settings import Settings
from landline.contracts.envelope import unseal
from provisioning.consumers import import_ddis
from provisioning.consumers.import_ddis import Imports, Job, run_imports
from provisioning.domain import ddi_sheet
from provisioning.domain.ddi_sheet import LineError, Sheet
from sqlalchemy import text

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import REGISTRY, Api

Row = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worker(settings: Settings) -> AsyncIterator[Database]:
    """The background work, as `provisioning consume` runs it."""
    db, stop = Database(settings, "provisioning", pool_size=3), asyncio.Event()
    running = asyncio.create_task(run_imports(db, REGISTRY, settings, stop))
    yield db
    stop.set()
    await running
    await db.close()


async def imported(api: Api, who: str, sheet: str, **form: str) -> Row:
    """Send a sheet and wait for its job to end."""
    files = {"file": ("numbers.csv", sheet.encode(), "text/csv")}
    answer = await api.call(who, "POST", "ddis/import", files=files, data=form)
    assert answer.status_code == 202, answer.text
    job: Row = answer.json()
    assert answer.headers["location"].endswith(f"jobs/{job['id']}")
    async with asyncio.timeout(20):
        while job["state"] in ("queued", "running"):
            await asyncio.sleep(0.02)
            job = (await api.get(who, f"jobs/{job['id']}")).json()
    return job


def told(job: Row) -> list[tuple[int, str, str]]:
    return [(e["line"], e["field"], e["code"]) for e in job["errors"]]


async def numbers_of(api: Api, who: str, query: str = "") -> list[str]:
    answer = await api.get(who, f"ddis?limit=500&sort=number{query}")
    return [row["number"] for row in answer.json()["items"]]


async def test_a_range_is_made_with_audit_and_events(api: Api) -> None:
    """As if each had been made alone: readers and auditors must not see a difference."""
    brand = await api.brand()
    client = await api.client(brand)
    body = {"first": "+34944100000", "count": 30, "client_id": client["id"], "description": "block"}
    answer = await api.post(brand["name"], "ddis/bulk", body)
    assert (answer.status_code, answer.json()) == (
        201,
        {"created": 30, "first": "+34944100000", "last": "+34944100029"},
    )
    rows = (await api.get(client["name"], "ddis?limit=500")).json()["items"]
    alone = await api.made(
        brand["name"], "ddis", {"number": "+34944100030", "client_id": client["id"], "description": "block"}
    )
    differing = {"id", "number", "created_at", "updated_at", "ddi_provider_id"}
    kept = {k: v for k, v in alone.items() if k not in differing}
    assert len(rows) == 30
    assert all({k: v for k, v in row.items() if k not in differing} == kept for row in rows)
    audit = (await api.get(brand["name"], "audit-log?resource=ddis&action=create&limit=500")).json()["items"]
    entries = {e["entity_id"]: e["changes"] for e in audit}
    assert set(entries) == {r["id"] for r in rows} | {alone["id"]}
    assert set(entries[rows[0]["id"]]) == set(entries[alone["id"]])
    assert entries[rows[0]["id"]]["number"] == {"before": None, "after": rows[0]["number"]}
    async with api.db.transaction(Scope.system()) as tx:
        events = [unseal(e) for e in (await tx.execute(text("select event from outbox"))).scalars()]
    mine = [e for e in events if e.client_id == client["id"] and e.type == "ddi.changed.v1"]
    assert len(mine) == 31
    assert {e.brand_id for e in mine} == {brand["id"]}


async def test_a_range_is_made_whole_or_not_at_all(api: Api) -> None:
    """Numbers of another brand count too, and whose they are is not told."""
    brand, other = await api.brand(), await api.brand()
    await api.made(other["name"], "ddis", {"number": "+34944110005"})
    answer = await api.post(brand["name"], "ddis/bulk", {"first": "+34944110000", "count": 10})
    assert (answer.status_code, answer.json()["code"]) == (409, "number_taken")
    assert [e["message"] for e in answer.json()["errors"]] == ["+34944110005"]
    assert other["id"] not in answer.text
    assert await numbers_of(api, brand["name"]) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"first": "+34944120000", "count": 10_001}, [("count", "less_than_equal")]),
        ({"first": "+34899999999", "count": 2}, [("first", "unusual_number")]),
        ({"first": "+34944120000", "count": 2, "number": "+34944120000"}, [("number", "unknown_field")]),
        ({"first": "+34944120000", "count": 2, "state": "ported_out"}, [("state", "not_a_first_state")]),
        ({"first": "+34944120000", "count": 2, "record": "all"}, [("record", "feature_not_in_client")]),
        ({"first": "+34944120000", "count": 2, "client_id": str(uuid4())}, [("client_id", "not_found")]),
        ({"first": "+12125550100", "count": 2}, [("first", "not_in_country")]),
    ],
)
async def test_a_range_obeys_the_rules_of_one_number(
    api: Api, body: Row, expected: list[tuple[str, str]]
) -> None:
    """A way in bulk round a rule would be the way everybody takes."""
    brand = await api.brand()
    assert refused(await api.post(brand["name"], "ddis/bulk", body)) == expected


async def test_lists_of_numbers_are_given_and_taken_back(api: Api) -> None:
    """All or none; the place in the list is named, and a number somewhere else is not found."""
    brand, other = await api.brand(), await api.brand()
    client, second = await api.client(brand), await api.client(brand)
    who = brand["name"]
    await api.post(who, "ddis/bulk", {"first": "+34944130000", "count": 5})
    foreign = await api.made(other["name"], "ddis", {"number": "+34944130009"})
    pool = (await api.get(who, "ddis?sort=number&client_id__isnull=true")).json()["items"]
    ids = [row["id"] for row in pool]
    assert len(ids) == 5
    body = {"client_id": client["id"], "ddi_ids": [ids[0], foreign["id"]]}
    assert refused(await api.post(who, "ddis/bulk-assign", body)) == [("ddi_ids.1", "not_found")]
    assert await numbers_of(api, client["name"]) == []
    given = await api.post(who, "ddis/bulk-assign", {"client_id": client["id"], "ddi_ids": ids})
    assert (given.status_code, given.json()) == (200, {"changed": 5})
    assert len(await numbers_of(api, client["name"])) == 5
    moved = await api.post(who, "ddis/bulk-assign", {"client_id": second["id"], "ddi_ids": ids[:2]})
    assert refused(moved) == [("ddi_ids.0", "unlink_first"), ("ddi_ids.1", "unlink_first")]
    mine = await api.post(client["name"], "ddis/bulk-unlink", {"ddi_ids": ids[:1]})
    assert mine.status_code == 403
    back = await api.post(who, "ddis/bulk-unlink", {"ddi_ids": ids[:2]})
    assert back.json() == {"changed": 2}
    assert len(await numbers_of(api, who, "&client_id__isnull=true")) == 2


async def test_a_number_goes_through_its_states(api: Api) -> None:
    """Ported in, active, ported out; it comes back only by porting in."""
    brand = await api.brand()
    client = await api.client(brand)
    ddi = await api.made(brand["name"], "ddis", {"number": "+34944140000", "state": "porting_in"})
    path = f"ddis/{ddi['id']}"
    for state, status in (
        ("ported_out", 422), ("active", 200), ("porting_in", 422), ("ported_out", 200), ("active", 422),
    ):  # fmt: skip
        assert (await api.patch(brand["name"], path, {"state": state})).status_code == status, state
    given = await api.patch(brand["name"], path, {"client_id": client["id"]})
    assert refused(given) == [("client_id", "not_to_give")]


async def test_a_sheet_is_taken_in_with_names_looked_up(api: Api, worker: Database) -> None:
    """Clients, providers and devices by name or id, as an operator's spreadsheet has them."""
    brand = await api.brand()
    client = await api.client(brand, country="PT")
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "phone"})
    provider = await api.made(brand["name"], "ddi-providers", {"name": "Telco"})
    sheet = (
        "number,client,ddi_provider,device,state,unusual_number\n"
        f"+34 944 200 001,,Telco,,porting_in,\n+351211234567,{client['name']},{provider['id']},phone,,\n"
        "+34100200002,,,,,yes\n"
    )
    job = await imported(api, brand["name"], sheet)
    assert (job["state"], job["rows_done"], job["rows_total"], job["errors"]) == ("done", 3, 3, [])
    assert job["result"] == {"lines": 3, "created": 3}
    rows = {r["number"]: r for r in (await api.get(brand["name"], "ddis")).json()["items"]}
    lisbon = rows["+351211234567"]
    assert (lisbon["country"], lisbon["client_id"], lisbon["target"]) == ("PT", client["id"], "device")
    assert (lisbon["device_id"], lisbon["ddi_provider_id"]) == (device["id"], provider["id"])
    assert rows["+34944200001"]["state"] == "porting_in"
    audit = (await api.get(brand["name"], f"audit-log?entity_id={lisbon['id']}")).json()["items"]
    assert [(e["username"], e["level"]) for e in audit] == [("operator", "brand")]


BAD = (
    "number,client,device,state,kind\n"
    "+34944210001,,,,\n"
    "nonsense,,,,\n"
    "+34944210002,nobody,,,\n"
    "+34944210003,,phone,,\n"
    "+34944210004,,,lost,\n"
    "+34944210001,,,,\n"
    "+34100210006,,,,\n"
    "+34944219999,,,,\n"
    "+34944210005,,,,out\n"
)
FAULTS = [
    (3, "number", "e164"),
    (4, "client", "not_found"),
    (5, "device", "not_found"),
    (6, "state", "literal_error"),
    (7, "number", "repeated"),
    (8, "number", "unusual_number"),
    (9, "number", "taken"),
]


async def test_bad_lines_are_told_and_nothing_or_the_rest_is_taken_in(
    api: Api, worker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator chooses; either way every bad line is named, over the bounds of chunks."""
    monkeypatch.setattr(import_ddis, "LINES_AT_ONCE", 4)
    brand, other = await api.brand(), await api.brand()
    await api.made(other["name"], "ddis", {"number": "+34944219999"})
    nothing = await imported(api, brand["name"], BAD)
    assert (nothing["state"], nothing["error_count"], nothing["rows_done"]) == ("failed", 7, 0)
    assert told(nothing) == FAULTS
    assert await numbers_of(api, brand["name"]) == []
    rest = await imported(api, brand["name"], BAD, on_error="skip")
    assert (rest["state"], rest["result"]) == ("done", {"lines": 9, "created": 2})
    assert told(rest) == FAULTS
    assert await numbers_of(api, brand["name"]) == ["+34944210001", "+34944210005"]
    empty = await imported(api, brand["name"], "number\n")
    assert (empty["state"], told(empty)) == ("failed", [(1, "file", "empty")])


_QUEUED = text(
    "insert into jobs (id, brand_id, version, created_at, updated_at, kind, state, rows_done, error_count,"
    " errors, options) values (:id, :brand_id, 1, now(), now(), 'by hand', 'queued', 0, 0, '[]', '{}')"
)


class KilledAfter(Imports):
    """A worker that is killed when it has taken in one chunk."""

    async def _chunk(self, tx: Any, job: Job, reader: Any, chunk: Any) -> None:
        if job.done:
            raise ConnectionResetError("killed")
        await super()._chunk(tx, job, reader, chunk)


async def test_a_job_that_a_worker_left_is_finished_by_the_next(
    api: Api, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two chunks: what was taken in stays, and is not reported as taken by somebody else."""
    monkeypatch.setattr(import_ddis, "LINES_AT_ONCE", 2)
    brand, db = await api.brand(), Database(settings, "provisioning", pool_size=3)
    sheet = "number\n" + "".join(f"+3494422000{n}\n" for n in range(5))
    by = dict.fromkeys(("admin_id", "impersonator_id", "address", "reason"))
    options = {"on_error": "skip", "by": {**by, "level": "brand", "username": "op", "request_id": "r"}}
    job = Job(uuid4(), UUID(brand["id"]), "ES", options)
    async with db.transaction(Scope.system()) as tx:
        await tx.execute(_QUEUED, {"id": job.id, "brand_id": job.brand_id})
        put = text("insert into job_inputs values (:id, :brand_id, :body)")
        await tx.execute(put, {"id": job.id, "brand_id": job.brand_id, "body": sheet.encode()})
    with pytest.raises(ConnectionResetError):
        await KilledAfter(db, REGISTRY, settings).run(job)
    assert len(await numbers_of(api, brand["name"])) == 2
    stood = (await api.get(brand["name"], f"jobs/{job.id}")).json()
    assert (stood["state"], stood["rows_done"], stood["result"]["created"]) == ("running", 2, 2)
    left = Job(job.id, job.brand_id, "ES", options, done=2, created=2)
    await Imports(db, REGISTRY, settings).run(left)
    ended = (await api.get(brand["name"], f"jobs/{job.id}")).json()
    assert (ended["state"], ended["result"], ended["errors"]) == ("done", {"lines": 5, "created": 5}, [])
    await db.close()


async def test_a_job_that_cannot_be_told_ends_and_the_queue_goes_on(
    api: Api, worker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with one sheet may not be storable; it must not come back for ever, before all others."""
    brand, read = await api.brand(), ddi_sheet.read_sheet

    def unstorable(body: bytes) -> Sheet:
        poisoned = Sheet(errors=[LineError(1, "nul \x00", "unknown_column", "no column of jsonb takes it")])
        return poisoned if b"poison" in body else read(body)

    monkeypatch.setattr(import_ddis, "read_sheet", unstorable)
    poison = await imported(api, brand["name"], "poison\n")
    assert (poison["state"], told(poison)) == ("failed", [(0, "file", "failed")])
    assert (await imported(api, brand["name"], "number\n+34944240001\n"))["state"] == "done"


async def test_who_may_import_for_whom(api: Api, worker: Database) -> None:
    """A brand for itself, the platform for the brand that it names, a client not at all."""
    brand, other = await api.brand(), await api.brand()
    client = await api.client(brand)
    files = {"file": ("n.csv", b"number\n+34944230001\n", "text/csv")}
    cases: tuple[tuple[str, dict[str, str], int], ...] = (
        ("platform", {}, 422),
        ("platform", {"brand_id": str(uuid4())}, 422),
        (brand["name"], {"brand_id": other["id"]}, 422),
        (brand["name"], {"on_error": "guess"}, 422),
        (client["name"], {}, 403),
    )
    for who, form, status in cases:
        answer = await api.call(who, "POST", "ddis/import", files=files, data=form)
        assert answer.status_code == status, (who, form, answer.text)
    job = await imported(api, "platform", "number\n+34944230002\n", brand_id=brand["id"])
    assert (job["brand_id"], job["state"]) == (brand["id"], "done")
    assert (await api.get(other["name"], f"jobs/{job['id']}")).status_code == 404
    head = {"Idempotency-Key": str(uuid4())}
    sent = [api.call(brand["name"], "POST", "ddis/import", files=files, headers=head) for _ in range(2)]
    first, again = [await each for each in sent]
    assert (first.json()["id"], again.headers["idempotent-replayed"]) == (again.json()["id"], "true")
