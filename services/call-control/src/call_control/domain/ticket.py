"""The ticket of a call: all that is needed to settle a call which call-control no longer remembers.

`allow` carries it, the edge keeps it with the dialog and gives it back with `ended` and on `resync`
(architecture 3.2). Form: base64url(16 bytes of keyed BLAKE2b (RFC 7693), one byte of form, the fields as
MessagePack with UUIDs in 16 bytes), at most 700 bytes. What would be longer is deflated, which takes three
times as long; form says which: 1 plain, 2 deflated.
It is signed, not secret: it holds what the edge knows anyway, and no money but the day's limit.
"""

from __future__ import annotations

import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
from landline.contracts.call_control.events import CallFacts
from msgspec.structs import astuple

from call_control.domain.live_call import Terms

MOST_BYTES: Final = 700
_MAC_BYTES: Final = 16
_MOST_KEY_BYTES: Final = 64
_MOST_PLAIN: Final = 4096
_ROOMY: Final = MOST_BYTES * 3 // 4 - _MAC_BYTES
_PLAIN, _DEFLATED = b"\x01", b"\x02"
_COMMON: Final = b'prepaidpostpaidoutbounddevicenormalEUREurope/Madrid+34{"c":"EUR","r":"half_up","f":"019'
"""What tickets have in common, so that deflate need not spell it: changing it breaks tickets in the wild."""


class TicketRefused(ValueError):
    """Not signed by us, damaged, or of another call."""


class _Fields(msgspec.Struct, array_like=True, frozen=True):
    facts: tuple[object, ...]
    terms: tuple[object, ...]


_FACTS: Final = CallFacts.__struct_encode_fields__
_TERMS: Final = Terms.__struct_encode_fields__
_PLAIN_TERMS: Final = astuple(Terms())
_IDS: Final = tuple(
    _FACTS.index(name) for name in ("brand_id", "client_id", "device_id", "ddi_id", "edge_id")
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Fields).decode


def sign_ticket(facts: CallFacts, terms: Terms, key: bytes) -> str:
    """The ticket of an admitted call. The same call gives the same ticket."""
    fields: list[object] = list(astuple(facts))
    for at in _IDS:
        fields[at] = _packed_id(fields[at])
    packed = _encode((fields, _without_defaults(astuple(terms))))
    body = _PLAIN + packed if len(packed) < _ROOMY else _DEFLATED + _deflated(packed)
    return urlsafe_b64encode(_mac(key, body) + body).rstrip(b"=").decode()


def open_ticket(ticket: str, call_id: str, key: bytes) -> tuple[CallFacts, Terms]:
    """Facts and terms of a ticket of this call. Raises TicketRefused."""
    try:
        raw = urlsafe_b64decode(ticket.encode("ascii") + b"=" * (-len(ticket) % 4))
    except ValueError:
        raise TicketRefused("not a ticket") from None
    body = raw[_MAC_BYTES:]
    if len(ticket) > 2 * MOST_BYTES or not hmac.compare_digest(raw[:_MAC_BYTES], _mac(key, body)):
        raise TicketRefused("signature")
    facts, terms = _opened(body)
    if facts.call_id != call_id:
        raise TicketRefused("of another call")
    return facts, terms


def _without_defaults(terms: tuple[object, ...]) -> tuple[object, ...]:
    """Without what stands at its default at the end: `_opened` takes shorter lists, as older tickets have."""
    length = len(terms)
    while length and terms[length - 1] == _PLAIN_TERMS[length - 1]:
        length -= 1
    return terms[:length]


def _opened(body: bytes) -> tuple[CallFacts, Terms]:
    try:
        fields = _decode(body[1:] if body[:1] == _PLAIN else _inflated(body[1:]))
        facts = list(fields.facts)
        for at in _IDS:
            facts[at] = _spelt_id(facts[at])
        # Older tickets have fewer fields: new ones are added at the end of the structs, with a default.
        return (
            msgspec.convert(dict(zip(_FACTS, facts, strict=False)), CallFacts),
            msgspec.convert(dict(zip(_TERMS, fields.terms, strict=False)), Terms),
        )
    except (zlib.error, msgspec.MsgspecError, ValueError) as error:
        raise TicketRefused(f"damaged: {error}") from None


@lru_cache(maxsize=200_000)
def _packed_id(text: object) -> object:
    """A UUID in its 16 bytes; whatever is not one stays as it is."""
    try:
        found = UUID(text) if isinstance(text, str) else None
    except ValueError:
        return text
    return found.bytes if found is not None and str(found) == text else text


def _spelt_id(packed: object) -> object:
    return str(UUID(bytes=packed)) if isinstance(packed, bytes) else packed


def _deflated(packed: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -12, zdict=_COMMON)
    return packer.compress(packed) + packer.flush()


def _inflated(packed: bytes) -> bytes:
    return zlib.decompressobj(-12, zdict=_COMMON).decompress(packed, _MOST_PLAIN)


def _mac(key: bytes, body: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC_BYTES, key=_fitting(key)).digest()


@lru_cache(maxsize=8)
def _fitting(key: bytes) -> bytes:
    """BLAKE2b takes keys of up to 64 bytes (RFC 7693 section 2.9)."""
    return key if len(key) <= _MOST_KEY_BYTES else blake2b(key).digest()
