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

    number: Text128
    reason: Text64 | None = None
    counter: Annotated[int, Meta(ge=0, le=1000)] | None = 1


class CallRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new call an edge wants to connect. `auth_user` and `auth_realm` come from a verified digest only."""

    attempt_id: UuidText
    sip_call_id: Text256
    source_ip: Annotated[str, Meta(min_length=2, max_length=45)]
    request_user: Text128
    direction: Literal["outbound", "inbound"] | None = None
    source_port: Port | None = None
    transport: Text64 | None = None
    auth_user: Text128 | None = None
    auth_realm: Host | None = None
    from_user: Text128 | None = None
    from_domain: Host | None = None
    from_display: Text256 | None = None
    request_domain: Host | None = None
    asserted_identity: Text256 | None = None
    preferred_identity: Text256 | None = None
    remote_party_id: Text256 | None = None
    diversion: Annotated[list[Diversion], Meta(max_length=MAX_DIVERSIONS)] | None = None
    privacy: Text64 | None = None
    fax: bool = False
    user_agent: Text512 | None = None


USER_PARTS = (
    "auth_user", "auth_realm", "from_user", "from_domain", "from_display", "request_user", "request_domain",
    "asserted_identity", "preferred_identity", "remote_party_id", "privacy", "sip_call_id", "source_ip",
    "transport", "user_agent",
)  # fmt: skip
"""Fields that become part of a SIP message, a record or a log line: no control character may enter."""

NUMBER_FIELDS = ("request_user", "asserted_identity", "preferred_identity", "remote_party_id")
"""Fields that may hold a telephone number, limited to MAX_DIGITS digits."""

MAX_DIGITS = 32
"""15 of E.164, with room for an international prefix, a carrier code and the like."""
