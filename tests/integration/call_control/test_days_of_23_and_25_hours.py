"""Daily usage over changes of the clocks: a day is what the family's calendar says (domain.md section 6)."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from call_control.app.record_answer import record_answer
from call_control.app.record_end import EndReport, record_end
from call_control.domain.live_call import Terms
from landline.contracts.call_control.events import CallEnded

from tests.support.calls import new_call
from tests.support.money_world import KEY, SILENT_MS, World

EUR = 1_000_000
LIMITED = Terms(rule="postpaid", limit_micros=EUR)


def moment(text: str, zone: str) -> int:
    """Local time, the first of two where the clock goes back, in Unix ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Madrid", "2026-03-29", 23),
        ("Europe/Madrid", "2026-10-25", 25),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),  # half an hour
        ("Asia/Kolkata", "2026-10-25", 24),
    ],
)
async def test_the_limit_lasts_as_long_as_the_day(world: World, zone: str, day: str, hours: float) -> None:
    """Spent in the first minute, refused until the last one, free in the first of the next day."""
    begin_ms = moment(f"{day}T00:00:00", zone)
    end_ms = begin_ms + round(hours * 3_600_000)

    async def admitted(at_ms: int) -> str | None:
        world.now_ms = at_ms
        new = new_call(0, at_ms, LIMITED, timezone=zone)
        reply = await world.calls.admit(new, at_ms)
        return new.facts.call_id if reply.status == "ADMITTED" else None

    assert await talked(world, await admitted(begin_ms + 1_000), begin_ms + 1_000, 60) == {day: 600_000}
    for at_ms in (begin_ms + 2 * 3_600_000, end_ms - 1_000):
        assert await admitted(at_ms) is None, "0.60 of 1.00 are spent: there is no room for 0.60"
    usage = await world.calls.client_usage(0, "client-1", zone, end_ms - 1)
    assert (usage.day, usage.day_spend_micros) == (day, 600_000)
    spent = await talked(world, await admitted(end_ms), end_ms, 10)
    assert list(spent.values()) == [100_000]
    assert day not in spent


async def talked(world: World, call_id: str | None, at_ms: int, seconds: int) -> dict[str, int]:
    """A call that was answered at once; what it spent on which day."""
    assert call_id is not None
    await record_answer(world.calls, call_id, at_ms, None, at_ms, SILENT_MS)
    over_ms = at_ms + seconds * 1_000
    await record_end(world.calls, call_id, EndReport(over_ms), over_ms, KEY)
    ended = [e.read(CallEnded) for e in await world.events("call.ended.v1") if e.call_id == call_id]
    return dict(ended[0].spend_by_day)
