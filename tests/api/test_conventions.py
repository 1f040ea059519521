"""The conventions of contracts section 2, asked of every resource that the OpenAPI documents name.

Nothing here knows a resource by name: what is new is asked by itself. Where a row or a good body cannot be
made, `test_the_walk_knows_every_operation` (test_isolation) says where to put one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.api_bodies import completed, good_body, untaken
from tests.support.api_surface import SERVICES, Operation
from tests.support.api_tenants import Town

PROBLEM = "application/problem+json"
AS_JSON = {"Content-Type": "application/json"}
Faults = dict[str, Any]
per_service = pytest.mark.parametrize("service", SERVICES)

# Lists that are not rows of a table: what they leave out, and why.
LIVE = {"/api/call-control/v1/calls"}  # read from Redis: live rows have no ETag, and no page is ever counted


def http(town: Town) -> httpx.Client:
    """As the platform."""
    return town.people["platform"].http


def lists(town: Town, service: str) -> Iterator[Operation]:
    """Every list, with this tenant's rows only where it can be asked for."""
    return town.surface.collections(service)


def own(town: Town, listing: Operation) -> dict[str, str]:
    """Alpha's rows only: other tests come and go beside."""
    names = {"brand_id": town.alpha.brand.id} if "brand_id" in listing.query_parameters else {}
    return names if town.alpha.owns(listing.below) else {}


def each(operations: Iterator[Operation], ask: Callable[[Operation], Any]) -> Faults:
    """What is wrong with each; empty when all is well."""
    found = {str(operation): ask(operation) for operation in operations}
    return {name: fault for name, fault in found.items() if fault}


def refused(answer: httpx.Response, status: int, *fields: str) -> str:
    """Empty when this is the refusal that was wanted, as problem details that name these fields."""
    if answer.status_code != status or answer.headers.get("content-type") != PROBLEM:
        return f"{answer.status_code} {answer.headers.get('content-type')} {answer.text[:200]}"
    named = {str(error["field"]).split(".")[0] for error in answer.json()["errors"]}
    return "" if set(fields) <= named else f"names {sorted(named)}, not {fields}"


@per_service
def test_lists_refuse_what_they_do_not_know_by_name(town: Town, service: str) -> None:
    """A filter that is silently ignored shows somebody rows that they did not ask for. All at once."""

    def ask(listing: Operation) -> str:
        query = {"colour": "red", "limit": "0", "sort": "colour", "count": "perhaps"}
        return refused(http(town).get(listing.path, params=query), 422, *query)

    assert each(lists(town, service), ask) == {}


@per_service
def test_a_damaged_cursor_is_refused_by_name(town: Town, service: str) -> None:
    """It is input like any other."""

    def ask(listing: Operation) -> str:
        return refused(http(town).get(listing.path, params={"cursor": "AAAA"}), 422, "cursor")

    assert each(lists(town, service), ask) == {}


@per_service
def test_pages_follow_each_other_without_loss(town: Town, service: str) -> None:
    """One row a page gives the same rows, in the same order, as one page of all; `total` counts them."""

    def ask(listing: Operation) -> str:
        query = own(town, listing)
        whole = http(town).get(listing.path, params={**query, "limit": "5", "count": "true"})
        if whole.status_code != 200:
            return whole.text[:300]
        wanted, seen, cursor = whole.json()["items"], [], None
        for _ in wanted:
            step = {**query, "limit": "1", **({"cursor": cursor} if cursor else {})}
            page = http(town).get(listing.path, params=step).json()
            seen += page["items"]
            cursor = page["next_cursor"]
        names = [[row.get("id", row.get("call_id")) for row in rows] for rows in (wanted, seen)]
        counted = whole.json().get("total")
        if counted is None or counted < len(wanted):
            return f"total {counted}, {len(wanted)} rows"
        return "" if names[0] == names[1] else f"{names[0]} is not {names[1]}"

    assert each(lists(town, service), ask) == {}


@per_service
def test_every_documented_order_is_served_both_ways(town: Town, service: str) -> None:
    """The parameter's description names what can be sorted by."""

    def ask(listing: Operation) -> str:
        [about] = [p["description"] for p in listing.spec["parameters"] if p["name"] == "sort"]
        fields = [name.strip(" ;.") for name in about.partition(":")[2].partition(";")[0].split(",")]
        for field in (f for f in fields if f):
            for sort in (field, f"-{field}"):
                answer = http(town).get(listing.path, params={**own(town, listing), "sort": sort})
                if answer.status_code != 200:
                    return f"{sort}: {answer.text[:200]}"
        return "" if fields else "the sort parameter does not say by what"

    assert each(lists(town, service), ask) == {}


@per_service
def test_every_documented_filter_finds_the_row_it_was_taken_from(town: Town, service: str) -> None:
    """Equality and __in by each plain field of a row; __gte with its own value; __lt without it."""

    def ask(listing: Operation) -> list[str]:
        items = http(town).get(listing.path, params={**own(town, listing), "limit": "1"}).json()["items"]
        wrong: list[str] = []
        for parameter in listing.query_parameters if items else ():
            field, _, how = parameter.partition("__")
            value = items[0].get(field)
            if how not in ("", "in", "gte", "lte", "lt", "gt") or not _plain(value):
                continue
            answer = http(town).get(
                listing.path, params={**own(town, listing), parameter: _text(value), "limit": "500"}
            )
            there = answer.status_code == 200 and items[0] in answer.json()["items"]
            if answer.status_code != 200 or there != (how not in ("lt", "gt")):
                wrong.append(f"{parameter}={_text(value)}: {answer.status_code}, found {there}")
        return wrong

    assert each((o for o in lists(town, service) if o.path not in LIVE), ask) == {}


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | bool) and value != "" and "," not in str(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@per_service
def test_every_list_is_also_csv(town: Town, service: str) -> None:
    """Integrators download everything, with the same fields in the same order."""

    def ask(listing: Operation) -> str:
        query = own(town, listing)
        rows = http(town).get(listing.path, params={**query, "limit": "500"}).json()["items"]
        answer = http(town).get(listing.path, params=query, headers={"Accept": "text/csv"})
        if not answer.headers["content-type"].startswith("text/csv"):
            return answer.text[:200]
        read = list(csv.DictReader(io.StringIO(answer.text)))
        if rows and list(read[0]) != list(rows[0]):
            return f"columns {list(read[0])}"
        return "" if len(read) >= min(len(rows), 500) else f"{len(read)} lines for {len(rows)} rows"

    assert each(lists(town, service), ask) == {}


def single(town: Town, service: str, method: str) -> Iterator[Operation]:
    """`<method> collection/{id}` of every collection, where Alpha has a row."""
    for listing in town.surface.collections(service):
        one = town.surface.find(method, f"{listing.path}/{{id}}")
        if one is not None and town.alpha.row(listing.below, service):
            yield one


@per_service
def test_a_row_has_an_etag_and_is_not_sent_twice(town: Town, service: str) -> None:
    """304 for who has it; 404 for an id that nobody has; 422 for what is no id."""

    def ask(one: Operation) -> str:
        path = str(town.alpha.path(one))
        answer = http(town).get(path)
        tag = answer.headers.get("etag", "")
        if not tag:
            return "no ETag"
        if http(town).get(path, headers={"If-None-Match": tag}).status_code != 304:
            return "no 304"
        return refused(http(town).get(one.path.replace("{id}", str(uuid4()))), 404)

    assert each(single(town, service, "GET"), ask) == {}


@per_service
def test_changes_honour_the_version_and_name_everything_wrong(town: Town, service: str) -> None:
    """412 for an old ETag; an unknown field and a wrong one are named together; nothing is changed."""

    def ask(one: Operation) -> list[str]:
        path, wrong = str(town.alpha.path(one)), []
        before = http(town).get(path)
        stale = http(town).patch(path, json={}, headers={"If-Match": '"9999"'})
        wrong.append(refused(stale, 412))
        wrong.append(refused(http(town).patch(path, json={"colour": 1, "shape": 2}), 422, "colour", "shape"))
        wrong.append(refused(http(town).patch(path, content=b"{", headers=AS_JSON), 422))
        idle = http(town).patch(path, json={}, headers={"If-Match": before.headers["etag"]})
        if idle.status_code != 200 or idle.json().get("version") != before.json().get("version"):
            wrong.append(f"an empty patch: {idle.status_code} {idle.text[:200]}")
        return [each for each in wrong if each]

    assert each(single(town, service, "PATCH"), ask) == {}


@per_service
def test_deletions_honour_the_version(town: Town, service: str) -> None:
    """Somebody has changed it since: do not delete what they saw."""

    def ask(one: Operation) -> str:
        return refused(http(town).delete(str(town.alpha.path(one)), headers={"If-Match": '"9999"'}), 412)

    assert each(single(town, service, "DELETE"), ask) == {}


def creations(town: Town, service: str) -> Iterator[Operation]:
    """POST of every collection."""
    for listing in town.surface.collections(service):
        create = town.surface.find("POST", listing.path)
        if create is not None and not create.is_for_edges and create.body():
            yield create


@per_service
def test_a_creation_is_done_once_per_key_and_leaves_a_trail(town: Town, service: str) -> None:
    """201 with Location; the same answer again; 422 for another body; an audit entry; then deleted: 204."""

    def ask(create: Operation) -> list[str]:
        key = {"Idempotency-Key": str(uuid4()), "X-Reason": "conventions"}
        body, made = _made(town, create, key)
        if made.status_code != 201:
            return [made.text[:300]]
        row, wrong = made.json(), []
        again = http(town).post(create.path, json=body, headers=key)
        if again.json() != row or again.headers.get("idempotent-replayed") != "true":
            wrong.append(f"replay: {again.status_code} {again.text[:200]}")
        other = http(town).post(create.path, json={**body, "colour": 1}, headers=key)
        if other.status_code != 422:
            wrong.append(f"other body: {other.status_code}")
        if made.headers.get("location") != f"{create.path}/{row['id']}":
            wrong.append(f"Location {made.headers.get('location')}")
        wrong += _trail(town, create, row)
        if town.surface.find("DELETE", f"{create.path}/{{id}}") is None:
            return wrong
        gone = http(town).delete(f"{create.path}/{row['id']}")
        return [*wrong, *([] if gone.status_code in (204, 409) else [f"delete: {gone.text[:200]}"])]

    assert each(creations(town, service), ask) == {}


def _made(town: Town, create: Operation, headers: dict[str, str]) -> tuple[dict[str, Any], httpx.Response]:
    body = good_body(create, town.alpha.reference)
    for _ in range(4):
        answer = http(town).post(create.path, json=body, headers=headers)
        more = completed(create, body, answer.json(), town.alpha.reference)
        more = more or untaken(create, body, answer.json())
        if answer.status_code == 201 or more is None:
            break
        body = more
    return body, answer


def _trail(town: Town, create: Operation, row: dict[str, Any]) -> list[str]:
    """The audit entry of a creation: who, why, from where, every field, no secret."""
    log = f"/api/{create.service}/v1/audit-log"
    entries = http(town).get(log, params={"entity_id": row["id"], "action": "create"}).json()["items"]
    if len(entries) != 1:
        return [f"{len(entries)} audit entries"]
    [entry] = entries
    told = ("request_id", "username", "reason", "address")
    wrong = [f"audit: no {name}" for name in told if not entry[name]]
    secrets = [str(row[name]) for name in ("key", "password", "secret") if row.get(name)]
    return wrong + [f"audit shows {s[:4]}..." for s in secrets if s in str(entry)]


@per_service
def test_a_creation_names_everything_that_is_wrong_at_once(town: Town, service: str) -> None:
    """People fix a form once, not field by field."""

    def ask(create: Operation) -> str:
        _, schema = create.body() or ("", {})
        needed = schema.get("required", [])
        return refused(http(town).post(create.path, json={"colour": 1, "shape": 2}), 422, "colour", *needed)

    assert each(creations(town, service), ask) == {}
