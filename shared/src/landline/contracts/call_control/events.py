"""Events of the `calls` stream. Money in micros (int), moments in Unix ms (`_ms`), durations in seconds.

`call.ended.v1` is complete by itself: billing rates, records and posts a call from it alone.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from landline.contracts.envelope import Event


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What never changes about an admitted call; kept with the call, in its ticket and in its events."""

    call_id: str
    brand_id: str
    client_id: str
    direction: str  # outbound | inbound
    caller: str  # presentation number, E.164 (the DDI's number)
    callee: str  # E.164
    billing_method: str  # postpaid | prepaid | pseudoprepaid | none
    currency: str
    timezone: str  # of the client: its local day
    admitted_at_ms: int
    device_id: str | None = None
    ddi_id: str | None = None
    endpoint_type: str = "device"  # device | fax
    sip_call_id: str | None = None
    edge_id: str | None = None
    tariff: str | None = None  # landline.rating.tariff.dumps, pinned at admission; None: unpriced
    daily_limited: bool = False  # a daily limit was in force: charge never above what was held
    lease_s: int = 60
    cap_s: int = 10_800  # the longest the call may last
    class_: str = msgspec.field(default="normal", name="class")  # normal | emergency | special
    outage: bool = False  # admitted by the outage policy, without counters
    withheld: bool = False  # the caller asked to stay unknown: a called client sees `anonymous`
    parent_call_id: str | None = None  # the call of the same SIP dialog that this one goes on from
    hops: int = 0  # how often the call was forwarded so far
    on_net: bool = False  # both ends are numbers of this platform: no carrier, cost 0

    @property
    def hides_caller(self) -> bool:
        """The caller is somebody else's and withholds: the call's own client reads `anonymous`."""
        return self.withheld and (self.direction == "inbound" or self.parent_call_id is not None)


class CallAdmitted(Event, frozen=True, kw_only=True):
    """A call may go on; its slot and its first hold are taken."""

    TYPE: ClassVar[str] = "call.admitted.v1"
    call: CallFacts
    held_micros: int


class CallRinging(Event, frozen=True, kw_only=True):
    """The called side rings."""

    TYPE: ClassVar[str] = "call.ringing.v1"
    at_ms: int


class CallAnswered(Event, frozen=True, kw_only=True):
    """Conversation begins: billing time counts from here."""

    TYPE: ClassVar[str] = "call.answered.v1"
    answered_at_ms: int
    server_id: str | None = None


class CallEnded(Event, frozen=True, kw_only=True):
    """The call is over and settled; everything its record and its charge need."""

    TYPE: ClassVar[str] = "call.ended.v1"
    call: CallFacts
    ended_at_ms: int
    answered_at_ms: int | None = None
    duration_s: int = 0  # billed seconds, domain section 6
    charge_micros: int = 0
    unbilled_s: int = 0  # overrun: talked, but not covered by what could be held
    unbilled_micros: int = 0
    spend_by_day: dict[str, int] = {}  # local ISO date -> micros; sums to charge_micros
    cause: str = "normal"  # normal | busy | no_answer | cancelled | failed | lost | credit ...
    ended_by: str = "edge"  # caller | callee | system | edge
    sip_code: int | None = None
    server_id: str | None = None
    carrier_id: str | None = None
    attempts: list[dict[str, int | str | None]] = []


class CallCorrected(Event, frozen=True, kw_only=True):
    """A call closed as lost was reported after all. Values are the new totals, not differences."""

    TYPE: ClassVar[str] = "call.corrected.v1"
    correction_id: str
    ended: CallEnded


class CallRejected(Event, frozen=True, kw_only=True):
    """An admission was refused; nothing was counted."""

    TYPE: ClassVar[str] = "call.rejected.v1"
    attempt_id: str
    reason: str
    sip_code: int
    detail: str
    at_ms: int
    direction: str = "outbound"
    source_ip: str | None = None
    device_id: str | None = None
    caller: str | None = None
    callee: str | None = None
    trace: list[dict[str, str]] = []
    rule: str = ""  # the step that refused
    limit: str | None = None  # the figure of that rule, and this call's
    value: str | None = None
    remedy: str = ""  # what to do about it, a sentence
    withheld: bool = False  # the caller asked to stay unknown: clients see `anonymous`


class DailyUsageCrossed(Event, frozen=True, kw_only=True):
    """A client's spend crossed a percentage of its daily limit for the first time in its local day."""

    TYPE: ClassVar[str] = "daily_usage.crossed.v1"
    day: str  # local ISO date
    threshold: int  # percent
    limit_micros: int
    spend_micros: int
    currency: str
