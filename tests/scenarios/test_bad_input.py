"""Promise 7: bad input gets a clear error that names the field, and changes nothing. Never a 5xx."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis
from landline.kernel.ids import new_id

from tests.support.story_edge import BASE, Edge, StoryCall
from tests.support.world import BILLING, MOBILE, PROVISIONING, Brand, Home, Platform, Row

TOO_LONG = "x" * 10_000
DIGITS_40 = "0034" + "6" * 36
HUGE = b'{"attempt_id":"' + b"x" * 3_000_000 + b'"}'
NOT_UTF8 = b'{"request_user":"\xff\xfe\xfa"}'
DEEP = b"[" * 60_000


@dataclass
class Target:
    """Where bad input goes, and what must not change by it."""

    platform: Platform
    home: Home
    live: StoryCall
    store: redis.Redis

    def _events_ever(self, partition: str) -> int:
        found: Any = self.store.xinfo_stream(f"{{p{partition}}}:landline:calls")
        return int(found["entries-added"])

    def state(self) -> dict[str, Any]:
        """Counters, live calls, events, money: everything a request could touch."""
        usage = self.home.usage()
        partition = self.live.id.partition("-")[0]
        return {
            "usage": {key: value for key, value in usage.items() if "held" not in key and key != "available"},
            "live": [call["call_id"] for call in self.home.live_calls()],
            "state": [call["state"] for call in self.home.live_calls()],
            "events": [self._events_ever(k) for k in (partition, "0")],  # 0: denials without a brand
            "postings": len(self.home.postings()),
            "client": self.home.api.get(f"{PROVISIONING}/clients/{self.home.id}"),
        }


@pytest.fixture(scope="module")
def target(platform: Platform) -> Target:
    """A client with a live call that nothing below may touch. Its brand is alone in its partition."""
    brand = platform.brand("Gamma")
    home = brand.home(billing_method="prepaid", balance="1000.00")
    live = platform.edge().admit(home, MOBILE)
    return Target(platform, home, live, redis.Redis.from_url(platform.stack.redis_url()))


@dataclass
class Bad:
    """One bad request. `field`: named by the answer, `status`: the answer's."""

    field: str | None
    body: Any = None
    raw: bytes | None = None
    path: str = ""
    status: int = 422


ADMISSIONS = {
    "no JSON": Bad("body", raw=b"{"),
    "nothing": Bad("body", raw=b""),
    "a list": Bad("body", raw=b"[]"),
    "a null": Bad("body", raw=b"null"),
    "a number of 5,000 digits": Bad("source_port", raw=b'{"source_port":' + b"9" * 5_000 + b"}"),
    "not UTF-8": Bad("body", raw=NOT_UTF8),
    "UTF-16": Bad("body", raw='{"attempt_id":"x"}'.encode("utf-16")),
    "too deep": Bad("body", raw=DEEP),
    "too large": Bad(None, raw=HUGE, status=413),
    "unknown field": Bad("colour", {"colour": "blue"}),
    "a lone surrogate": Bad("body", {"\ud800": 1}),
    "no attempt": Bad("attempt_id", {"attempt_id": None}),
    "attempt is no UUID": Bad("attempt_id", {"attempt_id": "1"}),
    "user is a number": Bad("request_user", {"request_user": 34600123123}),
    "user is a list": Bad("request_user", {"request_user": ["600123123"]}),
    "user of 10 kB": Bad("request_user", {"request_user": TOO_LONG}),
    "user of 40 digits": Bad("request_user", {"request_user": DIGITS_40}),
    "identity of 40 digits": Bad("asserted_identity", {"asserted_identity": "+" + "4" * 40}),
    "user with CRLF": Bad("request_user", {"request_user": "600123123\r\nVia: x"}),
    "user with NUL": Bad("request_user", {"request_user": "600\x00123"}),
    "user with DEL": Bad("request_user", {"request_user": "600\x7f123"}),
    "auth user with tab": Bad("auth_user", {"auth_user": "ho\tme1"}),
    "display with C1 control": Bad("from_display", {"from_display": "A\x9bB"}),
    "display with line separator": Bad("from_display", {"from_display": "A\u2028B"}),
    "call id with newline": Bad("sip_call_id", {"sip_call_id": "a\nb"}),
    "call id of 10 kB": Bad("sip_call_id", {"sip_call_id": TOO_LONG}),
    "agent of 10 kB": Bad("user_agent", {"user_agent": TOO_LONG}),
    "no source": Bad("source_ip", {"source_ip": None}),
    "source is no address": Bad("source_ip", {"source_ip": "203.0.113.999"}),
    "source is a name": Bad("source_ip", {"source_ip": "example.net"}),
    "source is a network": Bad("source_ip", {"source_ip": "203.0.113.0/24"}),
    "port too high": Bad("source_port", {"source_port": 65536}),
    "port negative": Bad("source_port", {"source_port": -1}),
    "port is text": Bad("source_port", {"source_port": "5060"}),
    "port is true": Bad("source_port", {"source_port": True}),
    "direction unknown": Bad("direction", {"direction": "sideways"}),
    "fax is text": Bad("fax", {"fax": "no"}),
    "diversion is text": Bad("diversion", {"diversion": "x"}),
    "diversion without number": Bad("diversion", {"diversion": [{"reason": "busy"}]}),
    "diversion with unknown field": Bad("diversion", {"diversion": [{"number": "1", "x": 1}]}),
    "diversion with control": Bad("diversion", {"diversion": [{"number": "1\r2"}]}),
    "100 diversions": Bad("diversion", {"diversion": [{"number": "1"}] * 100}),
}  # fmt: skip

AT = {"at": 1_700_000_000}
REPORTS = {
    "ended: no JSON": Bad("body", raw=b"}", path="ended"),
    "ended: no time": Bad("at", {}, path="ended"),
    "ended: time is no time": Bad("at", {"at": "yesterday"}, path="ended"),
    "ended: time without zone": Bad("at", {"at": "2026-11-22T21:00:00"}, path="ended"),
    "ended: negative time": Bad("at", {"at": -1}, path="ended"),
    "ended: time of the year 9999999": Bad("at", {"at": 1e30}, path="ended"),
    "ended: time is true": Bad("at", {"at": True}, path="ended"),
    "ended: answer is no time": Bad("answered_at", {**AT, "answered_at": "soon"}, path="ended"),
    "ended: SIP code": Bad("sip_code", {**AT, "sip_code": 42}, path="ended"),
    "ended: SIP code is text": Bad("sip_code", {**AT, "sip_code": "200"}, path="ended"),
    "ended: cause with space": Bad("cause", {**AT, "cause": "no answer"}, path="ended"),
    "ended: cause with newline": Bad("cause", {**AT, "cause": "busy\n"}, path="ended"),
    "ended: cause of 10 kB": Bad("cause", {**AT, "cause": TOO_LONG}, path="ended"),
    "ended: by nobody": Bad("ended_by", {**AT, "ended_by": "nobody"}, path="ended"),
    "ended: ticket of 10 kB": Bad("ticket", {**AT, "ticket": TOO_LONG}, path="ended"),
    "ended: ticket is a list": Bad("ticket", {**AT, "ticket": []}, path="ended"),
    "ended: attempts": Bad("attempts", {**AT, "attempts": [{"sip_code": "x"}]}, path="ended"),
    "ended: server is no UUID": Bad("server_id", {**AT, "server_id": "server-1"}, path="ended"),
    "ended: server with newline": Bad("server_id", {**AT, "server_id": f"{new_id()}\n"}, path="ended"),
    "ended: tried server with NUL": Bad("attempts", {**AT, "attempts": [{"server_id": "\0"}]}, path="ended"),
    "ended: server of 10 kB": Bad("server_id", {**AT, "server_id": TOO_LONG}, path="ended"),
    "ended: huge": Bad(None, raw=HUGE, path="ended", status=413),
    "answered: no time": Bad("at", {}, path="answered"),
    "answered: server is a number": Bad("server_id", {**AT, "server_id": 1}, path="answered"),
    "answered: server is no UUID": Bad("server_id", {**AT, "server_id": "server-1"}, path="answered"),
    "answered: handle is text": Bad("handle", {**AT, "handle": "x"}, path="answered"),
    "ringing: no time": Bad("at", {}, path="ringing"),
    "ringing: not UTF-8": Bad("body", raw=b'{"at":"\xff"}', path="ringing"),
}  # fmt: skip

LIST = {"instance_id": "i", "boot_id": "b", "seq": 1, "taken_at": 1_700_000_000, "calls": []}
LISTS = {
    "heartbeat: nothing": Bad("instance_id", {}),
    "heartbeat: instance of 10 kB": Bad("instance_id", {**LIST, "instance_id": TOO_LONG}),
    "heartbeat: sequence": Bad("seq", {**LIST, "seq": -1}),
    "heartbeat: time": Bad("taken_at", {**LIST, "taken_at": "now"}),
    "heartbeat: last is text": Bad("last", {**LIST, "last": "yes"}),
    "heartbeat: 101 calls": Bad("calls", {**LIST, "calls": [{"call_id": "1-x"}] * 101}),
    "heartbeat: call without id": Bad("calls", {**LIST, "calls": [{}]}),
    "heartbeat: answer is no time": Bad("calls", {**LIST, "calls": [{"call_id": "x", "answered_at": "x"}]}),
}  # fmt: skip


def check(answer: httpx.Response, bad: Bad) -> None:
    """The named 4xx as problem details, the field named."""
    assert answer.status_code == bad.status, answer.text[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == bad.status
    assert problem["code"]
    if bad.field is not None:
        named = {error["field"].split(".")[0] for error in problem["errors"]}
        assert bad.field in named, problem
        assert all(error["code"] and error["message"] for error in problem["errors"])
    assert TOO_LONG[:200] not in answer.text


def body_of(bad: Bad, whole: Row) -> bytes:
    """The bytes to send: raw, or `whole` with the bad fields in it (None takes one out)."""
    if bad.raw is not None:
        return bad.raw
    mixed = {**whole, **bad.body}
    return json.dumps({key: value for key, value in mixed.items() if value is not None}).encode()


@pytest.mark.parametrize("name", ADMISSIONS)
def test_a_bad_admission_is_refused_by_field_and_touches_nothing(target: Target, name: str) -> None:
    """A broken or hostile device reaches us through the edge: no counter may move."""
    bad, edge, before = ADMISSIONS[name], target.platform.edge(), target.state()
    body = body_of(bad, edge.request(target.home, MOBILE))
    check(edge.http.post(f"{BASE}/calls", content=body, headers=JSON), bad)
    assert target.state() == before


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("name", REPORTS)
def test_a_bad_report_is_refused_by_field_and_the_call_goes_on(target: Target, name: str) -> None:
    """A 404 or a 204 would make the edge forget a call that was never ended."""
    bad, edge, before = REPORTS[name], target.platform.edge(), target.state()
    path = f"{BASE}/calls/{target.live.id}/{bad.path}"
    check(edge.http.post(path, content=body_of(bad, {}), headers=JSON), bad)
    assert target.state() == before


@pytest.mark.parametrize("name", LISTS)
def test_a_bad_heartbeat_is_refused_by_field_and_no_call_is_lost(target: Target, name: str) -> None:
    """A damaged list must not look like a list without calls."""
    bad, edge, before = LISTS[name], target.platform.edge(), target.state()
    check(edge.http.post(f"{BASE}/edges/heartbeat", content=body_of(bad, {}), headers=JSON), bad)
    assert target.state() == before


def test_an_edge_without_a_valid_key_is_401_on_every_address(target: Target) -> None:
    """No key, a wrong one, a person's token, a damaged header: never served, never a 5xx."""
    edge, before = target.platform.edge(), target.state()
    person = target.home.api.http.headers["Authorization"]
    wrong = edge.key[:-4] + ("AAAA" if edge.key[-4:] != "AAAA" else "BBBB")
    basic = base64.b64encode(f"another-edge:{edge.key}".encode()).decode()
    headers: tuple[dict[str, str | bytes], ...] = (
        {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {wrong}"},
        {"Authorization": person}, {"Authorization": f"Basic {basic}"}, {"Authorization": "Basic %%%"},
        {"Authorization": b"Bearer \xff\xfe"}, {"Authorization": f"Digest {edge.key}"},
        {"Authorization": "Bearer " + "x" * 5_000},
    )  # fmt: skip
    addresses = ["/calls", "/edges/heartbeat", "/edges/resync", "/noop"]
    addresses += [f"/calls/{target.live.id}/{kind}" for kind in ("ringing", "answered", "ended")]
    with httpx.Client(base_url=target.platform.stack.url) as http:
        for each in headers:
            for address in addresses:
                body = edge.request(target.home, MOBILE)
                answer = http.post(f"{BASE}{address}", json=body, headers=each)  # type: ignore[arg-type]
                assert answer.status_code == 401, (each, address, answer.text)
                assert answer.json()["code"] == "unauthorized"
    assert target.state() == before


def test_the_edges_name_and_key_are_taken_as_basic_too(target: Target) -> None:
    """Kamailio's http_client can send nothing else."""
    edge = target.platform.edge()
    basic = base64.b64encode(f"edge-1:{edge.key}".encode()).decode()
    with httpx.Client(base_url=target.platform.stack.url) as http:
        answer = http.post(f"{BASE}/calls", content=b"", headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 422


def client_body(home: Home, **fields: Any) -> Row:
    return {"brand_id": home.brand.id, "name": "Bad", **fields}


CLIENTS = {
    "no JSON": Bad("body", raw=b"{"),
    "not UTF-8": Bad("body", raw=NOT_UTF8),
    "too deep": Bad("body", raw=DEEP),
    "a number of 5,000 digits": Bad("body", raw=b'{"max_calls":' + b"9" * 5_000 + b"}"),
    "too large": Bad(None, raw=HUGE, status=413),
    "unknown field": Bad("colour", {"colour": "blue"}),
    "no name": Bad("name", {"name": None}),
    "name is a number": Bad("name", {"name": 1}),
    "name of 10 kB": Bad("name", {"name": TOO_LONG}),
    "name with NUL": Bad("name", {"name": "a\x00b"}),
    "name with newline": Bad("name", {"name": "a\nb"}),
    "name with a lone surrogate": Bad("name", {"name": "a\ud800b"}),
    "money with three decimals": Bad("max_daily_usage", {"max_daily_usage": "1.001"}),
    "money is a number": Bad("max_daily_usage", {"max_daily_usage": 1.5}),
    "money negative": Bad("max_daily_usage", {"max_daily_usage": "-1.00"}),
    "money out of range": Bad("max_daily_usage", {"max_daily_usage": "1000000.00"}),
    "money of 10 kB": Bad("max_daily_usage", {"max_daily_usage": "9" * 10_000}),
    "money is NaN": Bad("max_daily_usage", {"max_daily_usage": "NaN"}),
    "money is infinite": Bad("max_daily_usage", {"max_daily_usage": "Infinity"}),
    "money with an exponent": Bad("max_daily_usage", {"max_daily_usage": "1e3"}),
    "calls is text": Bad("max_calls", {"max_calls": "2"}),
    "calls negative": Bad("max_calls", {"max_calls": -1}),
    "calls too many": Bad("max_calls", {"max_calls": 2**31}),
    "calls a fraction": Bad("max_calls", {"max_calls": 1.5}),
    "filter is text": Bad("ip_filter", {"ip_filter": "yes"}),
    "method unknown": Bad("billing_method", {"billing_method": "barter"}),
    "zone unknown": Bad("timezone", {"timezone": "Europe/Atlantis"}),
    "zone is a path": Bad("timezone", {"timezone": "../../etc/passwd"}),
    "country unknown": Bad("country", {"country": "XX"}),
    "mail is none": Bad("daily_usage_emails", {"daily_usage_emails": ["a@b\r\nBcc: x@example.net"]}),
    "21 mails": Bad("daily_usage_emails", {"daily_usage_emails": [f"a{n}@example.net" for n in range(21)]}),
    "alert above 100": Bad("daily_usage_alerts", {"daily_usage_alerts": [101]}),
    "dialling is no id": Bad("transformation_set_id", {"transformation_set_id": "1; drop table clients"}),
    "dialling unknown": Bad("transformation_set_id", {"transformation_set_id": new_id()}),
    "brand unknown": Bad("brand_id", {"brand_id": new_id()}),
}  # fmt: skip


@pytest.mark.parametrize("name", CLIENTS)
def test_a_bad_client_is_refused_by_field(target: Target, name: str) -> None:
    """The same care in the management APIs, for creating and for changing."""
    bad, api, home = CLIENTS[name], target.home.api, target.home
    before = api.get(f"{PROVISIONING}/clients", count="true", limit=1)["total"]
    created = api.http.post(f"{PROVISIONING}/clients", content=body_of(bad, client_body(home)), headers=JSON)
    check(created, bad)
    assert api.get(f"{PROVISIONING}/clients", count="true", limit=1)["total"] == before
    if bad.raw is not None or (bad.body and bad.field not in ("brand_id",) and name != "no name"):
        state = target.state()
        changed = api.http.patch(f"{PROVISIONING}/clients/{home.id}", content=body_of(bad, {}), headers=JSON)
        check(changed, bad)
        assert target.state() == state


def test_bad_headers_and_addresses_of_the_management_apis_are_4xx(target: Target, brand: Brand) -> None:
    """What surrounds the body is input as well."""
    api, home = target.home.api, target.home
    path, before = f"{PROVISIONING}/clients", target.state()
    body = json.dumps(client_body(home)).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    tries = {
        "form": api.http.post(path, content=b"name=x", headers=form),
        "no content type": api.http.post(path, content=body, headers={"Content-Type": ""}),
        "key with control": api.http.post(path, content=body, headers={**JSON, "Idempotency-Key": "a b"}),
        "key of 10 kB": api.http.post(path, content=body, headers={**JSON, "Idempotency-Key": TOO_LONG}),
        "limit": api.http.get(path, params={"limit": "-1"}),
        "limit text": api.http.get(path, params={"limit": "many"}),
        "limit huge": api.http.get(path, params={"limit": "9" * 50}),
        "cursor": api.http.get(path, params={"cursor": "\x00\x01"}),
        "cursor of 10 kB": api.http.get(path, params={"cursor": TOO_LONG[:7000]}),
        "sort": api.http.get(path, params={"sort": "password"}),
        "filter": api.http.get(path, params={"colour": "blue"}),
        "filter by NUL": api.http.get(path, params={"name": "\x00"}),
        "filter by wrong type": api.http.get(path, params={"max_calls__gte": "x"}),
        "filter out of range": api.http.get(path, params={"max_calls": "9" * 30}),
        "id": api.http.get(f"{path}/1"),
        "id with NUL": api.http.get(f"{path}/%00"),
        "if-match": api.http.patch(f"{path}/{home.id}", json={}, headers={"If-Match": '"x"'}),
        "patch is a list": api.http.patch(f"{path}/{home.id}", json=[]),
        "method": api.http.put(f"{path}/{home.id}", json={}),
    }
    found = {name: answer.status_code for name, answer in tries.items()}
    assert {name: s for name, s in found.items() if not 400 <= s < 500} == {}
    assert all(a.headers["content-type"] == "application/problem+json" for a in tries.values())
    assert target.state() == before


@pytest.mark.parametrize(
    ("amount", "code"),
    [("0", 422), ("-1", 422), ("1e9", 422), ("NaN", 422), ("0.0000001", 422), ("9" * 40, 422), (1, 422),
     ("", 422), (None, 422), ("10000000.000001", 422)],
)  # fmt: skip
def test_a_bad_amount_of_money_moves_nothing(target: Target, amount: Any, code: int) -> None:
    """An operator's slip must not become a posting."""
    home, before = target.home, target.state()
    path = f"{BILLING}/clients/{home.id}/balance/operations"
    body = {"operation": "increment", "amount": amount, "reason": "slip"}
    headers = {"X-Reason": "slip", "Idempotency-Key": new_id()}
    answer = home.api.http.post(path, json=body, headers=headers)
    check(answer, Bad("amount", status=code))
    assert target.state() == before
    assert home.balance() == "1000.00"


def test_the_platform_still_works_after_all_that(target: Target) -> None:
    """And the call that was live all the time is still there, untouched."""
    edge: Edge = target.platform.edge()
    assert [call["call_id"] for call in target.home.live_calls()] == [target.live.id]
    edge.admit(target.home, MOBILE).ended(cause="cancelled")
    target.live.ended(cause="cancelled")
    assert target.home.usage()["active_calls"] == 0
    log = (target.platform.stack.data / "logs" / "web.log").read_text()
    assert "unhandled error" not in log
