"""What a call filter and a call forward may say: pure, so that every refusal is a line of a table test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Refusal = tuple[str, str, str]
"""Field, code, message."""

MOST_TIMEOUT_S = 180
DEFAULT_TIMEOUT_S = 10


def filter_refusals(new: Mapping[str, Any]) -> Iterator[Refusal]:
    """A forward has one target, and a filter that never forwards has none."""
    closes = bool(new["schedule"] or new["closed_on"])
    forwards = new["unconditional_forward"] or (closes and new["out_of_schedule"] == "forward")
    if forwards and new["forward_target"] is None:
        yield "forward_target", "required", "say where the calls go"
    if new["out_of_schedule"] == "forward" and not closes:
        yield "out_of_schedule", "needs_schedule", "a filter without schedule is never out of it"
    if new["allow_only"] and not new["allow_list_ids"]:
        yield "allow_list_ids", "required", "with allow_only and no list, nobody could call"
    yield from _goes_with(new, "forward_target", "number", "forward_number")
    yield from _goes_with(new, "forward_target", "voicemail", "forward_device_id")


def forward_refusals(new: Mapping[str, Any]) -> Iterator[Refusal]:
    """Number and box go with their target; the timeout with no answer. Only that may lead nowhere: it then
    says how long the device rings."""
    yield from _goes_with(new, "target", "number", "number")
    if new["target"] != "voicemail" and new["voicemail_device_id"] is not None:
        yield "voicemail_device_id", "target_mismatch", "goes with target voicemail, and only with it"
    if new["target"] is None and new["kind"] != "no_answer":
        yield "target", "required", "only no_answer may have no target"
    if new["kind"] != "no_answer" and new["no_answer_timeout_s"] is not None:
        yield "no_answer_timeout_s", "not_for_kind", "goes with kind no_answer, and only with it"


def _goes_with(new: Mapping[str, Any], target: str, value: str, field: str) -> Iterator[Refusal]:
    if (new[field] is not None) != (new[target] == value):
        yield field, "target_mismatch", f"goes with target {value}, and only with it"
