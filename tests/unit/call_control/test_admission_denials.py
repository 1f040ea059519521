"""Every refusal of the pipeline as a table: what is wrong, which code and SIP answer, at which step."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import pytest
from call_control.adapters.placement import Change
from call_control.domain.admission import Case, decide, numbers, routing
from call_control.domain.denials import REASONS, Denial, deny

from tests.support import configured as c
from tests.support.decided import NOW_MS, decided

OTHER = "019a0000-0000-7000-8000-00000000ff01"


class Row(NamedTuple):
    """`body`: changes of an ordinary call; `more`: rows on top of the configured brand."""

    code: str
    sip_code: int
    step: str
    body: dict[str, Any] = {}
    more: tuple[Change, ...] = ()
    without: tuple[str, ...] = ()


TABLE = {
    "the realm is an address": Row(
        "domain_required", 488, "identity", {"auth_realm": "192.0.2.1", "from_domain": "192.0.2.1"}
    ),
    "From uses an IPv6 address": Row("domain_required", 488, "identity", {"from_domain": "[2001:db8::1]"}),
    "no domain at all": Row(
        "domain_required",
        488,
        "identity",
        {"auth_realm": None, "from_domain": None, "request_domain": None},
    ),
    "a domain of nobody": Row(
        "unknown_domain", 403, "identity", {"auth_realm": "sip.x.example", "from_domain": "sip.x.example"}
    ),
    "a device of nobody": Row("unknown_device", 404, "identity", {"auth_user": "ghost"}),
    "From names another device": Row("identity_mismatch", 403, "identity", {"from_user": "casa2"}),
    "From is of another domain": Row("identity_mismatch", 403, "identity", {"from_domain": "sip.x.example"}),
    "the client is disabled": Row("disabled", 403, "enabled", more=(c.client(enabled=False),)),
    "the device is disabled": Row("disabled", 403, "enabled", more=(c.device(enabled=False),)),
    "the brand is disabled": Row("disabled", 403, "enabled", more=(c.brand(enabled=False),)),
    "a direct device from elsewhere": Row(
        "source_not_device",
        403,
        "identity",
        more=(c.device(direct_connectivity=True, ip="203.0.113.99", port=5060),),
    ),
    "a direct device named by From only": Row(
        "source_not_device",
        403,
        "identity",
        {"auth_user": None, "auth_realm": None},
        more=(c.device(direct_connectivity=True, ip="203.0.113.99", port=5060),),
    ),
    "filter on, nothing allowed": Row(
        "source_not_allowed", 403, "source_filter", more=(c.client(ip_filter=True),)
    ),
    "filter on, another network": Row(
        "source_not_allowed", 403, "source_filter", more=(c.client(ip_filter=True), c.source("192.0.2.0/24"))
    ),
    "letters for a number": Row("invalid_number", 484, "numbers", {"request_user": "alice"}),
    "an empty number": Row("invalid_number", 484, "numbers", {"request_user": ""}),
    "a number too long for E.164": Row(
        "invalid_number", 484, "numbers", {"request_user": "+3460012312312345"}
    ),
    "no set, and not dialled in E.164": Row(
        "invalid_number", 484, "numbers", more=(c.client(transformation_set_id=None),)
    ),
    "nothing to show": Row(
        "no_presentation_number",
        403,
        "presentation",
        {"asserted_identity": None},
        more=(c.client(outgoing_ddi_id=None),),
    ),
    "all numbers in quarantine": Row(
        "no_presentation_number",
        403,
        "presentation",
        more=(c.ddi(state="quarantine"), c.ddi(c.DDI_2, c.NUMBER_2, state="porting_in")),
    ),
    "a blocking route": Row(
        "blocked", 403, "routes", more=(c.route(mode="block", carrier_id=None, stopper=True),)
    ),
    "no route": Row("no_route", 404, "routes", without=("route",)),
    "a route to no working server": Row(
        "no_route", 404, "routes", more=(c.server(enabled=False), c.server(c.SERVER_2, enabled=False))
    ),
    "no profile": Row("no_rating_profile", 403, "rate", without=("profile",)),
    "a profile of tomorrow": Row(
        "no_rating_profile", 403, "rate", more=(c.profile(activation_at_ms=NOW_MS + 86_400_000),)
    ),
    "no price for that country": Row("no_rate", 403, "rate", {"request_user": "00442071234567"}),
    "a deck not on this host": Row("rates_unavailable", 503, "rate", without=("deck",)),
    "a plan not here yet": Row("rates_unavailable", 503, "rate", without=("plan",)),
    "an inbound call": Row("unknown_provider", 403, "provider", {"direction": "inbound"}),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
async def test_a_refused_call_is_told_why(case: Row) -> None:
    """A wrong code sends the user of the phone, and the operator, to the wrong remedy (promise 3)."""
    decision = await decided(case.body, *case.more, without=case.without)
    assert (decision.code, decision.sip_code) == (case.code, case.sip_code)
    assert isinstance(decision.refusal, Denial)
    assert decision.refusal.step == case.step
    assert decision.refusal.detail


async def test_an_ordinary_call_is_allowed() -> None:
    """The table above would pass against a pipeline that refuses everything."""
    decision = await decided()
    assert decision.code == "allow"
    assert decision.case.callee == c.MOBILE
    assert decision.case.shown == c.NUMBER


async def test_deciding_is_pure() -> None:
    """Facts in, decision out: the same question at the same moment has the same answer."""
    case = (await decided()).case
    refused = (await decided({"request_user": "alice"})).case
    for _ in range(2):
        again = decide(case.request, case.facts, case.now_ms, Random(0))
        assert isinstance(again, Case)
        assert (again.callee, again.legs, again.hold) == (case.callee, case.legs, case.hold)
        denial = decide(refused.request, refused.facts, refused.now_ms, Random(0))
        assert isinstance(denial, Denial)
        assert denial.code == "invalid_number"


async def test_a_brand_or_client_may_cap_its_calls_lower() -> None:
    """3 h on any call; the lower of brand and client below that (4.13)."""
    assert (await decided()).case.cap_s == 10_800
    assert (await decided({}, c.brand(max_call_s=900))).case.cap_s == 900
    assert (await decided({}, c.brand(max_call_s=900), c.client(max_call_s=300))).case.cap_s == 300


async def test_a_caller_without_a_set_is_taken_as_it_is() -> None:
    """A device that speaks E.164 needs no transformation set, for its own number either."""
    plain = c.client(transformation_set_id=None, outgoing_ddi_id=None)
    decision = await decided({"request_user": c.MOBILE, "asserted_identity": c.NUMBER_2}, plain)
    assert (decision.code, decision.case.shown) == ("allow", c.NUMBER_2)


async def test_what_is_remembered_of_a_brand_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner that shows a new number in each call must not fill the worker; decisions stay the same."""
    monkeypatch.setattr(numbers, "NUMBERS_KEPT", 1)
    monkeypatch.setattr(routing, "MEMO_LIMIT", 0)
    decision = await decided()
    assert (decision.code, decision.case.shown) == ("allow", c.NUMBER)
    assert len(decision.case.brand.number_memo) <= 1
    assert decision.case.brand.route_memo == {}


async def test_the_first_refusal_wins_and_ends_the_trace() -> None:
    """A disabled client with a forbidden source, a bad number and no route hears only `disabled`."""
    decision = await decided(
        {"request_user": "alice"}, c.client(enabled=False, ip_filter=True), without=("route", "profile")
    )
    assert decision.code == "disabled"
    assert [(line.step, line.outcome) for line in decision.trace] == [
        ("identity", "continue"),
        ("dialled", "continue"),
        ("enabled", "deny"),
    ]
    assert decision.trace[-1].detail == "disabled: client is disabled"


ORDER = [
    ("unknown_device", {"auth_user": "ghost"}, ()),
    ("disabled", {}, (c.client(enabled=False, ip_filter=True, outgoing_ddi_id=None),)),
    ("source_not_allowed", {}, (c.client(ip_filter=True, outgoing_ddi_id=None),)),
    ("invalid_number", {}, (c.client(outgoing_ddi_id=None),)),
]


@pytest.mark.parametrize(("code", "body", "more"), ORDER, ids=[code for code, *_ in ORDER])
async def test_steps_refuse_in_the_order_of_the_rules(
    code: str, body: dict[str, Any], more: tuple[Change, ...]
) -> None:
    """With everything wrong at once, mending the first refusal must show the next one of section 4."""
    wrong = {"request_user": "alice", "asserted_identity": None, **body}
    decision = await decided(wrong, *more, without=("route", "profile"))
    assert decision.code == code


async def test_rate_is_judged_after_routes() -> None:
    """Domain section 4: routes (9) before rate (10)."""
    decision = await decided({}, without=("route", "profile"))
    assert decision.code == "no_route"


async def test_without_a_digest_the_edge_is_told_to_challenge() -> None:
    """A registering device proves itself by digest: its From alone must neither admit nor leak who exists."""
    for user in ("casa1", "ghost", None):
        decision = await decided({"auth_user": None, "auth_realm": None, "from_user": user})
        assert decision.code == "challenge"
        assert decision.trace[0].outcome == "challenge"


async def test_an_anonymous_from_is_no_mismatch() -> None:
    """Identity is the digest's: a caller who withholds by From must not be refused for it (section 4.2)."""
    decision = await decided({"from_user": "anonymous", "from_domain": "anonymous.invalid"})
    assert decision.code == "allow"
    assert decision.case.withhold


async def test_from_may_hold_a_number() -> None:
    """Many phones put their number in From: only another *device* there is a mismatch."""
    assert (await decided({"from_user": "944048182"})).code == "allow"


async def test_a_direct_device_is_found_by_its_address() -> None:
    """It has no password: its address is its identity."""
    direct = c.device(direct_connectivity=True, ip="203.0.113.7", port=5060)
    decision = await decided({"auth_user": None, "auth_realm": None, "from_user": "944048182"}, direct)
    assert decision.code == "allow"
    assert decision.case.device.name == "casa1"


async def test_of_several_direct_devices_behind_one_address_from_then_port_decides() -> None:
    """Two lines of one router: the wrong one would be billed and presented."""
    first = c.device("casa1", c.DEVICE, direct_connectivity=True, ip="203.0.113.7", port=5060)
    second = c.device("casa2", c.OTHER_DEVICE, direct_connectivity=True, ip="203.0.113.7", port=5070)
    plain = {"auth_user": None, "auth_realm": None}
    by_name = await decided({**plain, "from_user": "casa2"}, first, second)
    by_port = await decided({**plain, "from_user": "x9", "source_port": 5070}, first, second)
    assert (by_name.case.device.name, by_port.case.device.name) == ("casa2", "casa2")


def test_every_reason_has_a_sentence_and_a_sip_answer() -> None:
    """Promise 3: machine code, SIP code, sentence. A code outside the table can't be raised."""
    for code, reason in REASONS.items():
        assert reason.code == code
        assert 400 <= reason.sip_code < 700
        assert reason.sip_reason
        assert reason.sentence.endswith(".")
        assert reason.remedy.endswith("."), f"{code}: what can people do about it?"
    with pytest.raises(KeyError):
        deny("never_heard_of", "x")
