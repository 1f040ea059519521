"""Work beside the requests goes on, whatever fails (decision 0041)."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest
from landline.chassis.background import keep_on, pause, rounds
from landline.chassis.metrics import BACKGROUND_FAILURES
from structlog.testing import capture_logs


class Work:
    """Rounds that go as the script says: an error is raised, None works. The last one stops it all."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = list(script)
        self.stop = asyncio.Event()
        self.done = 0

    async def one_round(self) -> None:
        self.done += 1
        outcome = self.script.pop(0)
        if not self.script:
            self.stop.set()
        if outcome is not None:
            raise outcome

    async def loop(self, _stop: asyncio.Event) -> None:
        await self.one_round()


def failures(work: str) -> float:
    return float(BACKGROUND_FAILURES.labels(work)._value.get())


async def test_a_store_that_is_away_is_waited_out_told_once_and_not_counted() -> None:
    """A night without Postgres must neither fill the log nor page anybody for a fault of ours."""
    work = Work(OSError("away"), OSError("away"), None, OSError("away again"), None)
    with capture_logs() as log:
        await asyncio.wait_for(rounds("t1", work.one_round, work.stop, every_s=0.01), 5)
    assert work.done == 5
    assert [(each["log_level"], each["work"]) for each in log] == [("warning", "t1")] * 2
    assert failures("t1") == 0


async def test_a_fault_of_ours_is_counted_with_its_traceback_and_the_next_round_comes() -> None:
    """It must not end the process, which publishes events beside it; nor may it go unseen."""
    work = Work(ValueError("a bug"), None)
    with capture_logs() as log:
        await asyncio.wait_for(rounds("t2", work.one_round, work.stop, every_s=0.01), 5)
    assert work.done == 2
    assert [(each["log_level"], str(each["exc_info"])) for each in log] == [("error", "a bug")]
    assert failures("t2") == 1


async def test_a_failed_round_is_repeated_long_before_the_next_one_is_due() -> None:
    """Keys that could not be published for want of Redis must not wait an hour."""
    work = Work(OSError("away"), None)
    await asyncio.wait_for(rounds("t3", work.one_round, work.stop, every_s=3600), 5)
    assert work.done == 2


@pytest.mark.parametrize("error", [OSError("away"), ValueError("a bug")])
async def test_a_loop_that_raises_is_begun_anew(error: Exception) -> None:
    """Else a lost connection would end it for good."""
    work = Work(error, None)
    await asyncio.wait_for(keep_on("t4", work.loop, work.stop), 5)
    assert work.done == 2


async def test_stopping_ends_the_longest_pause_at_once() -> None:
    """A process that is told to stop must not be killed for want of patience."""
    stop, began = asyncio.Event(), monotonic()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    await pause(stop, 3600)
    assert monotonic() - began < 5
