"""What an edge may send, as a table of what it may not: which field is named (issue: bad input)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from call_control.edge.calls import Ended
from call_control.edge.lists import Heartbeat
from call_control.edge.reading import (
    MAX_BODY_BYTES,
    BodyReader,
    check_call_request,
    moment_ms,
    read_body,
    read_call_request,
)
from landline.chassis.problems import InvalidInput, PayloadTooLarge

from tests.support import configured as c

BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a number for a text": ({"request_user": 600123123}, ["request_user"]),
    "a text for a number": ({"source_port": "5060"}, ["source_port"]),
    "a port out of range": ({"source_port": 70000}, ["source_port"]),
    "null where a value is needed": ({"source_ip": None}, ["source_ip"]),
    "a missing field": ({"sip_call_id": ...}, ["sip_call_id"]),
    "two at once": ({"attempt_id": "x", "request_user": ...}, ["attempt_id", "request_user"]),
    "an unknown field": ({"requestuser": "1"}, ["requestuser"]),
    "a direction of no kind": ({"direction": "sideways"}, ["direction"]),
    "a truth value in words": ({"fax": "yes"}, ["fax"]),
    "10 kB in a user part": ({"from_display": "x" * 10_240}, ["from_display"]),
    "10 kB in the number": ({"request_user": "6" * 10_240}, ["request_user"]),
    "a number of 40 digits": ({"request_user": "6" * 40}, ["request_user"]),
    "an asserted number of 40 digits": ({"asserted_identity": f"<sip:{'9' * 40}@x>"}, ["asserted_identity"]),
    "a line break in a user part": ({"auth_user": "casa1\r\nX: y"}, ["auth_user"]),
    "a zero byte in the display name": ({"from_display": "a\x00b"}, ["from_display"]),
    "a delete character": ({"from_user": "casa\x7f1"}, ["from_user"]),
    "a C1 control character": ({"from_user": "casa\x851"}, ["from_user"]),
    "a line break in a diversion": ({"diversion": [{"number": "9\n9"}]}, ["diversion.0"]),
    "an unknown field in a diversion": ({"diversion": [{"number": "9", "x": 1}]}, ["diversion.0.x"]),
    "a diversion without number": ({"diversion": [{}]}, ["diversion.0.number"]),
    "too many diversions": ({"diversion": [{"number": "9"}] * 11}, ["diversion"]),
    "no address": ({"source_ip": "phone.example"}, ["source_ip"]),
    "an address with a port": ({"source_ip": "203.0.113.7:5060"}, ["source_ip"]),
}


@pytest.mark.parametrize(("changes", "fields"), BAD.values(), ids=BAD)
def test_a_bad_request_names_its_fields(changes: dict[str, Any], fields: list[str]) -> None:
    """An integrator who is told only "bad request" guesses; a control character would split a SIP header."""
    with pytest.raises(InvalidInput) as refused:
        read_call_request(json.dumps(c.call(**changes)).encode())
    assert sorted(error.field for error in refused.value.errors) == fields
    assert all(error.code and error.message for error in refused.value.errors)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"x"', b"1e999", b"[" * 5000, b'{"a":"\\ud800"}']
)
def test_what_is_no_request_at_all_is_refused(body: bytes) -> None:
    """Never a 500 for input: broken JSON, other JSON, bad UTF-8, a thousand brackets."""
    with pytest.raises(InvalidInput) as refused:
        read_call_request(body)
    assert refused.value.errors


def test_an_ordinary_request_is_read() -> None:
    """Names with accents, escapes and colons are no reason to refuse."""
    body = c.call(from_display="José \\ Núñez", user_agent='Phone/1.0 "x"', source_ip="2001:db8::7")
    request = read_call_request(json.dumps(body).encode())
    assert request.from_display == "José \\ Núñez"
    assert check_call_request(request) == request


@pytest.mark.parametrize(
    ("told", "is_"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::0:7", "2001:db8::7"), ("fe80::1%eth0", "fe80::1")],
)
def test_a_source_has_one_form(told: str, is_: str) -> None:
    """An edge that listens on IPv6 tells IPv4 callers so: its direct devices must be found all the same."""
    assert read_call_request(json.dumps(c.call(source_ip=told)).encode()).source_ip == is_


def test_a_simulation_is_checked_like_a_call() -> None:
    """It comes by another road, without its raw body: control characters must not pass there either."""
    request = read_call_request(json.dumps(c.call()).encode())
    with pytest.raises(InvalidInput):
        check_call_request(msgspec.structs.replace(request, from_user="a\nb"))


MOMENTS = [
    ("2026-11-22T12:00:00Z", 1_795_348_800_000),
    ("2026-11-22T13:00:00.250+01:00", 1_795_348_800_250),
    (1_795_348_800, 1_795_348_800_000),
    (1_795_348_800.25, 1_795_348_800_250),
]


@pytest.mark.parametrize(("value", "expected"), MOMENTS)
def test_moments_come_as_iso_or_epoch_seconds(value: str | float, expected: int) -> None:
    """Contracts section 4: both forms; a second lost here is a second billed wrong."""
    assert moment_ms(value) == expected


@pytest.mark.parametrize("value", ["yesterday", "2026-11-22T12:00:00", -1, 1e30, 1e11, float("nan"), ""])
def test_other_moments_are_refused(value: str | float) -> None:
    """A time without a zone means another moment on another machine."""
    with pytest.raises(InvalidInput) as refused:
        moment_ms(value, "answered_at")
    assert refused.value.errors[0].field == "answered_at"


NESTED = [
    (Ended, {"at": 1, "attempts": [{"sip_code": "x"}]}, "attempts.0.sip_code"),
    (Ended, {"at": 1, "ended_by": "ghost"}, "ended_by"),
    (Ended, {}, "at"),
    (Heartbeat, {"instance_id": "", "boot_id": "b", "seq": 0, "taken_at": 1}, "instance_id"),
    (Heartbeat, {"instance_id": "i", "boot_id": "b", "seq": -1, "taken_at": 1}, "seq"),
    (
        Heartbeat,
        {"instance_id": "i", "boot_id": "b", "seq": 0, "taken_at": 1, "calls": [{"call_id": 5}]},
        "calls.0.call_id",
    ),
]


@pytest.mark.parametrize(("kind", "body", "field"), NESTED, ids=[field for *_, field in NESTED])
def test_reports_name_fields_below_lists(kind: type, body: dict[str, Any], field: str) -> None:
    """An edge sends a hundred calls a page: which one is broken?"""
    with pytest.raises(InvalidInput) as refused:
        BodyReader(kind).read(json.dumps(body).encode())
    assert [error.field for error in refused.value.errors] == [field]


async def test_a_huge_body_is_not_even_taken() -> None:
    """A body without end must not fill the memory of a worker."""
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    with pytest.raises(PayloadTooLarge):
        await read_body(receive)
    assert sent <= MAX_BODY_BYTES // 10_000 + 2
