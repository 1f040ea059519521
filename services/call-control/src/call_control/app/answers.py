"""What the edge is told (contracts section 4): JSON that goes out and is kept for a repeated attempt."""

from __future__ import annotations

from typing import Final

import msgspec

from call_control.domain.admission.case import AnyTarget, Case, Leg
from call_control.domain.denials import Denial
from call_control.domain.media_place import DEFAULT, media_relay_set

MAX_ANSWER_BYTES: Final = 6_000
"""Kamailio's buffers (contracts section 4)."""
_COMPLETION_BYTES: Final = 800
ANONYMOUS: Final = "anonymous"
CHALLENGE: Final = b'{"decision":"challenge"}'


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """An allow without `ticket` and `max_duration_s`: they follow from the call and what was payable."""

    decision: str = "allow"
    call_id: str
    client_id: str
    brand_id: str
    device_id: str
    ddi_id: str | None
    billing_method: str
    call_class: str
    caller: str
    callee: str
    withhold: bool
    record: bool
    media_relay_set: str
    application_server: str
    language: str
    routes: tuple[Leg, ...]


class AllowInbound(msgspec.Struct, frozen=True, kw_only=True):
    """An allow of a call from outside, without `ticket` and `max_duration_s`."""

    decision: str = "allow"
    direction: str = "inbound"
    call_id: str
    client_id: str
    brand_id: str
    device_id: str | None
    ddi_id: str
    caller: str
    callee: str
    withhold: bool
    record: bool
    media_relay_set: str
    application_server: str
    language: str
    targets: tuple[AnyTarget, ...]


class Deny(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal: code, SIP answer, this call's figures, and the sentence that says what to do."""

    decision: str = "deny"
    attempt_id: str
    reason: str
    sip_code: int
    sip_reason: str
    retry_after_s: int | None
    announcement: str | None
    detail: str
    sentence: str


_encode = msgspec.json.Encoder().encode


def allow_answer(case: Case, call_id: str) -> bytes:
    """The answer as it is kept; `completed` adds the rest. Routes that would not fit are left out."""
    routes = case.legs
    while True:
        raw = _encode(
            Allow(
                call_id=call_id,
                client_id=case.client.id,
                brand_id=case.brand.id,
                device_id=case.device.id,
                ddi_id=case.ddi.id if case.ddi is not None else None,
                billing_method=case.client.billing_method,
                call_class=case.call_class,
                caller=case.shown,
                callee=case.callee,
                withhold=case.withhold,
                record=case.ddi is not None and case.ddi.record in ("outbound", "all"),
                media_relay_set=media_relay_set(case.brand, case.client),
                application_server=case.server,
                language=case.device.language or case.client.language,
                routes=routes,
            )
        )
        if len(raw) < MAX_ANSWER_BYTES - _COMPLETION_BYTES or len(routes) == 1:
            return raw
        routes = routes[:-1]


def inbound_answer(case: Case, call_id: str) -> bytes:
    """The answer to a call from outside as it is kept. A caller who withholds stays unknown to the device."""
    assert case.ddi is not None
    device = case.facts.device
    return _encode(
        AllowInbound(
            call_id=call_id,
            client_id=case.client.id,
            brand_id=case.brand.id,
            device_id=device.id if device is not None else None,
            ddi_id=case.ddi.id,
            caller=ANONYMOUS if case.withhold else case.shown,
            callee=case.callee,
            withhold=case.withhold,
            record=case.ddi.record in ("inbound", "all"),
            media_relay_set=media_relay_set(case.brand, case.client),
            application_server=case.server,
            language=case.ddi.language or (device.language if device else None) or case.client.language,
            targets=case.targets,
        )
    )


def completed(kept: bytes, ticket: str, max_duration_s: int) -> bytes:
    """The whole answer: ticket and duration at its end."""
    return b'%b,"ticket":"%b","max_duration_s":%d}' % (kept[:-1], ticket.encode(), max_duration_s)


def deny_answer(denial: Denial, attempt_id: str, server: str = DEFAULT) -> bytes:
    """The answer of a refusal."""
    return _encode(deny_of(denial, attempt_id, server))


def deny_of(denial: Denial, attempt_id: str, server: str = DEFAULT) -> Deny:
    """A refusal as the edge and a simulation tell it. `server`: of the client's announcements."""
    reason = denial.reason
    said = reason.announcement
    return Deny(
        attempt_id=attempt_id,
        reason=reason.code,
        sip_code=reason.sip_code,
        sip_reason=reason.sip_reason,
        retry_after_s=denial.retry_after_s or reason.retry_after_s,
        announcement=f"sip:ann+{said}@{server}" if said else None,
        detail=denial.detail,
        sentence=reason.sentence,
    )
