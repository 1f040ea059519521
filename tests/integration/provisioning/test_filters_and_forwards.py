"""Match lists, call filters, call forwards and the targets of DDIs (model-system 1.3, 1.9-1.11)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.provisioning.test_client_rules import refused
from tests.support.provisioning_api import Api

Row = dict[str, Any]
NUMBER = "+34600123123"


async def house(api: Api, **brand: Any) -> tuple[Row, Row, Row]:
    """A brand with voicemail and faxes, a client with both, a device of it."""
    brand_row = await api.brand(features=["billing", "faxes", "voicemail"], **brand)
    client = await api.client(brand_row, features=["faxes", "voicemail"])
    device = await api.made(brand_row["name"], "devices", {"name": "casa1", "client_id": client["id"]})
    return brand_row, client, device


async def test_a_client_keeps_its_own_lists_and_reads_its_brands(api: Api) -> None:
    """A brand's list is for all of its clients; another client's list does not exist for it."""
    brand, client, _ = await house(api)
    other = await api.client(brand)
    mine = await api.made(client["name"], "match-lists", {"name": "Friends"})
    generic = await api.made(brand["name"], "match-lists", {"name": "Premium"})
    theirs = await api.made(other["name"], "match-lists", {"name": "Friends"})
    assert (mine["client_id"], generic["client_id"]) == (client["id"], None)
    listed = (await api.get(client["name"], "match-lists")).json()["items"]
    assert {row["id"] for row in listed} == {mine["id"], generic["id"]}
    assert (await api.get(client["name"], f"match-lists/{theirs['id']}")).status_code == 404
    taken = await api.post(client["name"], "match-lists", {"name": "Friends"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    for method in ("PATCH", "DELETE"):
        answer = await api.call(client["name"], method, f"match-lists/{generic['id']}", json={"name": "x"})
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"number": NUMBER}, []),
        ({"kind": "regex", "regex": r"^\+34(803|806|807)"}, []),
        ({"kind": "regex", "regex": "(a"}, [("regex", "invalid_regex")]),
        ({"kind": "regex", "regex": r"(?=a)b"}, [("regex", "unsupported")]),
        ({"kind": "regex", "regex": "x" * 256}, [("regex", "string_too_long")]),
        ({"kind": "regex", "number": NUMBER}, [("number", "kind_mismatch"), ("regex", "kind_mismatch")]),
        ({"number": "600123123"}, [("number", "e164")]),
        ({}, [("number", "kind_mismatch")]),
    ],
)
async def test_an_entry_is_a_number_or_an_expression(
    api: Api, body: Row, expected: list[tuple[str, str]]
) -> None:
    """Only expressions that are matched in linear time (re2)."""
    brand, client, _ = await house(api)
    parent = await api.made(client["name"], "match-lists", {"name": "L"})
    answer = await api.post(brand["name"], "match-list-entries", {"match_list_id": parent["id"], **body})
    if expected:
        assert refused(answer) == expected
    else:
        assert answer.status_code == 201, answer.text
        assert answer.json()["client_id"] == client["id"]


async def test_entries_follow_their_list(api: Api) -> None:
    """Unique in it, gone with it; a client adds none to a list of its brand, nor of another client."""
    brand, client, _ = await house(api)
    generic = await api.made(brand["name"], "match-lists", {"name": "Premium"})
    entry = await api.made(
        brand["name"], "match-list-entries", {"match_list_id": generic["id"], "number": NUMBER}
    )
    assert entry["client_id"] is None
    assert (await api.get(client["name"], f"match-list-entries/{entry['id']}")).status_code == 200
    body = {"match_list_id": generic["id"], "number": NUMBER}
    assert (await api.post(brand["name"], "match-list-entries", body)).json()["code"] == "number_taken"
    assert refused(await api.post(client["name"], "match-list-entries", body)) == [
        ("match_list_id", "not_found")
    ]
    assert (await api.delete(client["name"], f"match-list-entries/{entry['id']}")).status_code == 403
    assert (await api.delete(brand["name"], f"match-lists/{generic['id']}")).status_code == 204
    assert (await api.get(brand["name"], f"match-list-entries/{entry['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, []),
        ({"reject_anonymous": True, "closed_on": ["2026-12-25"]}, []),
        (
            {"schedule": [{"weekdays": ["mon", "fri"], "start": "09:00", "end": "18:00"}], "timezone": "UTC"},
            [],
        ),
        ({"unconditional_forward": True}, [("forward_target", "required")]),
        ({"out_of_schedule": "forward"}, [("out_of_schedule", "needs_schedule")]),
        ({"allow_only": True}, [("allow_list_ids", "required")]),
        (
            {"forward_target": "number", "forward_device_id": "device"},
            [("forward_number", "target_mismatch"), ("forward_device_id", "target_mismatch")],
        ),
        ({"unconditional_forward": True, "forward_target": "number", "forward_number": NUMBER}, []),
        ({"unconditional_forward": True, "forward_target": "voicemail", "forward_device_id": "device"}, []),
        (
            {"schedule": [{"weekdays": ["mon"], "start": "25:00"}]},
            [("schedule.0.start", "string_pattern_mismatch")],
        ),
        ({"schedule": [{"weekdays": []}]}, [("schedule.0.weekdays", "too_short")]),
        ({"block_list_ids": ["theirs"]}, [("block_list_ids", "not_found")]),
    ],
)
async def test_a_filters_fields_fit_each_other(api: Api, body: Row, expected: list[tuple[str, str]]) -> None:
    """A table of `domain/filter_rules.py`, through the API."""
    brand, client, device = await house(api)
    other = await api.client(brand)
    theirs = await api.made(other["name"], "match-lists", {"name": "Foes"})
    ids = {"device": device["id"], "theirs": theirs["id"]}
    given = {
        k: [ids.get(str(i), i) for i in v] if isinstance(v, list) else ids.get(v, v) for k, v in body.items()
    }
    given = {"name": "F", "client_id": client["id"], **given}
    answer = await api.post(brand["name"], "call-filters", given)
    if expected:
        assert refused(answer) == expected
    else:
        assert answer.status_code == 201, answer.text


async def test_a_filter_in_use_and_its_lists_stay(api: Api) -> None:
    """409 says who needs them; unlinking the number lets the filter go."""
    brand, client, _ = await house(api)
    parent = await api.made(client["name"], "match-lists", {"name": "Foes"})
    body = {"name": "F", "block_list_ids": [parent["id"]]}
    made = await api.made(client["name"], "call-filters", body)
    ddi = await api.made(brand["name"], "ddis", {"number": "+34944048301", "client_id": client["id"]})
    use = await api.patch(client["name"], f"ddis/{ddi['id']}", {"call_filter_id": made["id"]})
    assert use.status_code == 200, use.text
    for path, by in ((f"match-lists/{parent['id']}", "call-filters"), (f"call-filters/{made['id']}", "ddis")):
        answer = await api.delete(client["name"], path)
        assert (answer.status_code, answer.json()["needed_by"][0]["resource"]) == (409, by)
    unlinked = await api.post(brand["name"], f"ddis/{ddi['id']}/unlink", {})
    assert unlinked.json()["call_filter_id"] is None
    assert (await api.delete(client["name"], f"call-filters/{made['id']}")).status_code == 204


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"kind": "unconditional", "number": NUMBER}, []),
        ({"kind": "busy", "target": "voicemail"}, []),
        ({"kind": "no_answer", "target": None, "no_answer_timeout_s": 20}, []),
        ({"kind": "busy", "target": None}, [("target", "required")]),
        ({"kind": "busy"}, [("number", "target_mismatch")]),
        (
            {"kind": "busy", "number": NUMBER, "no_answer_timeout_s": 5},
            [("no_answer_timeout_s", "not_for_kind")],
        ),
        (
            {"kind": "busy", "number": NUMBER, "voicemail_device_id": "device"},
            [("voicemail_device_id", "target_mismatch")],
        ),
        ({"kind": "sometimes", "number": NUMBER}, [("kind", "literal_error")]),
    ],
)
async def test_a_forwards_fields_fit_its_kind(api: Api, body: Row, expected: list[tuple[str, str]]) -> None:
    """Model-system 1.11; a client writes its own."""
    _, client, device = await house(api)
    given = {k: device["id"] if v == "device" else v for k, v in body.items()}
    answer = await api.post(client["name"], "call-forwards", {"device_id": device["id"], **given})
    if expected:
        assert refused(answer) == expected
    else:
        assert answer.status_code == 201, answer.text
        timeout = answer.json()["no_answer_timeout_s"]
        assert timeout == body.get("no_answer_timeout_s", 10 if body["kind"] == "no_answer" else None)


async def test_one_enabled_forward_of_each_kind(api: Api) -> None:
    """Any number of disabled ones; all go with their device."""
    brand, client, device = await house(api)
    body = {"device_id": device["id"], "kind": "busy", "number": NUMBER}
    first = await api.made(client["name"], "call-forwards", body)
    assert (await api.post(client["name"], "call-forwards", body)).json()["code"] == "kind_taken"
    spare = await api.made(client["name"], "call-forwards", {**body, "enabled": False})
    again = await api.patch(client["name"], f"call-forwards/{spare['id']}", {"enabled": True})
    assert again.status_code == 409
    assert (await api.delete(brand["name"], f"devices/{device['id']}")).status_code == 204
    assert (await api.get(client["name"], f"call-forwards/{first['id']}")).status_code == 404


async def test_what_the_client_lacks_is_no_target(api: Api) -> None:
    """Voicemail and faxes are features: for DDIs, filters and forwards alike."""
    brand, _, _ = await house(api)
    poor = await api.client(brand, features=[])
    device = await api.made(brand["name"], "devices", {"name": "poor", "client_id": poor["id"]})
    ddi = await api.made(brand["name"], "ddis", {"number": "+34944048302", "client_id": poor["id"]})
    lacking = [
        ("ddis", {"target": "voicemail", "device_id": device["id"]}, "target"),
        ("ddis", {"target": "fax", "fax_id": device["id"]}, "target"),
    ]
    for _, body, field in lacking:
        answer = await api.patch(poor["name"], f"ddis/{ddi['id']}", body)
        assert refused(answer) == [(field, "feature_not_in_client")]
    forward = {"device_id": device["id"], "kind": "busy", "target": "voicemail"}
    assert refused(await api.post(poor["name"], "call-forwards", forward)) == [
        ("target", "feature_not_in_client")
    ]
    answer = await api.patch(poor["name"], f"ddis/{ddi['id']}", {"target": "fax"})
    assert ("fax_id", "target_mismatch") in refused(answer)


async def test_a_client_goes_with_its_lists_filters_and_forwards(api: Api) -> None:
    """Whatever needs whatever among them."""
    brand, client, device = await house(api)
    parent = await api.made(client["name"], "match-lists", {"name": "Foes"})
    await api.made(client["name"], "match-list-entries", {"match_list_id": parent["id"], "number": NUMBER})
    await api.made(client["name"], "call-filters", {"name": "F", "block_list_ids": [parent["id"]]})
    assert (await api.delete(brand["name"], f"devices/{device['id']}")).status_code == 204
    gone = await api.delete(brand["name"], f"clients/{client['id']}")
    assert gone.status_code == 204, gone.text
    assert (await api.get(brand["name"], f"match-lists/{parent['id']}")).status_code == 404
