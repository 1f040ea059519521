"""What the store answers: a status that some test reaches, with the figures that explain it.

Money in micros; `None` for available and room means unlimited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
from landline.contracts.call_control.events import CallFacts

from call_control.domain.live_call import LiveCall, Terms


class Status(StrEnum):
    """Every status of every script (`lua/*.lua`)."""

    ADMITTED = "ADMITTED"
    TOO_FAST = "TOO_FAST"
    HOUR_LIMIT = "HOUR_LIMIT"
    DUPLICATE = "DUPLICATE"
    CALL_OVER = "CALL_OVER"
    MAX_CALLS_BRAND = "MAX_CALLS_BRAND"
    MAX_CALLS_CLIENT = "MAX_CALLS_CLIENT"
    MAX_CALLS_DEVICE = "MAX_CALLS_DEVICE"
    LINKED = "LINKED"
    LEFT = "LEFT"
    DAILY_LIMIT = "DAILY_LIMIT"
    NO_CREDIT = "NO_CREDIT"
    SHORT = "SHORT"
    REJECTED = "REJECTED"
    RINGING = "RINGING"
    ANSWERED = "ANSWERED"
    EXTENDED = "EXTENDED"
    DEFERRED = "DEFERRED"
    ENDED = "ENDED"
    CORRECTED = "CORRECTED"
    ALREADY = "ALREADY"
    ALREADY_ENDED = "ALREADY_ENDED"
    NOT_LOST = "NOT_LOST"
    CONFLICT = "CONFLICT"
    UNKNOWN = "UNKNOWN"
    LIVE = "LIVE"
    APPLIED = "APPLIED"
    STALE = "STALE"
    GAP = "GAP"
    RESERVED = "RESERVED"
    RELEASED = "RELEASED"
    REPAIRED = "REPAIRED"
    CHANGED = "CHANGED"
    LISTED = "LISTED"
    KEPT = "KEPT"
    FULL = "FULL"
    HELD = "HELD"
    TAKEN = "TAKEN"


class NewCall(msgspec.Struct, frozen=True, kw_only=True):
    """An admission to be committed. `hold_micros` pays `covered_s`; `floor_micros` < hold: SHORT may come.

    `answer`: opaque bytes, given back when the attempt is repeated; leave out what follows from
    `payable_micros` (max_duration_s). `attempt_id`: the edge's, unique with `facts.edge_id`.
    """

    facts: CallFacts
    attempt_id: str
    terms: Terms
    answer: bytes
    brand_max_calls: int = 0
    client_max_calls: int = 0
    device_per_minute: int = 0
    client_per_minute: int = 0
    hold_micros: int = 0
    floor_micros: int = 0
    covered_s: int = 0
    device_max_calls: int | None = None
    """Of a received call that takes a line of its device (0 = unlimited); None: it takes none."""
    forced: bool = False
    """The call talks already (restored from its ticket): no limit and no balance can refuse it."""


class AdmitReply(msgspec.Struct, frozen=True):
    """ADMITTED (payable_micros); DUPLICATE (call, or denial); CALL_OVER (call); MAX_CALLS_BRAND and
    MAX_CALLS_CLIENT (limit, active); DAILY_LIMIT (limit, spend, held, room); NO_CREDIT (available);
    SHORT (available, room); TOO_FAST (whose, limit, active: calls of the minute, retry_ms); HOUR_LIMIT
    (limit, spend, held). `crossed`: daily thresholds first reached by this."""

    status: Status
    payable_micros: int | None = None
    call: LiveCall | None = None
    denial: bytes | None = None
    limit: int = 0
    active: int = 0
    spend_micros: int = 0
    held_micros: int = 0
    available_micros: int | None = None
    room_micros: int | None = None
    crossed: tuple[int, ...] = ()
    whose: str = ""
    retry_ms: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A report's answer. `rev`: after the change, or what CONFLICT met. `state`: what ALREADY met."""

    status: Status
    rev: int = 0
    state: str = ""
    available_micros: int | None = None
    room_micros: int | None = None
    crossed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectReply:
    """REJECTED (count of the day) or DUPLICATE (the answer that stands: a denial, or a call id)."""

    status: Status
    count: int = 0
    denial: bytes | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class TouchReply:
    """LIVE (state, answered_ms, cut_at_ms, rev), ENDED or UNKNOWN. `extendable`: answered, and what could be
    paid at its admission bounds it."""

    status: Status
    state: str = ""
    answered_ms: int | None = None
    cut_at_ms: int | None = None
    rev: int = 0
    extendable: bool = False


@dataclass(frozen=True, slots=True)
class PostingReply:
    """APPLIED (was_waiting), STALE or GAP (applied_seq)."""

    status: Status
    applied_seq: int = 0
    was_waiting: bool = False


@dataclass(frozen=True, slots=True)
class ClientUsage:
    """`clients/{id}/usage`: counters of a client and of its local day, in micros."""

    active_calls: int
    settled_micros: int
    unposted_micros: int
    held_micros: int
    applied_seq: int
    day: str
    day_spend_micros: int
    day_held_micros: int
    day_begun_micros: int
    rejected: int = 0
    """Calls refused in this UTC day, kept or not."""
    recent: str = ""
    """Calls of the last minute (`domain.velocity`)."""
    hour_micros: int = 0
    """What calls cost that ended in this hour."""
    device_lines: Mapping[str, int] = field(default_factory=dict)
    """Device id -> received calls that it has now."""

    @property
    def available_micros(self) -> int:
        """settled - unposted - held (architecture section 3)."""
        return self.settled_micros - self.unposted_micros - self.held_micros
