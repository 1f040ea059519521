"""The working sheet of one decision: the question, the facts, and what the rules found so far.

A plain class with slots, filled by the steps in their order: an attribute is set from the step that owns it
on. On the hot path nothing else is built, and the trace is read off it afterwards, only where wanted.
"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple

import msgspec
from landline.numbering.transformations import TransformationSet

from call_control.domain.admission.request import CallRequest
from call_control.domain.facts import Arrival, BrandFacts, ClientFacts, Contact, Ddi, DeviceFacts, Facts
from call_control.domain.forwarding import Diverted
from call_control.domain.lease import FirstHold
from call_control.domain.live_call import Terms
from call_control.domain.media_place import application_server
from call_control.domain.rates import Priced

CallClass = Literal["normal", "emergency", "special"]


class Asked(NamedTuple):
    """A service that a code asks for, and what was dialled after the code."""

    service: str
    argument: str


class Challenge:
    """The request proves no identity: the edge asks for a digest first."""

    __slots__ = ("detail",)

    def __init__(self, detail: str) -> None:
        self.detail = detail


class ServiceAsked:
    """A device dialled a service code: nothing goes out, something is to be done for it.

    `target`: of a forward: number | voicemail, None to switch it off; `number` in E.164.
    """

    __slots__ = ("detail", "number", "service", "target")

    def __init__(
        self, service: str, detail: str, target: str | None = None, number: str | None = None
    ) -> None:
        self.service = service
        self.detail = detail
        self.target = target
        self.number = number


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One server to try, with all it is to be sent (contracts section 4, `routes`)."""

    carrier_id: str
    server_id: str
    uri: str
    outbound_proxy: str | None
    from_user: str
    from_display: str | None
    from_domain: str | None
    pai: str | None
    rpid: str | None
    privacy: str | None
    diversion: str | None
    auth_user: str | None
    auth_realm: str | None
    auth_ha1: str | None
    ring_timeout_s: int
    t38: bool
    srtp: bool


class Target(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="device"):
    """The device that a call from outside goes to (contracts section 4, `targets`)."""

    aor: str
    contacts: tuple[Contact, ...]
    parallel: bool
    ring_timeout_s: int
    request_user: str | None
    caller: str
    caller_name: str | None
    codecs: tuple[str, ...]
    srtp: bool
    t38: bool


class VoicemailTarget(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="voicemail"):
    """A voicemail box, as an address of the media endpoint."""

    uri: str

    @classmethod
    def of(cls, device_id: str, server: str) -> VoicemailTarget:
        """The box of a device has the device's id (decision 0021)."""
        return cls(uri=f"sip:vm+{device_id}@{server}")


class FaxTarget(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="fax"):
    """A fax box, as an address of the media endpoint."""

    uri: str

    @classmethod
    def of(cls, box: str, server: str) -> FaxTarget:
        """A box of the notifier."""
        return cls(uri=f"sip:fax+{box}@{server}")


AnyTarget = Target | VoicemailTarget | FaxTarget


class Case:
    """One call being decided. Attributes by the step that sets them; see `pipeline.STEPS`."""

    __slots__ = (
        "arrival", "asked", "brand", "brand_max_calls", "call_class", "callee", "caller", "cap_s",
        "client", "client_max_calls", "client_per_minute", "ddi", "device", "device_per_minute",
        "dialled", "diverted", "facts", "filtered_by", "hide_once", "hold", "hour_limit_micros", "legs",
        "now_ms", "on_net", "outage", "pinned", "priced", "random", "request", "risk", "shown",
        "shown_by", "source_by", "targets", "terms", "withhold",
    )  # fmt: skip

    request: CallRequest
    facts: Facts
    now_ms: int
    random: Random
    # identity
    brand: BrandFacts
    client: ClientFacts
    device: DeviceFacts
    # of a call from outside: its provider and number
    arrival: Arrival
    # dialled string
    dialled: str
    call_class: CallClass
    asked: Asked | None
    hide_once: bool | None
    # source filter
    source_by: str
    # numbers
    callee: str
    caller: str
    # presentation
    ddi: Ddi | None
    shown: str
    shown_by: str
    withhold: bool
    # barring; the script counts calls a minute (0: unlimited) and the hour's spend
    risk: str
    device_per_minute: int
    client_per_minute: int
    hour_limit_micros: int | None
    # on-net: the callee seems to be a number of this platform
    on_net: bool
    # routes
    legs: tuple[Leg, ...]
    # filter and target of a call from outside: where it goes, or by which forward it goes on
    filtered_by: str
    diverted: Diverted | None
    targets: tuple[AnyTarget, ...]
    # rate
    priced: Priced | None
    pinned: str | None
    outage: bool
    # caps
    cap_s: int
    # money
    terms: Terms
    hold: FirstHold
    brand_max_calls: int
    client_max_calls: int

    def __init__(self, request: CallRequest, facts: Facts, now_ms: int, random: Random) -> None:
        self.request = request
        self.facts = facts
        self.now_ms = now_ms
        self.random = random

    @property
    def server(self) -> str:
        """The application server of this call: of its boxes and announcements."""
        return application_server(self.brand, self.client, self.request.attempt_id)

    @property
    def emergency(self) -> bool:
        """Emergency calls skip whatever could refuse them (domain.md section 4.12)."""
        return self.call_class == "emergency"

    def transformations(self) -> TransformationSet | None:
        """How this caller dials: the device's set, else the client's, else none."""
        set_id = self.device.transformation_set_id or self.client.transformation_set_id
        return None if set_id is None else self.brand.sets.get(set_id)
