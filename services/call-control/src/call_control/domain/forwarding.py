"""Where a call goes instead of where it was meant to: values of filters and forwards, and the way so far.

Reasons are those of RFC 5806 section 5, as the Diversion header spells them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from landline.kernel.numbers import E164

from call_control.domain.match_list import MatchList
from call_control.domain.opening import Hours

MOST_HOPS: Final = 5
"""A call is forwarded so often at most (domain.md section 5)."""

REASONS: Final[Mapping[str, str]] = {
    "unconditional": "unconditional",
    "busy": "user-busy",
    "no_answer": "no-answer",
    "not_registered": "unavailable",
    "schedule": "time-of-day",
    "deflection": "deflection",
    "service": "unconditional",
}


@dataclass(frozen=True, slots=True)
class CallForward:
    """A forward of a device that is switched on: to a number, to the voicemail box of a device, or, only for
    `no_answer`, nowhere: it then only says how long the device rings."""

    kind: str
    number: E164 | None = None
    voicemail_device_id: str | None = None
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a call from outside passes before it reaches a number's target. Lists by their ids."""

    id: str
    name: str
    block_list_ids: tuple[str, ...] = ()
    allow_list_ids: tuple[str, ...] = ()
    allow_only: bool = False
    reject_anonymous: bool = False
    hours: Hours = field(default_factory=Hours)
    forward_when_closed: bool = False
    forward_always: bool = False
    number: E164 | None = None
    voicemail_device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Diverted:
    """A forward that a call is about to take: to `number`, because of `reason` (a key of REASONS)."""

    reason: str
    number: str


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What a forwarded leg knows of the call it goes on from: the number that forwards it (`ddi`, E.164, and
    its id), the original caller (E.164; empty: unknown), whether it withholds, why (a key of REASONS), and
    how often the call was forwarded, this time included."""

    ddi_id: str
    ddi: str
    caller: str
    withheld: bool
    reason: str
    hops: int = 1


Lists = Mapping[str, MatchList]
