"""Ids sort by time, are valid UUIDv7, and a call's id tells its partition."""

from __future__ import annotations

import re
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from landline.kernel.ids import CallId, NotACallId, new_id, uuid7


@given(st.integers(0, 2**48 - 1))
def test_an_id_is_a_uuid_of_version_7_with_its_moment_in_front(now_ms: int) -> None:
    """RFC 9562 section 5.7: whoever parses our ids must find version, variant and time."""
    made = UUID(new_id(now_ms))
    assert (made.version, made.variant, made.int >> 80) == (7, RFC_4122, now_ms)


def test_ids_of_later_moments_sort_later() -> None:
    """Keyset paging and monthly partitions rely on the order of ids."""
    assert new_id(1) < new_id(2) < new_id(3)


def test_ids_do_not_repeat() -> None:
    """74 random bits: two workers in the same millisecond must not meet."""
    assert len({new_id(0) for _ in range(20_000)}) == 20_000
    assert isinstance(uuid7(), UUID)


def test_a_call_id_survives_being_written_and_read() -> None:
    """Every report of an edge finds its partition by the call id alone."""
    made = CallId.new(63)
    assert CallId.parse(str(made)) == made
    assert re.fullmatch(r"63-[0-9a-f-]{36}", str(made))


@pytest.mark.parametrize(
    "text", ["", "64-" + new_id(), "-1-" + new_id(), "01-" + new_id(), new_id(), "1-x", "1-" + new_id() + "}"]
)
def test_anything_else_is_no_call_id(text: str) -> None:
    """It becomes part of a Redis key: a foreign text there would reach foreign data."""
    with pytest.raises(NotACallId):
        CallId.parse(text)
