"""What one try means for the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notifier.domain.delivery import MAX_DELAY_S, History, Outcome, Result, State, delay_s, verdict

DAY_S = 24 * 3600
FIRST_MS = 1_000_000_000

CASES = [
    # outcome            tries  uncertain  hours   ->  state, uncertain, seconds until the next try
    (Result.ACCEPTED, 1, 0, 0, State.SENT, 0, None),
    (Result.ACCEPTED, 5, 1, 0, State.SENT, 1, None),
    (Result.REFUSED, 1, 0, 0, State.FAILED, 0, None),
    (Result.REFUSED, 2, 1, 0, State.FAILED, 1, None),
    (Result.TEMPORARY, 1, 0, 0, State.PENDING, 0, 30),
    (Result.TEMPORARY, 2, 0, 0, State.PENDING, 0, 60),
    (Result.TEMPORARY, 8, 0, 1, State.PENDING, 0, 3600),
    (Result.TEMPORARY, 60, 0, 2, State.PENDING, 0, 3600),
    (Result.TEMPORARY, 30, 0, 23.5, State.FAILED, 0, None),
    (Result.TEMPORARY, 2, 1, 0, State.UNCERTAIN, 1, 60),
    (Result.TEMPORARY, 30, 1, 23.5, State.UNCERTAIN, 1, None),
    (Result.UNKNOWN, 1, 0, 0, State.UNCERTAIN, 1, 30),
    (Result.UNKNOWN, 2, 1, 0, State.UNCERTAIN, 2, None),
]  # fmt: skip


@pytest.mark.parametrize(("result", "tries", "uncertain", "hours", "state", "count", "wait_s"), CASES)
def test_a_try_decides_about_the_next_one(
    result: Result, tries: int, uncertain: int, hours: float, state: State, count: int, wait_s: int | None
) -> None:
    """A wrong row here is a lost mail or a second one."""
    now_ms = FIRST_MS + round(hours * 3_600_000)
    history = History(tries, uncertain, FIRST_MS)
    found = verdict(Outcome(result, "x"), history, now_ms=now_ms, give_up_s=DAY_S, jitter=0.5)
    assert (found.state, found.uncertain_count) == (state, count)
    assert found.next_attempt_ms == (None if wait_s is None else now_ms + wait_s * 1000)
    assert found.final == (wait_s is None)


@given(st.integers(1, 1000), st.floats(0, 1))
def test_the_wait_grows_to_an_hour_and_never_past_its_spread(attempts: int, jitter: float) -> None:
    """Without a ceiling a mail waits for years; without a floor it hammers a server in trouble."""
    assert 22.5 <= delay_s(attempts, jitter) <= MAX_DELAY_S * 1.25
    assert delay_s(attempts, jitter) <= delay_s(attempts + 1, jitter)


def test_a_server_that_is_down_for_a_day_is_tried_about_thirty_times() -> None:
    """The whole schedule ends: every mail is sent, refused, uncertain or given up."""
    now_ms, tries = FIRST_MS, 0
    while True:
        tries += 1
        found = verdict(
            Outcome(Result.TEMPORARY, "down"),
            History(tries, 0, FIRST_MS),
            now_ms=now_ms,
            give_up_s=DAY_S,
            jitter=0.5,
        )
        if found.next_attempt_ms is None:
            break
        now_ms = found.next_attempt_ms
    assert (tries, found.state) == (30, State.FAILED)
