"""What the edge is told (contracts section 4): JSON that goes out and is kept for a repeated attempt."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from call_control.domain.admission.case import AnyTarget, Case, Leg
from call_control.domain.denials import Denial
from call_control.domain.media_place import DEFAULT, media_relay_set

MAX_ANSWER_BYTES: Final = 6_000
"""Kamailio's buffers (contracts section 4)."""
_COMPLETION_BYTES: Final = 800
ANONYMOUS: Final = "anonymous"
COUNTERS: Final = "counters"
"""The rule of a denial by the admission script."""
CHALLENGE: Final = b'{"decision":"challenge"}'


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What every allow tells, wherever the call goes on."""

    decision: Annotated[str, Meta(description="Always `allow`.")] = "allow"
    call_id: Annotated[
        str, Meta(description="Names the call in reports, lists and records: `<partition>-<UUID>`.")
    ]
    client_id: Annotated[str, Meta(description="UUID of the client whose call it is.")]
    brand_id: Annotated[str, Meta(description="UUID of its brand.")]
    caller: Annotated[
        str,
        Meta(description="The number shown, in E.164; `anonymous` to a called device when it is withheld."),
    ]
    callee: Annotated[
        str, Meta(description="The number called, in E.164; an emergency or special number as dialled.")
    ]
    withhold: Annotated[bool, Meta(description="Whether the caller's number is withheld (RFC 3323).")]
    record: Annotated[bool, Meta(description="Whether the media endpoint is to record the call.")]
    media_relay_set: Annotated[
        str, Meta(description="Name of the set of media relays to use; `default` when none is chosen.")
    ]
    application_server: Annotated[
        str, Meta(description="Media endpoint for this call's boxes and announcements.")
    ]
    language: Annotated[
        str, Meta(description="Of announcements: the number's, else the device's, else the client's.")
    ]


class Allow(Allowed, frozen=True, kw_only=True):
    """An allow without `ticket` and `max_duration_s`: they follow from the call and what was payable."""

    device_id: Annotated[str, Meta(description="UUID of the calling device.")]
    ddi_id: Annotated[str | None, Meta(description="UUID of the number (DDI) shown; null when none is.")]
    billing_method: Annotated[str, Meta(description="`prepaid`, `pseudoprepaid`, `postpaid` or `none`.")]
    call_class: Annotated[
        str, Meta(description="`normal`, `emergency` or `special`. An emergency call must never be cut.")
    ]
    routes: Annotated[
        tuple[Leg, ...],
        Meta(
            description="Servers to try in this order, at most 5; empty when the call stays on this platform."
        ),
    ]


class AllowInbound(Allowed, frozen=True, kw_only=True):
    """An allow of a call from outside, without `ticket` and `max_duration_s`."""

    direction: Annotated[str, Meta(description="Always `inbound`: go on by `targets`.")] = "inbound"
    device_id: Annotated[
        str | None, Meta(description="UUID of the called device; null where the number leads to none.")
    ]
    ddi_id: Annotated[str, Meta(description="UUID of the number (DDI) called.")]
    targets: Annotated[
        tuple[AnyTarget, ...],
        Meta(description="Where to send the call: a device, a voicemail box or a fax box."),
    ]


class LegCall(msgspec.Struct, frozen=True):
    """A call that shares the SIP dialog of the first one: it is listed, reported and ended with it."""

    call_id: Annotated[
        str, Meta(description="Names this call in a list; it is reported through the first one.")
    ]
    ticket: Annotated[str, Meta(description="This call's own ticket, for a resync.")]


class AllowOnward(Allowed, frozen=True, kw_only=True):
    """An allow of several calls in one SIP dialog, without `ticket` and `max_duration_s` of the first.

    `direction`: how the dialog goes on, by `routes` (outbound) or `targets` (inbound). `child_call_id`: the
    last of `legs`, whose way that is. `longest_s`: the least bound of all of them.
    """

    direction: Annotated[str, Meta(description="`outbound`: go on by `routes`; `inbound`: by `targets`.")]
    child_call_id: Annotated[
        str,
        Meta(
            description="The last of `legs`: send it as `leg_call_id` when this way was the one that "
            "was reached."
        ),
    ]
    legs: Annotated[
        tuple[LegCall, ...],
        Meta(
            description="The calls that share the dialog beside the first, in order. Heartbeats list "
            "them too."
        ),
    ]
    device_id: Annotated[
        str | None, Meta(description="UUID of the last call's device; null where it has none.")
    ]
    ddi_id: Annotated[
        str | None,
        Meta(
            description="UUID of the number (DDI) shown or called by the last call; null when there is none."
        ),
    ]
    billing_method: Annotated[
        str, Meta(description="Of the last call: `prepaid`, `pseudoprepaid`, `postpaid` or `none`.")
    ]
    call_class: Annotated[str, Meta(description="Of the last call: `normal`, `emergency` or `special`.")]
    routes: Annotated[
        tuple[Leg, ...],
        Meta(
            description="Of the last call, when outbound: servers to try in this order, at most 5; else "
            "empty."
        ),
    ]
    targets: Annotated[
        tuple[AnyTarget, ...],
        Meta(description="Of the last call, when inbound: where to send it; else empty."),
    ]
    longest_s: Annotated[
        int,
        Meta(
            description="Seconds: the least bound of all the calls. `max_duration_s` takes it into account."
        ),
    ]


class Deny(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal: code, SIP answer, this call's figures, and the sentence that says what to do."""

    decision: Annotated[str, Meta(description="Always `deny`.")] = "deny"
    attempt_id: Annotated[
        str, Meta(description="The attempt refused; after `failed`: the call and what failed.")
    ]
    reason: Annotated[
        str, Meta(description="Machine code, such as `max_calls_reached`; the codes never change.")
    ]
    sip_code: Annotated[int, Meta(description="Status to answer the caller with.")]
    sip_reason: Annotated[str, Meta(description="Reason phrase to answer with.")]
    retry_after_s: Annotated[
        int | None, Meta(description="Seconds for a Retry-After header; null: send none.")
    ]
    announcement: Annotated[
        str | None,
        Meta(
            description="SIP URI at the media endpoint that tells the caller; null: answer `sip_code` "
            "at once."
        ),
    ]
    detail: Annotated[str, Meta(description="This call's figures in words: `client limit 2, active 2`.")]
    sentence: Annotated[str, Meta(description="What the code means and what to do about it, for people.")]
    rule: Annotated[str, Meta(description="The step that refused; `counters` for limits and money.")]
    limit: Annotated[
        str | None, Meta(description="The limit that was met, as text; null where the reason has none.")
    ]
    value: Annotated[str | None, Meta(description="What met it, as text; null where the reason has none.")]
    remedy: Annotated[str, Meta(description="The part of `sentence` that says what to do.")]


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
                record=_recorded(case),
                media_relay_set=media_relay_set(case.brand, case.client),
                application_server=case.server,
                language=_language(case),
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
            record=_recorded(case),
            media_relay_set=media_relay_set(case.brand, case.client),
            application_server=case.server,
            language=_language(case),
            targets=case.targets,
        )
    )


def onward_answer(first: Case, last: Case, call_id: str, legs: tuple[LegCall, ...], longest: int) -> bytes:
    """The answer of a chain of calls as it is kept; of a chain of one, what a single call is answered."""
    if not legs:
        return (inbound_answer if first.facts.inbound else allow_answer)(first, call_id)
    routes = () if last.facts.inbound else last.legs
    while True:
        raw = _encode(_onward(first, last, call_id, legs, routes, longest))
        if len(raw) < MAX_ANSWER_BYTES - _COMPLETION_BYTES or len(routes) <= 1:
            return raw
        routes = routes[:-1]


def _onward(
    first: Case, last: Case, call_id: str, legs: tuple[LegCall, ...], routes: tuple[Leg, ...], longest: int
) -> AllowOnward:
    inbound = last.facts.inbound
    device = last.facts.device if inbound else last.device
    return AllowOnward(
        direction="inbound" if inbound else "outbound",
        call_id=call_id,
        child_call_id=legs[-1].call_id,
        legs=legs,
        client_id=last.client.id,
        brand_id=last.brand.id,
        device_id=device.id or None if device is not None else None,
        ddi_id=last.ddi.id if last.ddi is not None else None,
        billing_method=last.client.billing_method,
        call_class=last.call_class,
        caller=ANONYMOUS if last.withhold else last.shown,
        callee=last.callee,
        withhold=last.withhold,
        record=_recorded(first) or _recorded(last),
        media_relay_set=media_relay_set(last.brand, last.client),
        application_server=last.server,
        language=_language(last),
        routes=routes,
        targets=last.targets if inbound else (),
        longest_s=longest,
    )


def _recorded(case: Case) -> bool:
    wanted = ("inbound", "all") if case.facts.inbound else ("outbound", "all")
    return case.ddi is not None and case.ddi.record in wanted


def _language(case: Case) -> str:
    device = case.facts.device if case.facts.inbound else case.device
    own = case.ddi.language if case.facts.inbound and case.ddi is not None else None
    return own or (device.language if device is not None else None) or case.client.language


class _Kept(msgspec.Struct):
    decision: str = ""
    longest_s: int | None = None


_kept = msgspec.json.Decoder(_Kept)


def longest_s(answer: bytes) -> int | None:
    """The least bound of a kept answer's calls; None for a denial, and for a call that is alone."""
    return _kept.decode(answer).longest_s if answer else None


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
        rule=denial.step or COUNTERS,
        limit=denial.limit,
        value=denial.value,
        remedy=reason.remedy,
    )
