"""A live call as Redis keeps it: read from its hash, typed, frozen.

Owns: the names of the hash's fields and what they mean. Changes happen in Lua only, guarded by `rev`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec
from landline.contracts.call_control.events import CallEnded, CallFacts
from landline.kernel.ids import CallId
from landline.rating.pinned import loads
from landline.rating.tariff import Tariff

UNBILLED: Final = "none"


class State(StrEnum):
    """admitted -> ringing -> answered -> ended; from each straight to ended."""

    ADMITTED = "admitted"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The money terms of a call, pinned at admission: a later change acts on later calls.

    `rule`: none | prepaid | pseudoprepaid | postpaid. `credit_micros`: of a postpaid client.
    `limit_micros`: of the client's local day. `thresholds`: percentages that are told of when first
    crossed; 100 is always one. `hour_limit_micros`: no new call once the hour's charges and all
    holds reach it. `day_short`: the day's limit, not the balance, bounds what a pseudo-prepaid call holds.
    """

    rule: str = UNBILLED
    credit_micros: int | None = None
    limit_micros: int | None = None
    thresholds: tuple[int, ...] = (80, 100)
    hour_limit_micros: int | None = None
    day_short: bool = False

    @property
    def beyond_hold_rule(self) -> str:
        """What limits a charge above the hold: only prepaid money does, credit was judged beforehand."""
        return self.rule if self.rule in ("prepaid", "pseudoprepaid") else UNBILLED


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call's state at revision `rev`. Money in micros, moments in Unix ms, lengths in seconds.

    `holds`: local day -> micros reserved on it; they sum to `held_micros`. `covered_s`: what the hold
    pays, counted from the answer. `confirmed_s`: the same when the edge last named the call. `lost`:
    closed without a report, one correction is still possible. `outcome`: how it ended.
    `received_by`: the device whose line it takes. `legs`: calls that were admitted with it for the same SIP
    dialog: the called side of an on-net call, a forwarded leg.
    """

    call_id: str
    state: State
    rev: int
    facts: CallFacts
    terms: Terms
    attempt_id: str = ""
    answer: bytes = b""
    held_micros: int = 0
    holds: Mapping[str, int] = field(default_factory=dict)
    payable_micros: int | None = None
    lease_no: int = 0
    covered_s: int = 0
    confirmed_s: int = 0
    touched_ms: int = 0
    due_ms: int = 0
    ringing_ms: int | None = None
    answered_ms: int | None = None
    cut_at_ms: int | None = None
    cut_cause: str = ""
    server_id: str | None = None
    ended_ms: int | None = None
    lost: bool = False
    outcome: CallEnded | None = None
    received_by: str = ""
    legs: tuple[str, ...] = ()

    @property
    def partition(self) -> int:
        return CallId.parse(self.call_id).partition

    @property
    def billed(self) -> bool:
        """Whether it costs: a tariff is pinned and the client is billed."""
        return self.facts.tariff is not None and self.facts.billing_method != UNBILLED

    @property
    def cuttable(self) -> bool:
        """Emergency calls are never cut (domain.md 4.12)."""
        return self.facts.class_ != "emergency"

    @property
    def tariff(self) -> Tariff:
        """The pinned tariff. Raises ValueError for a call without one."""
        if self.facts.tariff is None:
            raise ValueError(f"call {self.call_id} is not priced")
        return tariff_of(self.facts.tariff)


@lru_cache(maxsize=4096)
def tariff_of(text: str) -> Tariff:
    """A pinned tariff, decoded once for all the calls that carry the same text."""
    return loads(text)


_facts = msgspec.json.Decoder(CallFacts)
_terms = msgspec.json.Decoder(Terms)
_outcome = msgspec.json.Decoder(CallEnded)
_HOLD = b"hold:"


def parse_call(call_id: str, found: Mapping[bytes, bytes]) -> LiveCall:
    """The call of a hash that is not empty. Raises msgspec.DecodeError or KeyError for a foreign hash."""
    outcome = found.get(b"outcome")
    return LiveCall(
        call_id=call_id,
        state=State(found[b"state"].decode()),
        rev=int(found[b"rev"]),
        facts=_facts.decode(found[b"facts"]),
        terms=_terms.decode(found.get(b"terms") or b"{}"),
        attempt_id=found.get(b"attempt", b"").decode(),
        answer=found.get(b"answer", b""),
        held_micros=int(found.get(b"held", 0)),
        holds={k[len(_HOLD) :].decode(): int(v) for k, v in found.items() if k.startswith(_HOLD)},
        payable_micros=_optional(found.get(b"payable")),
        lease_no=int(found.get(b"lease_no", 0)),
        covered_s=int(found.get(b"covered_s", 0)),
        confirmed_s=int(found.get(b"confirmed_s", 0)),
        touched_ms=int(found.get(b"touched_ms", 0)),
        due_ms=int(found.get(b"due_ms", 0)),
        ringing_ms=_optional(found.get(b"ringing_ms")),
        answered_ms=_optional(found.get(b"answered_ms")),
        cut_at_ms=_optional(found.get(b"cut_at_ms")),
        cut_cause=found.get(b"cut_cause", b"").decode(),
        server_id=found.get(b"server_id", b"").decode() or None,
        ended_ms=_optional(found.get(b"ended_ms")),
        lost=found.get(b"lost") == b"1",
        outcome=_outcome.decode(outcome) if outcome else None,
        received_by=found.get(b"received_by", b"").decode(),
        legs=tuple(found.get(b"legs", b"").decode().split()),
    )


def _optional(text: bytes | None) -> int | None:
    return int(text) if text else None
