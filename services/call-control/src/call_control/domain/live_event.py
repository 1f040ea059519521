"""What people who watch live calls are told, and where in the streams they are (contracts section 3). Pure.

A position names the last event by its stream (a brand's partition) and id; a brand's watcher resumes there
exactly. Who watches many partitions resumes the others at the watermark, up to which all were surely told:
it may hear a few seconds again, never miss one. `event_id` lets it drop what it has heard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from landline.contracts.call_control.events import (
    CallAdmitted,
    CallAnswered,
    CallCorrected,
    CallEnded,
    CallFacts,
    CallRejected,
    CallRinging,
    DailyUsageCrossed,
)
from landline.contracts.envelope import Envelope
from landline.kernel.clock import iso
from landline.kernel.ids import PARTITIONS
from landline.kernel.money import decimal_string

from call_control.domain.rejection import ANONYMOUS

SLACK_MS: Final = 5_000
"""By so much the clocks of a cluster's nodes may differ, and an entry be older than one already told."""
_POSITION = re.compile(r"(\d{1,15})-(\d{1,2})-(\d{1,15})-(\d{1,15})")


class NotAPosition(ValueError):
    """The text is no id that we gave."""


class EntryId(NamedTuple):
    """A stream entry's id; ids compare as they follow one another."""

    ms: int
    seq: int

    @classmethod
    def of(cls, text: str) -> EntryId:
        """From Redis' form, `1795348800000-0`."""
        ms, _, seq = text.partition("-")
        return cls(int(ms), int(seq or 0))

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


class Position(NamedTuple):
    """The `id:` of an event told: the next one follows it."""

    watermark_ms: int
    partition: int
    entry: EntryId

    @classmethod
    def parse(cls, text: str) -> Position:
        """Raises NotAPosition."""
        match = _POSITION.fullmatch(text)
        if match is None or int(match[2]) >= PARTITIONS:
            raise NotAPosition(text[:60])
        return cls(int(match[1]), int(match[2]), EntryId(int(match[3]), int(match[4])))

    def __str__(self) -> str:
        return f"{self.watermark_ms}-{self.partition}-{self.entry}"

    def in_stream(self, partition: int) -> EntryId:
        """After which entry of a partition's stream to go on."""
        return self.entry if partition == self.partition else EntryId(self.watermark_ms, 0)

    @property
    def oldest_ms(self) -> int:
        """No entry before this is wanted."""
        return min(self.watermark_ms, self.entry.ms)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose events somebody watches. `client`: as a client's administrator sees them."""

    brand_id: str | None = None
    client_id: str | None = None
    as_client: bool = False

    def covers(self, brand_id: str | None, client_id: str | None) -> bool:
        """Whether an event of these owners is theirs to see."""
        return self.brand_id in (None, brand_id) and self.client_id in (None, client_id)


def told(envelope: Envelope, as_client: bool) -> dict[str, Any] | None:
    """The event as JSON for its audience; None for what is not told.

    A client's administrator sees no money (its operator may hide prices), no carrier, no hidden caller.
    """
    data = _DATA.get(envelope.type)
    if data is None:
        return None
    kind, render = data
    found: dict[str, Any] = {
        "event_id": envelope.id,
        "at": envelope.occurred_at,
        "brand_id": envelope.brand_id,
        "client_id": envelope.client_id,
    }
    if envelope.call_id is not None:
        found["call_id"] = envelope.call_id
    rendered: dict[str, Any] = render(envelope.read(kind), as_client)
    return found | rendered


def shown_caller(facts: CallFacts, as_client: bool) -> str:
    """The caller, unless it withholds and the called client asks."""
    return ANONYMOUS if as_client and facts.hides_caller else facts.caller


def _facts(facts: CallFacts, as_client: bool) -> dict[str, Any]:
    return {
        "direction": facts.direction,
        "device_id": facts.device_id,
        "ddi_id": facts.ddi_id,
        "caller": shown_caller(facts, as_client),
        "callee": facts.callee,
        "class": facts.class_,
    }


def _admitted(event: CallAdmitted, as_client: bool) -> dict[str, Any]:
    return {"state": "admitted", **_facts(event.call, as_client)}


def _ringing(event: CallRinging, _as_client: bool) -> dict[str, Any]:
    return {"state": "ringing", "ringing_at": iso(event.at_ms)}


def _answered(event: CallAnswered, _as_client: bool) -> dict[str, Any]:
    return {"state": "answered", "answered_at": iso(event.answered_at_ms)}


def _ended(event: CallEnded, as_client: bool) -> dict[str, Any]:
    money = {} if as_client else {"charge": decimal_string(event.charge_micros)}
    return {
        "state": "ended",
        **_facts(event.call, as_client),
        "ended_at": iso(event.ended_at_ms),
        "duration_s": event.duration_s,
        "cause": event.cause,
        "ended_by": event.ended_by,
        "sip_code": event.sip_code,
        **money,
    }


def _corrected(event: CallCorrected, as_client: bool) -> dict[str, Any]:
    return _ended(event.ended, as_client)


def _rejected(event: CallRejected, as_client: bool) -> dict[str, Any]:
    hidden = as_client and event.withheld
    return {
        "reason": event.reason,
        "sip_code": event.sip_code,
        "direction": event.direction,
        "caller": ANONYMOUS if hidden else event.caller,
        "callee": event.callee,
        "attempt_id": event.attempt_id,
        **({} if as_client else {"detail": event.detail, "source_ip": event.source_ip}),
    }


def _crossed(event: DailyUsageCrossed, _as_client: bool) -> dict[str, Any]:
    return {"day": event.day, "threshold": event.threshold}


_DATA: Final[dict[str, tuple[Any, Any]]] = {
    CallAdmitted.TYPE: (CallAdmitted, _admitted),
    CallRinging.TYPE: (CallRinging, _ringing),
    CallAnswered.TYPE: (CallAnswered, _answered),
    CallEnded.TYPE: (CallEnded, _ended),
    CallCorrected.TYPE: (CallCorrected, _corrected),
    CallRejected.TYPE: (CallRejected, _rejected),
    DailyUsageCrossed.TYPE: (DailyUsageCrossed, _crossed),
}
_encode = msgspec.json.Encoder().encode


def sse(event: str, data: object, position: Position | None = None) -> bytes:
    """One server-sent event (WHATWG HTML, section 9.2)."""
    line = b"id: %b\n" % str(position).encode() if position is not None else b""
    return line + b"event: %b\ndata: %b\n\n" % (event.encode(), _encode(data))
