"""From the lists that scripts return to the typed replies of `domain.replies`."""

from __future__ import annotations

from call_control.domain.replies import (
    AdmitReply,
    PostingReply,
    RejectReply,
    Reply,
    Status,
    TouchReply,
)

Raw = list[bytes]
_STATUSES = {status.value.encode(): status for status in Status}
_CHANGED = frozenset({Status.RINGING, Status.ANSWERED, Status.EXTENDED, Status.ENDED, Status.CORRECTED})


def _optional(text: bytes) -> int | None:
    return int(text) if text else None


def _crossed(raw: Raw, first: int) -> tuple[int, ...]:
    return tuple(int(percent) for percent in raw[first:])


def admit_reply(raw: Raw) -> AdmitReply:
    """All of admit_call.lua but DUPLICATE, which the store resolves."""
    status = _STATUSES[raw[0]]
    match status:
        case Status.ADMITTED:
            return AdmitReply(status, payable_micros=_optional(raw[1]), crossed=_crossed(raw, 2))
        case Status.DAILY_LIMIT:
            limit, spend, held, room = map(int, raw[1:5])
            return AdmitReply(
                status,
                limit=limit,
                spend_micros=spend,
                held_micros=held,
                room_micros=room,
                crossed=_crossed(raw, 5),
            )
        case Status.TOO_FAST:
            limit, count, retry_ms = map(int, raw[2:5])
            whose = raw[1].decode()
            return AdmitReply(status, limit=limit, active=count, retry_ms=retry_ms, whose=whose)
        case Status.HOUR_LIMIT:
            limit, spend, held = map(int, raw[1:4])
            return AdmitReply(status, limit=limit, spend_micros=spend, held_micros=held)
        case Status.NO_CREDIT:
            return AdmitReply(status, available_micros=int(raw[1]))
        case Status.SHORT:
            return AdmitReply(status, available_micros=_optional(raw[1]), room_micros=_optional(raw[2]))
        case _:
            return AdmitReply(status, limit=int(raw[1]), active=int(raw[2]))


def reply(raw: Raw) -> Reply:
    """Of ring, answer, extend, defer, end, correct."""
    status = _STATUSES[raw[0]]
    if status in _CHANGED:
        return Reply(status, rev=int(raw[1]), crossed=_crossed(raw, 2))
    match status:
        case Status.SHORT:
            return Reply(status, available_micros=_optional(raw[1]), room_micros=_optional(raw[2]))
        case Status.CONFLICT:
            return Reply(status, rev=int(raw[1]), state=raw[2].decode())
        case Status.ALREADY:
            return Reply(status, state=raw[1].decode())
        case Status.ALREADY_ENDED:
            return Reply(status, rev=int(raw[3]), state="ended")
        case _:
            return Reply(status)


def reject_reply(raw: Raw) -> RejectReply:
    """Of reject_call.lua."""
    status = _STATUSES[raw[0]]
    if status is Status.REJECTED:
        return RejectReply(status, count=int(raw[1]))
    kind, _, rest = raw[1].partition(b":")
    if kind == b"deny":
        return RejectReply(status, denial=rest)
    return RejectReply(status, call_id=rest.decode())


def touch_reply(raw: Raw) -> TouchReply:
    """Of touch_call.lua."""
    status = _STATUSES[raw[0]]
    if status is not Status.LIVE:
        return TouchReply(status)
    state, cut_at_ms = raw[1].decode(), _optional(raw[3])
    extendable = state == "answered" and cut_at_ms is None and raw[5] != b""
    return TouchReply(status, state, _optional(raw[2]), cut_at_ms, int(raw[4]), extendable)


def posting_reply(raw: Raw) -> PostingReply:
    """Of apply_posting.lua and set_balance.lua."""
    status = _STATUSES[raw[0]]
    if status is Status.APPLIED:
        return PostingReply(status, was_waiting=raw[1] != b"0")
    return PostingReply(status, applied_seq=int(raw[1]))
