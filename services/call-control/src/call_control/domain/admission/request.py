"""What an edge asks (contracts section 4, `POST /calls`), with a limit on every field.

User parts are only limited here; what they mean is for the rules. Control characters are looked for by
`edge/reading.py`, where the raw body tells at once that there can't be any.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text64 = Annotated[str, Meta(max_length=64)]
Text128 = Annotated[str, Meta(max_length=128)]
Text256 = Annotated[str, Meta(max_length=256)]
Text512 = Annotated[str, Meta(max_length=512)]
Host = Annotated[str, Meta(max_length=253)]
Port = Annotated[int, Meta(ge=0, le=65535)]

UuidText = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![\s\S])")]
"""A UUID as text: parsing it into an object and back costs more than the whole identity rule.
The end is written as "nothing follows": `$` would let a last newline pass."""

MAX_DIVERSIONS = 10


class Diversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Diversion header (RFC 5806), the most recent first."""

    number: Annotated[Text128, Meta(description="User part of the diverting number.")]
    reason: Annotated[
        Text64 | None, Meta(description="Its `reason` parameter, without quotes; null when it has none.")
    ] = None
    counter: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="Its `counter`: how many diversions it stands for; null counts as 1."),
    ] = 1


class CallRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new call an edge wants to connect. `auth_user` and `auth_realm` come from a verified digest only."""

    attempt_id: Annotated[
        UuidText,
        Meta(
            description="A UUID, new for each initial INVITE transaction. Repeat the request with the "
            "same one: same answer."
        ),
    ]
    sip_call_id: Annotated[Text256, Meta(description="Call-ID of the INVITE, for records.")]
    source_ip: Annotated[
        str,
        Meta(
            min_length=2,
            max_length=45,
            description="Address that the INVITE came from, IPv4 or IPv6, as the edge saw it.",
        ),
    ]
    request_user: Annotated[
        Text128, Meta(description="User part of the Request-URI: what was dialled. At most 32 digits.")
    ]
    direction: Annotated[
        Literal["outbound", "inbound"] | None,
        Meta(description="Null: the source decides; the address of a DDI provider makes it inbound."),
    ] = None
    registration_id: Annotated[
        Text64 | None,
        Meta(
            description="Account at a DDI provider whose registered Contact was called: the provider "
            "follows from it, whatever the source."
        ),
    ] = None
    source_port: Annotated[Port | None, Meta(description="Port that the INVITE came from.")] = None
    transport: Annotated[Text64 | None, Meta(description="`udp`, `tcp` or `tls`, as it came.")] = None
    auth_user: Annotated[
        Text128 | None,
        Meta(
            description="User name of a digest that the edge has verified; null when none was. Never an "
            "unverified one."
        ),
    ] = None
    auth_realm: Annotated[
        Host | None, Meta(description="Realm of that digest, which is the brand's SIP domain.")
    ] = None
    from_user: Annotated[
        Text128 | None, Meta(description="User part of From. It identifies, and is no caller id.")
    ] = None
    from_domain: Annotated[Host | None, Meta(description="Host of From.")] = None
    from_display: Annotated[Text256 | None, Meta(description="Display name of From, without quotes.")] = None
    request_domain: Annotated[Host | None, Meta(description="Host of the Request-URI.")] = None
    asserted_identity: Annotated[
        Text256 | None,
        Meta(
            description="P-Asserted-Identity (RFC 3325), whole or its user part: the first choice as "
            "caller's number."
        ),
    ] = None
    preferred_identity: Annotated[
        Text256 | None, Meta(description="P-Preferred-Identity, likewise: the second choice.")
    ] = None
    remote_party_id: Annotated[
        Text256 | None, Meta(description="Remote-Party-ID, likewise: the third choice.")
    ] = None
    diversion: Annotated[
        Annotated[list[Diversion], Meta(max_length=MAX_DIVERSIONS)] | None,
        Meta(description="Diversion headers (RFC 5806), the most recent first, at most 10."),
    ] = None
    privacy: Annotated[
        Text64 | None,
        Meta(description="The Privacy header as it came (RFC 3323): `id` withholds the number."),
    ] = None
    fax: Annotated[bool, Meta(description="A fax, by its SDP: fax routes come first.")] = False
    user_agent: Annotated[
        Text512 | None, Meta(description="User-Agent of the device, for people who look into a failure.")
    ] = None


USER_PARTS = (
    "auth_user", "auth_realm", "from_user", "from_domain", "from_display", "request_user", "request_domain",
    "asserted_identity", "preferred_identity", "remote_party_id", "privacy", "sip_call_id", "source_ip",
    "registration_id", "transport", "user_agent",
)  # fmt: skip
"""Fields that become part of a SIP message, a record or a log line: no control character may enter."""

NUMBER_FIELDS = ("request_user", "asserted_identity", "preferred_identity", "remote_party_id")
"""Fields that may hold a telephone number, limited to MAX_DIGITS digits."""

MAX_DIGITS = 32
"""15 of E.164, with room for an international prefix, a carrier code and the like."""
