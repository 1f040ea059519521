"""What the doctor makes of a metrics page, and of all its findings together."""

from __future__ import annotations

import pytest
from landline.cli.findings import Finding
from landline.cli.health import Worst, _judged, _samples, worst

LAG = 'landline_stream_lag_entries{group="billing",stream="landline:calls"}'
DEAD = 'landline_stream_dead_letters_waiting{group="notifier",stream="landline:calls"}'


@pytest.mark.parametrize(
    ("page", "check", "state", "found"),
    [
        ("", "streams", "note", "no figures yet"),
        (f"{LAG} 0\n", "streams", "ok", "all consumers keep up"),
        (f"{LAG} 1000\n", "streams", "ok", "all consumers keep up"),
        (f"{LAG} 1001\n", "streams landline:calls of billing", "wrong", "1001 entries behind"),
        (f"{DEAD} 2\n", "dead letters landline:calls of notifier", "wrong", "2 entries given up"),
        ('landline_drift{kind="day"} 1\n', "drift day", "wrong", "1 counters differ"),
        ('landline_drift{kind="day"} 0\n', "drift", "ok", "counters agree with calls and ledger"),
        (
            'landline_stream_consumer_not_ready{group="billing"} 1\n',
            "consumers billing",
            "wrong",
            "1 waits for a store",
        ),
        ("other_metric 9\n", "streams", "note", "no figures yet"),
    ],
)
def test_figures_become_findings(page: str, check: str, state: str, found: str) -> None:
    """Each with what to do, when something is wrong."""
    findings = {f.check: f for f in _judged(dict(_samples(page)))}
    assert (findings[check].state, findings[check].found) == (state, found)
    assert bool(findings[check].remedy) == (state == "wrong")


def _finding(state: str, check: str) -> Finding:
    return Finding(state, check, "", "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("findings", "whole"),
    [
        ([("ok", "reach billing"), ("note", "drift")], Worst.OK),
        ([("warning", "reach billing")], Worst.OK),
        ([("ok", "reach billing"), ("wrong", "drift")], Worst.WRONG),
        ([("wrong", "reach billing"), ("ok", "reach notifier")], Worst.WRONG),
        ([("wrong", "reach billing"), ("wrong", "reach notifier")], Worst.UNREACHABLE),
    ],
)
def test_the_whole_is_what_its_worst_part_is(findings: list[tuple[str, str]], whole: Worst) -> None:
    """One service away is a fault; all away is another address, or no platform."""
    assert worst([_finding(state, check) for state, check in findings]) is whole
