"""Every denial of an outbound call (domain.md section 4) over HTTP: the answer, what is kept of it, and what
`simulate` says of the same call. A refused call leaves no trace in any counter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from call_control.adapters.placement import Change
from call_control.domain.denials import REASONS
from landline.contracts.call_control.events import CallRejected

from tests.support import configured as c
from tests.support.outbound_story import API, Story, operator, telling
from tests.support.stores import TestStores

UNKNOWN = {"auth_realm": "sip.x.example", "from_domain": "sip.x.example"}
DIRECT = c.device(version=2, direct_connectivity=True, ip="203.0.113.99", port=5060)
BARRING = {"name": "No mobiles", "enabled": True, "prefixes": ["+346"], "weekdays": []}
RISK = {"prefix": "+346", "risk": "high_risk", "country": None}
GONE = {"deck_id": c.DECK, "version": 9, "rows": 1, "sha256": "0" * 64}
CODE = {"service": "voicemail", "code": "*77", "enabled": True}


def gone(entity: str, entity_id: str, client_id: str | None = None) -> Change:
    """The row was deleted."""
    return Change(entity, entity_id, 9, c.BRAND, client_id, None, "9-0")


class Row(NamedTuple):
    """`more`: rows on top of the ordinary brand; `body`: changes of an ordinary call; `before`: calls that
    still ring; `limit`, `value`: what the denial says beside its sentence."""

    sip_code: int
    step: str
    more: tuple[Change, ...] = ()
    body: dict[str, Any] = {}
    before: int = 0
    limit: str | None = None
    value: str | None = None


TABLE = {
    "domain_required": Row(488, "identity", body={"auth_realm": "192.0.2.1", "from_domain": "192.0.2.1"}),
    "unknown_domain": Row(403, "identity", body=UNKNOWN),
    "unknown_device": Row(404, "identity", body={"auth_user": "ghost", "from_user": "ghost"}),
    "identity_mismatch": Row(403, "identity", body={"from_user": "casa2"}),
    "source_not_device": Row(403, "identity", (DIRECT,)),
    "disabled": Row(403, "enabled", (c.client(2, enabled=False),)),
    "source_not_allowed": Row(403, "source_filter", (c.client(2, ip_filter=True),)),
    "service_unavailable": Row(
        480,
        "service",
        (c.row("service_code", "019a0000-0000-7000-8000-000000000c0d", CODE),),
        {"request_user": "*77"},
    ),
    "invalid_number": Row(484, "numbers", body={"request_user": "alice"}),
    "no_presentation_number": Row(
        403, "presentation", (c.client(2, outgoing_ddi_id=None),), {"asserted_identity": None}
    ),
    "barred": Row(
        403,
        "barring",
        (c.row("barring", "019a0000-0000-7000-8000-000000000ba1", BARRING, client_id=c.CLIENT),),
        limit="No mobiles",
    ),
    "risk_barred": Row(
        403,
        "barring",
        (c.row("risk_class", "019a0000-0000-7000-8000-0000000000a9", RISK),),
        limit="normal, special_rate",
        value="high_risk",
    ),
    "too_expensive": Row(
        403, "barring", (c.brand(2, price_cap_per_minute="1.00"),), limit="1.00", value="1.20"
    ),
    "blocked": Row(403, "routes", (c.route(version=2, mode="block", carrier_id=None),)),
    "no_route": Row(404, "routes", (gone("route", c.ROUTE),)),
    "no_rating_profile": Row(403, "rate", (gone("profile", c.PROFILE, c.CLIENT),)),
    "no_rate": Row(403, "rate", body={"request_user": "00442071234567"}),
    "rates_unavailable": Row(503, "rate", (c.row("deck", c.DECK, GONE, 9),)),
    "too_fast": Row(503, "barring", (c.brand(2, max_calls_per_minute=1),), before=1, limit="1", value="1"),
    "max_calls_reached": Row(403, "counters", before=2, limit="2", value="2"),
    "hourly_limit_reached": Row(
        403, "barring", (c.brand(2, spend_per_hour="2.00"),), before=1, limit="2.00", value="1.20"
    ),
    "daily_limit_reached": Row(
        403, "counters", (c.client(2, max_daily_usage="2.00"),), before=1, limit="2.00", value="1.20"
    ),
    "no_credit": Row(402, "counters", (c.client(2, max_calls=0),), before=8, limit="0.40", value="1.20"),
}
FROM_OUTSIDE = {
    "unknown_provider", "unknown_number", "unassigned_number", "no_destination", "spoofed_caller",
    "rejected_by_filter", "anonymous_rejected", "too_many_forwards", "forward_loop", "busy", "no_answer",
    "declined", "forward_failed", "not_registered", "too_many_contacts",
}  # fmt: skip
"""Of calls that come in or are sent on, and of registrations: told in their own stories."""


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """A brand ready to call."""
    async with telling(stores.redis_url, tmp_path) as told:
        yield told


async def simulated(story: Story, body: dict[str, Any]) -> dict[str, Any]:
    """What an operator is told of the same call."""
    asked = {name: value for name, value in body.items() if name != "attempt_id"}
    answer = await story.http.post(f"{API}/simulate", json=asked, headers=operator())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("code", "row"), TABLE.items(), ids=TABLE)
async def test_a_refused_call_says_why_and_what_to_do(story: Story, code: str, row: Row) -> None:
    """Promise 3, over HTTP: code, SIP answer, rule, figures and remedy; told to the edge, kept, simulated."""
    await story.configure(*row.more)
    for _ in range(row.before):
        assert (await story.call())["decision"] == "allow"
    used, body = await story.usage(), c.call(**row.body)
    told = await simulated(story, body)
    denied = await story.call(**body)
    assert (denied["decision"], denied["reason"], denied["sip_code"]) == ("deny", code, row.sip_code)
    assert (denied["rule"], denied["limit"], denied["value"]) == (row.step, row.limit, row.value)
    assert denied["detail"]
    assert denied["remedy"] == REASONS[code].remedy
    assert (told["decision"], told["denial"]["reason"], told["denial"]["detail"]) == (
        "deny",
        code,
        denied["detail"],
    )
    last = told["trace"][-1]
    assert (last["step"], last["outcome"]) == (row.step, "deny")
    event = (
        (await story.events("call.rejected.v1"))[-1].read(CallRejected) if code not in OF_NO_BRAND else None
    )
    if event is not None:
        assert (event.reason, event.rule, event.limit, event.value) == (code, row.step, row.limit, row.value)
        assert event.remedy == denied["remedy"]
        assert [line["step"] for line in event.trace] == [line["step"] for line in told["trace"]]
    after = await story.usage()
    assert {k: v for k, v in after.items() if k != "rejected"} == {
        k: v for k, v in used.items() if k != "rejected"
    }


OF_NO_BRAND = {"domain_required", "unknown_domain"}
"""Kept in another partition: no brand could be found."""


def test_the_table_is_complete() -> None:
    """A new code needs a story."""
    assert set(TABLE) | FROM_OUTSIDE == set(REASONS)
