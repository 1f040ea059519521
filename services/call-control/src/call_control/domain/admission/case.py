"""The working sheet of one decision: the question, the facts, and what the rules found so far.

A plain class with slots, filled by the steps in their order: an attribute is set from the step that owns it
on. On the hot path nothing else is built, and the trace is read off it afterwards, only where wanted.
"""

from __future__ import annotations

from random import Random
from typing import Annotated, Literal, NamedTuple

import msgspec
from landline.numbering.transformations import TransformationSet
from msgspec import Meta

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

    carrier_id: Annotated[str, Meta(description="UUID of the carrier.")]
    server_id: Annotated[str, Meta(description="UUID of its server: name it in `answered` and `ended`.")]
    uri: Annotated[str, Meta(description="Request-URI, with the number as this carrier wants it.")]
    outbound_proxy: Annotated[
        str | None, Meta(description="Where to send it instead of the URI's host; null: to the URI.")
    ]
    from_user: Annotated[str, Meta(description="User part of From.")]
    from_display: Annotated[str | None, Meta(description="Display name of From; null: none.")]
    from_domain: Annotated[str | None, Meta(description="Host of From; null: the edge's own choice.")]
    pai: Annotated[
        str | None,
        Meta(description="Value of P-Asserted-Identity; null: send none. Remove the device's in any case."),
    ]
    rpid: Annotated[str | None, Meta(description="Value of Remote-Party-ID; null: send none.")]
    privacy: Annotated[str | None, Meta(description="Value of Privacy; null: send none.")]
    diversion: Annotated[str | None, Meta(description="Value of Diversion (RFC 5806); null: send none.")]
    auth_user: Annotated[
        str | None, Meta(description="User name for the carrier's digest challenge; null: it asks for none.")
    ]
    auth_realm: Annotated[
        str | None, Meta(description="Realm that the credentials are for; null when there are none.")
    ]
    auth_ha1: Annotated[
        str | None,
        Meta(description="MD5 HA1 of the credentials, a secret: never log it. Null when there are none."),
    ]
    ring_timeout_s: Annotated[int, Meta(description="Seconds to let it ring.")]
    t38: Annotated[bool, Meta(description="Whether T.38 is to be offered.")]
    srtp: Annotated[bool, Meta(description="Whether media to the carrier is SRTP.")]


class Target(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="device"):
    """The device that a call from outside goes to (contracts section 4, `targets`)."""

    aor: Annotated[str, Meta(description="`user@domain` of the device: name it as `target` of `failed`.")]
    contacts: Annotated[tuple[Contact, ...], Meta(description="Where it is reached now; never empty.")]
    parallel: Annotated[bool, Meta(description="Ring all contacts at once; false: there is one.")]
    ring_timeout_s: Annotated[int, Meta(description="Seconds to let it ring before `failed` with 408.")]
    request_user: Annotated[
        str | None, Meta(description="User part for the Request-URI; null: the contact's own.")
    ]
    caller: Annotated[
        str, Meta(description="Number to show, as this device writes numbers; `anonymous` when withheld.")
    ]
    caller_name: Annotated[str | None, Meta(description="Display name to show; null: none.")]
    codecs: Annotated[tuple[str, ...], Meta(description="Codecs that the device may use, the best first.")]
    srtp: Annotated[bool, Meta(description="Whether media to the device is SRTP.")]
    t38: Annotated[bool, Meta(description="Whether the device takes T.38.")]


class VoicemailTarget(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="voicemail"):
    """A voicemail box, as an address of the media endpoint."""

    uri: Annotated[
        str, Meta(description="SIP URI of the box at the media endpoint: `sip:vm+<box>@<server>`.")
    ]

    @classmethod
    def of(cls, device_id: str, server: str) -> VoicemailTarget:
        """The box of a device has the device's id (decision 0021)."""
        return cls(uri=f"sip:vm+{device_id}@{server}")


class FaxTarget(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="fax"):
    """A fax box, as an address of the media endpoint."""

    uri: Annotated[
        str, Meta(description="SIP URI of the box at the media endpoint: `sip:fax+<box>@<server>`.")
    ]

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
