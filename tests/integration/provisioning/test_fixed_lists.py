"""Countries, currencies, time zones, languages: asked as every other list is."""

from __future__ import annotations

import csv
import io

import pytest

from tests.support.provisioning_api import Api


@pytest.mark.parametrize(
    ("name", "some"),
    [("countries", "ES"), ("currencies", "EUR"), ("timezones", "Europe/Madrid"), ("languages", "es")],
)
async def test_fixed_lists_are_there_for_everybody_who_is_known(api: Api, name: str, some: str) -> None:
    """For the choices of a form."""
    brand = await api.brand()
    answer = await api.get(brand["name"], name)
    assert some in {item["code"] for item in answer.json()["items"]}
    assert (await api.get("nobody", name)).status_code == 401


@pytest.mark.parametrize("sort", ["code", "-code", "name", "-name"])
async def test_pages_of_a_fixed_list_tell_every_row_once(api: Api, sort: str) -> None:
    """In the asked order, whatever the size of a page."""
    whole = (await api.get("platform", "countries", params={"sort": sort})).json()
    assert whole["next_cursor"] is None
    told: list[dict[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (
            await api.get("platform", "countries", params={"sort": sort, "limit": "100", **cursor})
        ).json()
        told += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert told == whole["items"]
    key = sort.removeprefix("-")
    assert [row[key] for row in told] == sorted((row[key] for row in told), reverse=sort[0] == "-")


async def test_a_fixed_list_is_filtered_and_counted(api: Api) -> None:
    """A form that looks while somebody types."""
    asked = {"name__contains": "guin", "count": "true", "limit": "1"}
    found = (await api.get("platform", "countries", params=asked)).json()
    assert (found["total"], found["items"][0]["code"]) == (4, "GN")
    some = (await api.get("platform", "currencies", params={"code__in": "EUR,USD,XXX"})).json()
    assert [row["code"] for row in some["items"]] == ["EUR", "USD"]


async def test_a_fixed_list_as_csv(api: Api) -> None:
    """For a sheet."""
    answer = await api.get("platform", "currencies", params={"code": "EUR"}, headers={"Accept": "text/csv"})
    assert list(csv.DictReader(io.StringIO(answer.text))) == [
        {"code": "EUR", "name": "Euro", "symbol": "€", "decimals": "2"}
    ]


async def test_what_a_fixed_list_is_asked_wrongly_is_named_all_at_once(api: Api) -> None:
    """A misspelt filter must not look like an answer."""
    asked = {"limit": "0", "cursor": "nowhere", "sort": "size", "count": "yes", "continent": "EU"}
    refused = await api.get("platform", "countries", params=asked)
    assert refused.status_code == 422
    assert {e["field"] for e in refused.json()["errors"]} == asked.keys()
