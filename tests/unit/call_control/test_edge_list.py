"""Lists of live calls, page by page: when a call that is not named is gone."""

from __future__ import annotations

from typing import Any

import pytest
from call_control.domain.edge_list import EdgeState, Page, hear

S = 1000
T0 = 1_000_000_000
SHARED_MS = 180 * S

# (seq, last, taken at s[, boot[, instance]]) ... -> after the last page: calls untouched since (s) are gone
Story = tuple[str, list[tuple[Any, ...]], int | None]
STORIES: list[Story] = [
    ("one complete list", [(1, True, 30)], None),
    ("two complete lists, numbered anew", [(1, True, 30), (1, True, 60)], 20),
    ("two complete lists, numbered on", [(7, True, 30), (8, True, 60)], None),
    ("three, numbered on from anywhere", [(7, True, 30), (8, True, 60), (9, True, 90)], 50),
    ("pages", [(0, False, 30), (1, True, 31), (0, False, 60), (1, True, 61)], 20),
    ("a page is missing", [(1, True, 30), (1, False, 60), (3, True, 61)], None),
    ("the first page is missing", [(1, True, 30), (2, True, 60), (5, True, 90)], None),
    ("the same page twice", [(1, True, 30), (1, True, 30)], None),
    ("a new boot", [(1, True, 30), (1, True, 60, "b2")], 30),
    ("a new boot in pages", [(1, True, 30), (0, False, 60, "b2"), (1, True, 61, "b2")], 30),
    ("a new boot, nothing complete yet", [(1, True, 30), (0, False, 60, "b2")], None),
    ("two instances on one key", [(1, True, 30), (1, True, 31, "x", "i2"), (1, True, 60)], None),
]


@pytest.mark.parametrize(("name", "pages", "gone_s"), STORIES, ids=[story[0] for story in STORIES])
def test_calls_are_gone_only_after_complete_lists(
    name: str, pages: list[tuple[Any, ...]], gone_s: int | None
) -> None:
    """A call declared gone too early loses its money and its hang-up; one never declared gone talks for
    free."""
    state, gone = EdgeState(), None
    for seq, last, taken_s, *who in pages:
        boot = who[0] if who else "b1"
        instance = who[1] if who[1:] else "i1"
        page = Page(instance, boot, seq, last, T0 + taken_s * S)
        heard = hear(state, page, page.taken_ms, SHARED_MS)
        state, gone = heard.state, heard.gone_until_ms
    assert gone == (None if gone_s is None else T0 + gone_s * S)


def test_the_state_survives_its_hash() -> None:
    """Another worker takes the next page."""
    state = hear(EdgeState(), Page("i", "b", 3, False, T0), T0, SHARED_MS).state
    assert EdgeState.of(state.as_texts()) == state
    assert EdgeState.of({}) == EdgeState()


def test_a_list_from_the_future_is_taken_as_of_now() -> None:
    """An edge clock that runs ahead would end calls that were admitted meanwhile."""
    heard = hear(EdgeState(), Page("i", "b", 1, True, T0 + 999 * S), T0, SHARED_MS)
    assert heard.state.complete_ms == T0
