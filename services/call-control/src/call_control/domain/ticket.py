"""The ticket of a call: all that is needed to settle a call which call-control no longer remembers.

`allow` carries it, the edge keeps it with the dialog and gives it back with `ended` and on `resync`
(architecture 3.2). Form: base64url(16 bytes of keyed BLAKE2b (RFC 7693), then the deflated fields), at most
700 bytes.
It is signed, not secret: it holds what the edge knows anyway, and no money but the day's limit.
"""

from __future__ import annotations

import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import msgspec
from landline.contracts.call_control.events import CallFacts
from msgspec.structs import astuple

from call_control.domain.live_call import Terms

MOST_BYTES: Final = 700
_MAC_BYTES: Final = 16
_MOST_KEY_BYTES: Final = 64
_MOST_PLAIN: Final = 4096
# What tickets have in common, so that deflate need not spell it: changing it breaks tickets in the wild.
_COMMON: Final = (
    b"prepaidpostpaidoutbounddevicenormalspecialemergencyEUREurope/Madrid+34"
    b'{"c":"EUR","z":"Europe/Madrid","f":"019","p":"019","k":"019","v":1,"x":"34","n":"Spain","t":[0,0,0,'
    b"0123456789abcdef-7-8-9-a-b"
)


class TicketRefused(ValueError):
    """Not signed by us, damaged, or of another call."""


class _Fields(msgspec.Struct, array_like=True, frozen=True):
    facts: tuple[object, ...]
    terms: tuple[object, ...]


_FACTS: Final = CallFacts.__struct_encode_fields__
_TERMS: Final = Terms.__struct_encode_fields__
_PRIMED: Final = zlib.compressobj(1, zlib.DEFLATED, -10, 4, zdict=_COMMON)  # copied, never used itself
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Fields).decode


def sign_ticket(facts: CallFacts, terms: Terms, key: bytes) -> str:
    """The ticket of an admitted call. The same call gives the same ticket."""
    packer = _PRIMED.copy()
    packed = packer.compress(_encode((astuple(facts), astuple(terms)))) + packer.flush()
    return urlsafe_b64encode(_mac(key, packed) + packed).rstrip(b"=").decode()


def open_ticket(ticket: str, call_id: str, key: bytes) -> tuple[CallFacts, Terms]:
    """Facts and terms of a ticket of this call. Raises TicketRefused."""
    try:
        raw = urlsafe_b64decode(ticket.encode("ascii") + b"=" * (-len(ticket) % 4))
    except ValueError:
        raise TicketRefused("not a ticket") from None
    packed = raw[_MAC_BYTES:]
    if len(ticket) > 2 * MOST_BYTES or not hmac.compare_digest(raw[:_MAC_BYTES], _mac(key, packed)):
        raise TicketRefused("signature")
    facts, terms = _opened(packed)
    if facts.call_id != call_id:
        raise TicketRefused("of another call")
    return facts, terms


def _opened(packed: bytes) -> tuple[CallFacts, Terms]:
    try:
        plain = zlib.decompressobj(-12, zdict=_COMMON).decompress(packed, _MOST_PLAIN)
        fields = _decode(plain)
        # Older tickets have fewer fields: new ones are added at the end of the structs, with a default.
        return (
            msgspec.convert(dict(zip(_FACTS, fields.facts, strict=False)), CallFacts),
            msgspec.convert(dict(zip(_TERMS, fields.terms, strict=False)), Terms),
        )
    except (zlib.error, msgspec.MsgspecError) as error:
        raise TicketRefused(f"damaged: {error}") from None


def _mac(key: bytes, packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_MAC_BYTES, key=_fitting(key)).digest()


@lru_cache(maxsize=8)
def _fitting(key: bytes) -> bytes:
    """BLAKE2b takes keys of up to 64 bytes (RFC 7693 section 2.9)."""
    return key if len(key) <= _MOST_KEY_BYTES else blake2b(key).digest()
