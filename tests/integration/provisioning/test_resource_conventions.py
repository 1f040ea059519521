"""The conventions of contracts section 2, shown on clients; every resource has them from the kit."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.support.provisioning_api import BASE, Api


def errors(answer: Any) -> set[tuple[str, str]]:
    """The (field, code) pairs of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return {(e["field"], e["code"]) for e in answer.json()["errors"]}


async def test_pages_are_stable_while_rows_come_and_go(api: Api) -> None:
    """With offsets an insert before the page would repeat a row and a delete would hide one."""
    brand = await api.brand()
    names = [f"n{i:02}" for i in range(10)]
    made = {name: await api.client(brand, name=name) for name in names}
    first = (await api.get(brand["name"], "clients?limit=4&sort=-name&count=true")).json()
    assert [r["name"] for r in first["items"]] == ["n09", "n08", "n07", "n06"]
    assert first["total"] == 10
    await api.client(brand, name="n99")
    await api.delete(brand["name"], f"clients/{made['n08']['id']}")
    seen, cursor = [r["name"] for r in first["items"]], first["next_cursor"]
    while cursor:
        page = (await api.get(brand["name"], f"clients?limit=4&sort=-name&cursor={cursor}")).json()
        seen += [r["name"] for r in page["items"]]
        cursor = page["next_cursor"]
    assert seen == sorted(names, reverse=True)


async def test_rows_of_one_moment_are_paged_without_loss(api: Api) -> None:
    """Equal sort values need the id as last key, or a page boundary among them loses rows."""
    brand = await api.brand()
    for i in range(7):
        await api.client(brand, name=f"same{i}", max_calls=5)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(brand["name"], f"clients?limit=2&sort=max_calls,-name{cursor}")).json()
        seen += [r["name"] for r in page["items"]]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"same{i}" for i in reversed(range(7))]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=alpha", ["alpha"]),
        ("name__contains=LPH", ["alpha"]),
        ("name__contains=%25", ["50%"]),
        ("name__in=alpha,beta", ["alpha", "beta"]),
        ("max_calls__gte=5", ["beta"]),
        ("max_calls__gt=5", []),
        ("max_daily_usage__lt=10.01", ["alpha"]),
        ("max_daily_usage__isnull=true", ["50%", "beta"]),
        ("features=faxes", ["beta"]),
        ("ip_filter=true", []),
        ("created_at__gte=2020-01-01T00:00:00Z", ["50%", "alpha", "beta"]),
        ("created_at__lt=2020-01-01T00:00:00Z", []),
    ],
)
async def test_lists_are_filtered(api: Api, query: str, found: list[str]) -> None:
    """Each operation on each kind of column."""
    brand = await api.brand()
    await api.client(brand, name="alpha", max_daily_usage="10.00")
    await api.client(brand, name="beta", max_calls=5, features=["faxes"])
    await api.client(brand, name="50%")
    answer = await api.get(brand["name"], f"clients?sort=name&{query}")
    assert [r["name"] for r in answer.json()["items"]] == found, answer.text


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("colour=red", "colour", "unknown_filter"),
        ("name__gte=a", "name__gte", "unknown_filter"),
        ("name__regex=a", "name__regex", "unknown_filter"),
        ("max_calls=many", "max_calls", "invalid_value"),
        ("max_calls=99999999999", "max_calls", "invalid_value"),
        ("max_calls=" + "9" * 5000, "max_calls", "invalid_value"),
        ("max_daily_usage__gte=1e5", "max_daily_usage__gte", "invalid_value"),
        ("max_calls=--5", "max_calls", "invalid_value"),
        ("max_calls=%C2%B2", "max_calls", "invalid_value"),
        ("name__in=" + ",".join("abc" for _ in range(201)), "name__in", "invalid_value"),
        ("id=nonsense", "id", "invalid_value"),
        ("created_at__gt=yesterday", "created_at__gt", "invalid_value"),
        ("created_at__gt=2020-01-01", "created_at__gt", "invalid_value"),
        ("ip_filter=maybe", "ip_filter", "invalid_value"),
        ("name=%00", "name", "invalid_value"),
        ("name__in=" + "a," * 200, "name__in", "invalid_value"),
        ("sort=invoice_data", "sort", "unknown_sort"),
        ("sort=", "sort", "unknown_sort"),
        ("sort=name,max_calls,created_at,updated_at,id,-name", "sort", "too_many"),
        ("limit=0", "limit", "invalid_value"),
        ("limit=501", "limit", "invalid_value"),
        ("limit=%C2%B2", "limit", "invalid_value"),
        ("cursor=AAAA", "cursor", "invalid_cursor"),
        ("cursor=WyJuYW1lIl0", "cursor", "invalid_cursor"),
        ("count=yes", "count", "invalid_value"),
        ("limit=5&limit=6", "limit", "repeated"),
    ],
)
async def test_a_bad_query_names_its_parameter(api: Api, query: str, field: str, code: str) -> None:
    """A filter that is silently ignored shows somebody rows that they did not ask for."""
    answer = await api.get("platform", f"clients?{query}")
    assert answer.status_code == 422, answer.text
    assert errors(answer) == {(field, code)}


async def test_csv_holds_the_whole_filtered_list(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one page of it: integrators download everything, in reads of 1,000."""
    from landline.chassis.resources import csv_export

    monkeypatch.setattr(csv_export, "ROWS_PER_READ", 3)
    brand = await api.brand()
    for i in range(8):
        await api.client(brand, name=f'c{i},"x"', max_daily_usage="1.50")
    await api.client(brand, name="other")
    await api.client(brand, name="=HYPERLINK(1)")
    answer = await api.get(
        brand["name"], "clients?limit=2&sort=name&name__contains=x", headers={"Accept": "text/csv"}
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert [r["name"] for r in rows] == [f'c{i},"x"' for i in range(8)]
    assert (rows[0]["max_daily_usage"], rows[0]["daily_usage_alerts"], rows[0]["ip_filter"]) == (
        "1.50",
        "80;100",
        "false",
    )
    formula = await api.get(brand["name"], "clients?name__contains=HYPER", headers={"Accept": "text/csv"})
    assert [r["name"] for r in csv.DictReader(io.StringIO(formula.text))] == ["'=HYPERLINK(1)"]


async def test_an_etag_guards_against_lost_updates(api: Api) -> None:
    """Two people edit the same client: the second must hear of it instead of undoing the first."""
    brand = await api.brand()
    made = await api.post(brand["name"], "clients", {"name": "c"})
    assert made.headers["location"] == f"{BASE}/clients/{made.json()['id']}"
    path, tag = f"clients/{made.json()['id']}", made.headers["etag"]
    assert (await api.get(brand["name"], path)).headers["etag"] == tag == '"1"'
    assert (await api.get(brand["name"], path, headers={"If-None-Match": tag})).status_code == 304
    first = await api.patch(brand["name"], path, {"max_calls": 3}, headers={"If-Match": tag})
    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    second = await api.patch(brand["name"], path, {"max_calls": 9}, headers={"If-Match": tag})
    assert (second.status_code, second.json()["code"]) == (412, "version_mismatch")
    assert (await api.delete(brand["name"], path, headers={"If-Match": tag})).status_code == 412
    assert (await api.get(brand["name"], path)).json()["max_calls"] == 3
    assert (await api.delete(brand["name"], path, headers={"If-Match": '"2"'})).status_code == 204


async def test_merge_patch_tells_null_from_absent(api: Api) -> None:
    """RFC 7396: null clears, absent leaves, an object is merged member by member."""
    brand = await api.brand()
    client = await api.client(brand, max_daily_usage="5.00", invoice_data={"town": "Bilbao", "tax_id": "B1"})
    path = f"clients/{client['id']}"
    changed = (
        await api.patch(brand["name"], path, {"invoice_data": {"tax_id": None, "address": "Gran Via 1"}})
    ).json()
    assert changed["max_daily_usage"] == "5.00"
    assert (
        changed["invoice_data"] | {"town": "Bilbao", "address": "Gran Via 1", "tax_id": None}
        == changed["invoice_data"]
    )
    cleared = (await api.patch(brand["name"], path, {"max_daily_usage": None})).json()
    assert cleared["max_daily_usage"] is None
    refused = await api.patch(brand["name"], path, {"max_calls": None, "name": None})
    assert {f for f, _ in errors(refused)} == {"max_calls", "name"}


async def test_a_patch_that_changes_nothing_writes_nothing(api: Api) -> None:
    """Else every idle save would wake all consumers."""
    brand = await api.brand()
    client = await api.client(brand, max_daily_usage="5.00")
    same = {k: client[k] for k in ("name", "max_calls", "max_daily_usage", "features", "daily_usage_alerts")}
    answer = await api.patch(brand["name"], f"clients/{client['id']}", same)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


async def test_all_field_errors_come_at_once(api: Api) -> None:
    """People fix a form once, not field by field."""
    brand = await api.brand()
    body = {
        "name": "",
        "billing_method": "barter",
        "max_calls": -1,
        "max_daily_usage": "1.234",
        "currency": "euro",
        "timezone": "Mars/Olympus",
        "geoip_countries": ["ES", "XX"],
        "daily_usage_emails": ["a@example.net", "b"],
        "daily_usage_alerts": [0],
        "colour": "red",
        "invoice_data": {"planet": "Mars"},
    }
    answer = await api.post(brand["name"], "clients", body)
    assert answer.status_code == 422
    assert {f for f, _ in errors(answer)} == {
        "name",
        "billing_method",
        "max_calls",
        "max_daily_usage",
        "currency",
        "timezone",
        "geoip_countries.1",
        "daily_usage_emails.1",
        "daily_usage_alerts.0",
        "colour",
        "invoice_data.planet",
    }
    assert ("colour", "unknown_field") in errors(answer)


BIG = "x" * 10_000
BAD_FIELDS: list[tuple[str, Any]] = [
    ("name", BIG),
    ("name", 7),
    ("name", None),
    ("name", ["a"]),
    ("name", "a\x00b"),
    ("name", "line\nbreak"),
    ("name", " blank "),
    ("max_calls", "2"),
    ("max_calls", 1.5),
    ("max_calls", 10**30),
    ("max_calls", True),
    ("max_daily_usage", 10),
    ("max_daily_usage", 10.5),
    ("max_daily_usage", "10.001"),
    ("max_daily_usage", "-1"),
    ("max_daily_usage", "1000000.00"),
    ("max_daily_usage", "1e3"),
    ("max_daily_usage", "NaN"),
    ("max_daily_usage", BIG),
    ("max_daily_usage", "٣"),
    ("credit_limit", "99999999999999999999"),
    ("features", "faxes"),
    ("features", ["faxes", "faxes"]),
    ("ip_filter", "yes"),
    ("outgoing_ddi_id", "nonsense"),
    ("country", "es"),
    ("daily_usage_emails", ["a@b"] * 30),
    ("invoice_data", []),
    ("invoice_data", {"town": BIG}),
    ("x" * 10_000, 1),
    ("__class__", 1),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS, ids=lambda v: repr(v)[:30])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_bad_value_is_refused_by_name_and_not_echoed(
    api: Api, method: str, field: str, value: Any
) -> None:
    """A 500 is a bug of ours; an echo of 10 kB or of a secret is another."""
    brand = await api.brand()
    client = await api.client(brand)
    path = "clients" if method == "POST" else f"clients/{client['id']}"
    body = {"name": "fine", field: value} if method == "POST" else {field: value}
    answer = await api.call(brand["name"], method, path, json=body)
    assert answer.status_code == 422, answer.text
    assert {f.split(".")[0] for f, _ in errors(answer)} == {field[:100]}
    assert len(answer.text) < 2_000
    assert (await api.get(brand["name"], "clients?name=fine")).json()["items"] == []


BAD_BODIES: list[tuple[bytes, str, int]] = [
    (b'{"name": "a"', "application/json", 422),
    (b"", "application/json", 422),
    (b"[]", "application/json", 422),
    (b"null", "application/json", 422),
    (b'"text"', "application/json", 422),
    (b'{"name": "\xff\xfe"}', "application/json", 422),
    (b'{"name": "\\ud800"}', "application/json", 422),
    (b'{"name": "a", "\\ud800": 1}', "application/json", 422),
    (b'{"name": "a", "max_calls": ' + b"9" * 5000 + b"}", "application/json", 422),
    (b'{"name": "a", "max_calls": NaN}', "application/json", 422),
    (b"[" * 100_000, "application/json", 422),
    (b'{"name": "a"}', "text/plain", 415),
    (b"name=a", "application/x-www-form-urlencoded", 415),
    (b'{"name": "' + b"a" * 1024 * 1024 + b'"}', "application/json", 413),
]


@pytest.mark.parametrize(("body", "kind", "status"), BAD_BODIES, ids=lambda v: repr(v)[:25])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_an_unreadable_body_is_no_error_of_ours(
    api: Api, method: str, body: bytes, kind: str, status: int
) -> None:
    """Malformed JSON, bad UTF-8, deep nesting, another content type, more than 1 MiB."""
    brand = await api.brand()
    path = "clients" if method == "POST" else f"clients/{(await api.client(brand))['id']}"
    answer = await api.call(brand["name"], method, path, content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_name_is_taken_once_per_brand(api: Api) -> None:
    """Conflicts name the field; another brand may use the same name."""
    one, other = await api.brand(), await api.brand()
    await api.client(one, name="Casa")
    await api.client(other, name="Casa")
    answer = await api.post(one["name"], "clients", {"name": "Casa"})
    assert (answer.status_code, answer.json()["code"], errors(answer)) == (
        409,
        "name_taken",
        {("name", "taken")},
    )


async def test_deleting_lists_what_still_needs_the_row(api: Api) -> None:
    """A bare 409 would leave people searching."""
    brand = await api.brand()
    client = await api.client(brand)
    device = await api.made(brand["name"], "devices", {"client_id": client["id"], "name": "phone"})
    answer = await api.delete(brand["name"], f"clients/{client['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "still_needed")
    assert answer.json()["needed_by"] == [
        {"resource": "devices", "field": "client_id", "count": 1, "ids": [device["id"]]}
    ]
    await api.delete(brand["name"], f"devices/{device['id']}")
    assert (await api.delete(brand["name"], f"clients/{client['id']}")).status_code == 204
    assert (await api.get(brand["name"], f"clients/{client['id']}")).status_code == 404


async def test_every_answer_carries_request_id_and_security_headers(api: Api) -> None:
    """What support asks for, and what browsers need to be told."""
    answer = await api.get("platform", "brands", headers={"X-Request-Id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert answer.headers["x-content-type-options"] == "nosniff"
    forged = await api.get("platform", "brands", headers={"X-Request-Id": "a b<script>"})
    assert forged.headers["x-request-id"] != "a b<script>"


async def test_openapi_describes_every_resource_with_its_errors(api: Api) -> None:
    """Clients are generated from it."""
    schema = (await api.http.get(f"{BASE}/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    post = schema["paths"][f"{BASE}/clients"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/ClientCreate")
    assert set(post["responses"]) >= {"201", "401", "403", "409", "422"}
    assert "application/problem+json" in post["responses"]["422"]["content"]
    listed = schema["paths"][f"{BASE}/clients"]["get"]
    assert {"limit", "cursor", "sort", "count", "name__contains"} <= {p["name"] for p in listed["parameters"]}
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    assert "daily_usage_emails" in schema["components"]["schemas"]["ClientPatch"]["properties"]
    page = await api.http.get(f"{BASE}/docs")
    assert "openapi.json" in page.text
    assert "//cdn" not in page.text
