"""Reading what an edge sends: bounded, decoded once, refused with the names of the fields that do not fit.

The hot path pays for one decode. Only a body that is refused is taken apart again, to name all its fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from landline.chassis.problems import FieldError, InvalidInput, PayloadTooLarge
from landline.kernel.clock import to_ms
from starlette.types import Receive

from call_control.domain.admission.request import MAX_DIGITS, NUMBER_FIELDS, USER_PARTS, CallRequest
from call_control.domain.admission.source_filter import address

MAX_BODY_BYTES: Final = 65_536
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_AT_FIELD = re.compile(r" - at `\$\.?(.*)`$")
_CODES = (("missing required", "required"), ("unknown field", "unknown_field"))
_NAMED = re.compile(r"field `(.*?)`")

_MALFORMED = FieldError("body", "malformed_json", "the body is not readable JSON")

T = TypeVar("T")
Asked = TypeVar("Asked", bound=CallRequest)


async def read_body(receive: Receive) -> bytes:
    """The whole body; PayloadTooLarge above MAX_BODY_BYTES, before more of it is taken."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False) and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"at most {MAX_BODY_BYTES} bytes")
    return body


class BodyReader:
    """Decodes one kind of body. `read` raises InvalidInput with every field that does not fit."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, body: bytes) -> Any:
        """The body as its struct."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise InvalidInput(_all_errors(self._kind, body) or [_field_error(error, "")]) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInput([_MALFORMED]) from None


_calls = BodyReader(CallRequest)


def read_call_request(body: bytes) -> CallRequest:
    """A `POST /calls` body. Raises InvalidInput."""
    request: CallRequest = _calls.read(body)
    if b"\\" in body or b"\x7f" in body or not body.isascii():
        # Only here can a control character be: JSON has none unescaped below 0x20.
        _refuse(_control_errors(request))
    return _with_checked_values(request)


def check_call_request(request: Asked) -> Asked:
    """As `read_call_request`, for a request that came another way. Raises InvalidInput."""
    _refuse(_control_errors(request))
    return _with_checked_values(request)


def _with_checked_values(request: Asked) -> Asked:
    """The request, its source in the one form in which addresses are compared: `::ffff:192.0.2.1` is IPv4."""
    if any(len(getattr(request, name) or "") > MAX_DIGITS for name in NUMBER_FIELDS):
        _refuse(_digit_errors(request))
    try:
        source = address(request.source_ip)
    except ValueError:
        fault = FieldError("source_ip", "not_an_address", "must be an IPv4 or IPv6 address")
        raise InvalidInput([fault]) from None
    return msgspec.structs.replace(request, source_ip=str(source)) if ":" in request.source_ip else request


def _refuse(errors: Iterable[FieldError]) -> None:
    found = list(errors)
    if found:
        raise InvalidInput(found)


def _control_errors(request: CallRequest) -> Iterable[FieldError]:
    message = "must not hold control characters"
    for name in USER_PARTS:
        if _CONTROL.search(getattr(request, name) or ""):
            yield FieldError(name, "control_character", message)
    for index, each in enumerate(request.diversion or ()):
        if _CONTROL.search(each.number) or _CONTROL.search(each.reason or ""):
            yield FieldError(f"diversion.{index}", "control_character", message)


def refuse_control(field: str, text: str) -> None:
    """InvalidInput for a text that will become part of a SIP message and holds a control character."""
    if _CONTROL.search(text):
        _refuse([FieldError(field, "control_character", "must not hold control characters")])


_DIGITS = re.compile(rf"[0-9]{{{MAX_DIGITS + 1},}}")


def _digit_errors(request: CallRequest) -> Iterable[FieldError]:
    for name in NUMBER_FIELDS:
        if _DIGITS.search(getattr(request, name) or ""):
            yield FieldError(name, "too_long", f"a number has at most {MAX_DIGITS} digits")


def _all_errors(kind: Any, body: bytes) -> list[FieldError]:
    """Every field that does not fit, found by converting each one for itself."""
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if not isinstance(given, dict):
        return [FieldError("body", "wrong_type", "must be a JSON object")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    unknown = [name for name in given if name not in fields]
    errors = [FieldError(name[:100], "unknown_field", "is not known") for name in unknown]

    for name, field in fields.items():
        if name not in given:
            if field.required:
                errors.append(FieldError(name, "required", "is missing"))
            continue
        try:
            msgspec.convert(given[name], field.type)
        except msgspec.ValidationError as error:
            errors.append(_field_error(error, name))
    return errors


def _field_error(error: msgspec.ValidationError, name: str) -> FieldError:
    """msgspec's sentence as ours; its path below the field becomes dotted: `calls.0.call_id`."""
    text = str(error)
    at = _AT_FIELD.search(text)
    below = re.sub(r"\[(.*?)\]", r".\1", at[1]).strip(".") if at else ""
    message = _AT_FIELD.sub("", text)
    missing = _NAMED.search(message)
    code = next((code for said, code in _CODES if said in message), "invalid")
    path = ".".join(part for part in (name, below, missing[1] if missing else "") if part)
    return FieldError(path or "body", code, message)


def moment_ms(value: str | float | int, field: str = "at") -> int:
    """An `at` field in Unix ms: ISO 8601 with a zone, or epoch seconds. Raises InvalidInput."""
    try:
        if isinstance(value, str):
            return to_ms(datetime.fromisoformat(value))
        if 0 <= value < 1e11:
            return round(value * 1000)
    except (ValueError, OverflowError):
        pass
    raise InvalidInput([FieldError(field, "not_a_time", "ISO 8601 with a zone, or epoch seconds")])
