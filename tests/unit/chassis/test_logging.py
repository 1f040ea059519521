"""Logs: one JSON line per event, bound to its request, without secrets."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import structlog
from landline.chassis.logging import bound, configure, get_logger


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """What was logged, line by line; logging is put back afterwards. Call `configure` in the test itself."""
    root = logging.getLogger()
    before, level = root.handlers, root.level

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield read
    root.handlers, root.level = before, level
    structlog.reset_defaults()


def test_a_line_carries_what_is_bound_to_it(lines: Any) -> None:
    """A call's lines must be found by its id, whoever wrote them: our code or a library's."""
    configure("INFO")
    with bound(call_id="1-abc", brand_id=None):
        get_logger("ours").info("admitted", routes=2)
        logging.getLogger("theirs").warning("slow %s", "thing")
    get_logger("ours").info("after")
    one, two, three = lines()
    assert (one["event"], one["call_id"], one["routes"], one["level"]) == ("admitted", "1-abc", 2, "info")
    assert (two["event"], two["call_id"]) == ("slow thing", "1-abc")
    assert "call_id" not in three
    assert "brand_id" not in one


@pytest.mark.parametrize(
    "key", ["password", "access_token", "authorization", "ha1_sha256", "otp", "internal_key", "secret"]
)
def test_secrets_are_masked_by_their_name(lines: Any, key: str) -> None:
    """Also inside a dictionary."""
    configure("INFO")
    get_logger("ours").info("event", **{key: "hunter2", "given": {key: "hunter2", "name": "n"}})
    (line,) = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["given"]["name"] == "n"


def test_an_absurdly_long_value_is_cut(lines: Any) -> None:
    """One request must not fill a disk."""
    configure("INFO")
    get_logger("ours").info("event", text="x" * 100_000)
    (line,) = lines()
    assert len(line["text"]) < 3_000


def test_an_exception_is_one_line(lines: Any) -> None:
    """A traceback over forty lines cannot be searched."""
    configure("INFO")
    try:
        raise ValueError("broken")
    except ValueError:
        get_logger("ours").exception("failed")
    (line,) = lines()
    assert "ValueError: broken" in line["exception"]
