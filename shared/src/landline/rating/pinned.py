"""A tariff as text: pinned in a call's ticket, its Redis hash and its events (architecture.md 3.2).

Compact JSON. Defaults are left out; ids are plain strings:

    c currency   d decimals (4)   r rounding (half_up)   z zone   w windows | t price of an untimed tariff
    f profile    p plan           k deck                 v deck version     x prefix    n destination

    price   [connect_fee_micros, minimum_charge 0|1, interval_start_s, rate_nanos, increment_s, ...]
            the last three once per tier; flat, because brackets are bytes
    window  [weekdays, start_s, end_s, weight, price]

A one-tier untimed tariff with three UUIDs and a destination of 20 letters is at most 220 bytes. A timed one
grows by about 35 bytes a window: more than about ten windows do not fit a 700-byte ticket.
Old texts stay readable for as long as calls live in them: add keys, never change one.
"""

import msgspec

from landline.kernel.money import Rounding
from landline.rating.checks import check
from landline.rating.errors import InvalidTariff
from landline.rating.tariff import Price, Tariff, Tier, Window, always

_Window = tuple[int, int, int, int, list[int]]


class _Pinned(msgspec.Struct, omit_defaults=True):
    c: str
    d: int = 4
    r: Rounding = "half_up"
    z: str | None = None
    f: str = ""
    p: str = ""
    k: str = ""
    v: int = 0
    x: str = ""
    n: str = ""
    t: list[int] | None = None
    w: list[_Window] = []


_decoder = msgspec.json.Decoder(_Pinned)
_encoder = msgspec.json.Encoder()


def dumps(tariff: Tariff) -> str:
    """The tariff as compact JSON; `loads` gives an equal tariff back."""
    text = _Pinned(
        c=tariff.currency,
        d=tariff.decimals,
        r=tariff.rounding,
        z=tariff.timezone,
        f=tariff.profile_id,
        p=tariff.plan_id,
        k=tariff.deck_id,
        v=tariff.deck_version,
        x=tariff.prefix,
        n=tariff.destination,
    )
    if tariff.untimed and tariff.windows[0].weight == 0:
        text.t = price_to_plain(tariff.windows[0].price)
    else:
        text.w = [_window_to_plain(window) for window in tariff.windows]
    return _encoder.encode(text).decode()


def loads(text: str | bytes) -> Tariff:
    """The tariff of a pinned text. Raises InvalidTariff: a zero increment must not reach the engine."""
    try:
        plain = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidTariff("tariff", str(error)) from None
    windows = tuple(_window_from_plain(window) for window in plain.w)
    if plain.t is not None:
        windows = (always(price_from_plain(plain.t)), *windows)
    return check(
        Tariff(
            plain.c, windows, plain.d, plain.r, plain.z, plain.p, plain.f, plain.k, plain.v, plain.x, plain.n
        )
    )


def price_to_plain(price: Price) -> list[int]:
    """A price as a flat list of integers (above); the deck file uses the same form."""
    plain = [price.connect_fee_micros, int(price.minimum_charge)]
    for tier in price.tiers:
        plain += (tier.interval_start_s, tier.rate_nanos, tier.increment_s)
    return plain


def price_from_plain(plain: list[int]) -> Price:
    """The price of a flat list. Raises InvalidTariff for another shape; values are not checked."""
    if len(plain) % 3 != 2 or plain[1] not in (0, 1):
        raise InvalidTariff("price", "must be fee, 0 or 1, then three integers a tier")
    tiers = tuple(Tier(*plain[at : at + 3]) for at in range(2, len(plain), 3))
    return Price(plain[0], tiers, bool(plain[1]))


def _window_to_plain(window: Window) -> _Window:
    return window.weekdays, window.start_s, window.end_s, window.weight, price_to_plain(window.price)


def _window_from_plain(plain: _Window) -> Window:
    weekdays, start_s, end_s, weight, price = plain
    return Window(weekdays, start_s, end_s, price_from_plain(price), weight)
