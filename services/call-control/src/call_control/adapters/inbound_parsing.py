"""Match lists, call filters and call forwards from rows as published; tolerant like `fact_parsing`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import structlog
from landline.kernel.numbers import E164

from call_control.domain.forwarding import CallFilter, CallForward
from call_control.domain.match_list import MatchList
from call_control.domain.opening import DAY_MIN, Hours, Opening

Row = Mapping[str, Any]
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
log = structlog.get_logger(__name__)


def match_lists(entries: Iterable[tuple[str, Row]]) -> dict[str, MatchList]:
    """Lists by id; a list without entries is not there, and lets everybody pass."""
    numbers: dict[str, list[str]] = defaultdict(list)
    regexes: dict[str, list[str]] = defaultdict(list)
    for _, row in entries:
        list_id = str(row["match_list_id"])
        if row.get("number"):
            numbers[list_id].append(row["number"])
        elif row.get("regex"):
            regexes[list_id].append(row["regex"])
    return {
        list_id: MatchList(numbers.get(list_id, ()), regexes.get(list_id, ()))
        for list_id in {*numbers, *regexes}
    }


def call_filters(rows: Iterable[tuple[str, Row]], timezone: str) -> dict[str, CallFilter]:
    """A client's filters by id; `timezone`: the client's."""
    return {filter_id: _filter(filter_id, row, timezone) for filter_id, row in rows}


def _filter(filter_id: str, row: Row, timezone: str) -> CallFilter:
    target = row.get("forward_target")
    return CallFilter(
        id=filter_id,
        name=row["name"],
        block_list_ids=tuple(row.get("block_list_ids") or ()),
        allow_list_ids=tuple(row.get("allow_list_ids") or ()),
        allow_only=row.get("allow_only", False),
        reject_anonymous=row.get("reject_anonymous", False),
        hours=Hours(
            openings=tuple(_opening(each) for each in row.get("schedule") or ()),
            closed_on=frozenset(date.fromisoformat(each) for each in row.get("closed_on") or ()),
            timezone=row.get("timezone") or timezone,
        ),
        forward_when_closed=row.get("out_of_schedule") == "forward" and target is not None,
        forward_always=row.get("unconditional_forward", False) and target is not None,
        number=E164(row["forward_number"]) if row.get("forward_number") else None,
        voicemail_device_id=row.get("forward_device_id"),
    )


def _opening(row: Row) -> Opening:
    days = sum(1 << _DAYS.index(day) for day in row.get("weekdays") or ())
    return Opening(days, _minute(row.get("start") or "00:00"), _minute(row.get("end") or "24:00") or DAY_MIN)


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def call_forwards(rows: Iterable[tuple[str, Row]]) -> dict[str, dict[str, CallForward]]:
    """Forwards that are switched on, by device and kind."""
    found: dict[str, dict[str, CallForward]] = defaultdict(dict)
    for _, row in rows:
        if row.get("enabled", True):
            forward = _forward(row)
            found[str(row["device_id"])][forward.kind] = forward
    return found


def _forward(row: Row) -> CallForward:
    box = row.get("voicemail_device_id") or row["device_id"] if row.get("target") == "voicemail" else None
    return CallForward(
        kind=row["kind"],
        number=E164(row["number"]) if row.get("number") else None,
        voicemail_device_id=box,
        timeout_s=row.get("no_answer_timeout_s"),
    )
