"""Counters or rates away: the client's outage_policy decides, and every call is settled afterwards.

A real Valkey is killed and started again; what was in it is still there (appendfsync always)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from landline.contracts.call_control.events import CallEnded

from tests.support import configured as c
from tests.support.outbound_story import Story, telling
from tests.support.stores import TestStores

PREMIUM = c.row(
    "risk_class",
    "019a0000-0000-7000-8000-0000000000a9",
    {"prefix": "+34803", "risk": "special_rate", "country": "ES"},
)
PRICES = [("+34", "0.60"), ("+346", "1.20"), ("+33", "0.60"), ("+34803", "3.00")]


@pytest_asyncio.fixture(loop_scope="session")
async def story(stores: TestStores, tmp_path: Path) -> AsyncIterator[Story]:
    """A brand ready to call, everything about it in the worker's memory."""
    async with telling(stores.redis_url, tmp_path) as told:
        await told.configure(PREMIUM, c.deck(tmp_path / "rates", 2, PRICES), c.client(2, max_calls=0))
        await told.call()
        yield told


@contextmanager
def redis_away(stores: TestStores) -> Iterator[None]:
    """kill -9, and back at the end."""
    stores.valkey.kill()
    try:
        yield
    finally:
        stores.valkey.start()


async def policy(story: Story, outage_policy: str, **changes: Any) -> None:
    """The client's, known to the worker before anything is away."""
    await story.configure(c.client(3, max_calls=0, outage_policy=outage_policy, **changes))
    await story.call()


async def settled(story: Story) -> list[CallEnded]:
    """The ends told so far, once nothing waits on disk any more."""
    for _ in range(100):
        if len(story.parts.spool) == 0:
            return [event.read(CallEnded) for event in await story.events("call.ended.v1")]
        await asyncio.sleep(0.1)
    raise AssertionError(f"{len(story.parts.spool)} reports still wait")


NUMBERS = {"home": "600123123", "abroad": "0033123456789", "premium at home": "803123123"}


@pytest.mark.parametrize(
    ("outage_policy", "goes_out"),
    [("deny", set()), ("domestic", {"home"}), ("allow", {"home", "abroad", "premium at home"})],
)
async def test_the_clients_policy_decides_while_counters_are_away(
    story: Story, stores: TestStores, outage_policy: str, goes_out: set[str]
) -> None:
    """Unknown never means allowed: a premium number at home is not what `domestic` is meant for."""
    await policy(story, outage_policy)
    with redis_away(stores):
        for name, dialled in NUMBERS.items():
            answer = await story.post("/calls", c.call(request_user=dialled))
            if name in goes_out:
                assert answer.json()["decision"] == "allow", name
            else:
                assert (answer.status_code, answer.json()["code"]) == (503, "counters_unavailable")
                assert int(answer.headers["retry-after"]) > 0


async def test_a_call_of_an_outage_is_kept_on_disk_and_charged_once(story: Story, stores: TestStores) -> None:
    """Its end is acknowledged while Redis is away, so the edge forgets it: lost now, it is never paid."""
    await policy(story, "domestic")
    with redis_away(stores):
        call = await story.call()
        assert await story.report(call, "answered") == 503, "the edge repeats it; the end tells it too"
        story.clock.advance_s(90)
        ended = {"answered_at": story.now_s - 90, "ticket": call["ticket"], "cause": "normal"}
        for _ in range(2):
            assert await story.report(call, "ended", **ended) == 204
        assert len(story.parts.spool) == 1
        assert await story.report(call, "ended", answered_at=story.now_s - 90) == 503, "no ticket, no proof"
    [told] = await settled(story)
    assert (told.call.call_id, told.call.outage) == (call["call_id"], True)
    assert (told.duration_s, told.charge_micros) == (90, 1_800_000)
    assert (await story.usage())["unposted"] == "1.80"
    assert await story.report(call, "ended", **ended) == 204
    assert len(await settled(story)) == 1


async def test_what_the_balance_does_not_pay_is_told_as_the_operators_loss(
    story: Story, stores: TestStores
) -> None:
    """Without counters a call may overspend: never below zero, and counted."""
    await story.top_up(1_200_000, sequence=2)
    await policy(story, "allow")
    for held in await story.parts.store.live_calls():
        await story.report({"call_id": held.call_id}, "ended", cause="cancelled")
    before = len(await settled(story))
    with redis_away(stores):
        call = await story.call()
        story.clock.advance_s(100)
        ended = {"answered_at": story.now_s - 100, "ticket": call["ticket"]}
        assert await story.report(call, "ended", **ended) == 204
    told = (await settled(story))[before]
    assert (told.charge_micros, told.unbilled_s, told.unbilled_micros) == (1_200_000, 40, 800_000)
    assert (await story.usage())["available"] == "0.00"


async def test_an_ordinary_calls_end_is_the_edges_to_repeat(story: Story, stores: TestStores) -> None:
    """Redis knows the call and has it again when it is back: 503 until then."""
    call = await story.call()
    with redis_away(stores):
        assert await story.report(call, "ended", ticket=call["ticket"]) == 503
        assert len(story.parts.spool) == 0
    assert await story.report(call, "ended", ticket=call["ticket"]) == 204


async def test_a_call_without_a_readable_rate_is_priced_when_it_ends(story: Story, tmp_path: Path) -> None:
    """The deck is published and not on this host yet: the policy decides, and the price is that of then."""
    gone = c.row("deck", c.DECK, {"deck_id": c.DECK, "version": 9, "rows": 1, "sha256": "0" * 64}, 9)
    await story.configure(gone)
    denied = await story.call()
    assert (denied["reason"], denied["sip_code"], denied["retry_after_s"]) == ("rates_unavailable", 503, 5)
    await story.configure(c.client(3, max_calls=0, outage_policy="domestic"))
    assert (await story.call(request_user="0033123456789"))["reason"] == "rates_unavailable"
    call = await story.call()
    assert call["decision"] == "allow"
    assert await story.report(call, "answered") == 204
    story.clock.advance_s(60)
    assert await story.report(call, "ended", ticket=call["ticket"]) == 204
    assert len(story.parts.spool) == 1, "still no rates: settled now, it would be free"
    await story.configure(c.deck(tmp_path / "rates", 10, PRICES))
    [told] = await settled(story)
    assert (told.duration_s, told.charge_micros, told.call.outage) == (60, 1_200_000, True)
    assert told.call.tariff is not None


async def test_a_spooled_report_that_nobody_can_settle_is_put_aside(story: Story) -> None:
    """A damaged file must not stop the others, nor vanish."""
    folder = story.parts.settings.data / "spool"
    folder.mkdir()
    (folder / "17-damaged.json").write_bytes(b"{")
    await settled(story)
    assert [path.name for path in (folder / "refused").iterdir()] == ["17-damaged.json"]
    assert story.parts.spool.refused() == 1, "`call-control reconcile` says so"
