"""The envelope of every event (contracts section 5).

An event is one stream entry with one field, `event`, that holds the envelope as JSON.
type = `<noun>.<past-verb>.v<N>`; changes within a version only add.
"""

from __future__ import annotations

import builtins
from typing import Any, TypeVar

import msgspec

from landline.kernel.clock import iso
from landline.kernel.ids import new_id

FIELD = b"event"

T = TypeVar("T")


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One event as it travels. `data` is the event's own struct, kept raw until its type is known."""

    id: str
    type: str
    version: int
    occurred_at: str
    producer: str
    brand_id: str | None = None
    client_id: str | None = None
    call_id: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")

    def read(self, kind: builtins.type[T]) -> T:
        """The data as `kind`; msgspec.ValidationError (a ValueError) names the field that does not fit."""
        return msgspec.json.decode(self.data, type=kind)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every event's data. Subclasses set TYPE, such as `call.ended.v1`."""

    @classmethod
    def type_name(cls) -> str:
        """`call.ended.v1`: the class attribute TYPE."""
        return str(cls.TYPE)  # type: ignore[attr-defined]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Envelope)


def seal(
    event: Event,
    *,
    producer: str,
    now_ms: int,
    brand_id: str | None = None,
    client_id: str | None = None,
    call_id: str | None = None,
    event_id: str | None = None,
) -> bytes:
    """The event in its envelope, as the JSON bytes of the entry's `event` field."""
    name = event.type_name()
    return _encoder.encode(
        Envelope(
            id=event_id or new_id(),
            type=name,
            version=int(name.rpartition(".v")[2]),
            occurred_at=iso(now_ms),
            producer=producer,
            brand_id=brand_id,
            client_id=client_id,
            call_id=call_id,
            data=msgspec.Raw(_encoder.encode(event)),
        )
    )


def unseal(raw: bytes) -> Envelope:
    """An envelope from an entry's `event` field; msgspec.DecodeError when it is none."""
    return _decoder.decode(raw)


def fields(raw: bytes) -> dict[Any, Any]:
    """The XADD fields of a sealed event."""
    return {FIELD: raw}
