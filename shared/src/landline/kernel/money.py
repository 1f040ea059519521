"""Money as whole micros: 1_000_000 per currency unit, one `int` in Python, Redis and SQL alike.

Integers because a float loses a cent somewhere in a year, and because Lua, which counts in doubles,
is exact on integers below 2**53 micros (9 * 10**9 units): callers that put an amount in Redis keep it there.
"""

import re
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final, Literal, Self

MICROS: Final = 1_000_000
DECIMALS: Final = 6
LIMIT_UNITS: Final = 10**12
LIMIT_MICROS: Final = LIMIT_UNITS * MICROS

Rounding = Literal["half_up", "up", "down"]

_EXACT = Context(prec=64, traps=[Inexact, InvalidOperation])
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_MAX_TEXT = 64


class MoneyOutOfRange(ValueError):
    """An amount that the integer unit can't hold exactly: too fine, too large, or no number at all."""


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies met; no rate of exchange exists in this system."""


def scaled(value: Decimal | str, decimals: int) -> int:
    """The exact integer `value * 10**decimals`; nothing is ever rounded away.

    A text is plain digits ("-12.50"): no exponent, underscore or foreign digit, which Decimal would take.
    Raises MoneyOutOfRange when a digit would be lost, beyond +-10**12 units, or for NaN and infinity.
    """
    number = _parsed(value) if isinstance(value, str) else value
    try:
        exact = number.quantize(Decimal(1).scaleb(-decimals), context=_EXACT)
    except Inexact:
        raise MoneyOutOfRange(f"more than {decimals} decimals: {value}") from None
    except InvalidOperation:
        raise MoneyOutOfRange(f"not a finite amount: {value}") from None
    if not exact.is_finite() or abs(exact) > LIMIT_UNITS:
        raise MoneyOutOfRange(f"beyond +-{LIMIT_UNITS} units: {value}")
    return int(exact.scaleb(decimals, context=_EXACT))


def _parsed(text: str) -> Decimal:
    if len(text) > _MAX_TEXT or not _PLAIN.fullmatch(text):
        raise MoneyOutOfRange(f"not a plain decimal number: {text[:_MAX_TEXT]!r}")
    return Decimal(text)


def to_micros(value: Decimal | str) -> int:
    """Micros of a decimal amount in units. Raises MoneyOutOfRange (see `scaled`)."""
    return scaled(value, DECIMALS)


def to_decimal(micros: int) -> Decimal:
    """The amount in units, exact whatever the caller's decimal context."""
    return Decimal(micros).scaleb(-DECIMALS, context=_EXACT)


def decimal_string(micros: int) -> str:
    """ "0.35", "-12.00", "0.000001": at least two decimals, no further trailing zero, never an exponent."""
    units, rest = divmod(abs(micros), MICROS)
    digits = f"{rest:06d}"
    sign = "-" if micros < 0 else ""
    return f"{sign}{units}.{digits[:2]}{digits[2:].rstrip('0')}"


def round_units(numerator: int, denominator: int, mode: Rounding) -> int:
    """numerator / denominator as a whole number, exactly.

    `half_up` and `up` go away from zero and `down` towards it, as in `decimal`, so that a correction
    (the same amount, negative) undoes a charge to the micro. Raises ValueError unless denominator > 0.
    """
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    if numerator < 0:
        return -round_units(-numerator, denominator, mode)
    if mode == "half_up":
        return (2 * numerator + denominator) // (2 * denominator)
    if mode == "up":
        return -(-numerator // denominator)
    if mode == "down":
        return numerator // denominator
    raise ValueError(f"unknown rounding mode: {mode}")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount with its currency (ISO 4217). Amounts of two currencies are never equal, and never mixed:
    adding or ordering them raises CurrencyMismatch."""

    micros: int
    currency: str

    @classmethod
    def of(cls, value: Decimal | str, currency: str) -> Self:
        """From a decimal amount in units. Raises MoneyOutOfRange."""
        return cls(to_micros(value), currency)

    def _same(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.micros

    def __add__(self, other: "Money") -> "Money":
        return Money(self.micros + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.micros - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.micros, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.micros < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.micros <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.micros > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.micros >= self._same(other)

    def __str__(self) -> str:
        return decimal_string(self.micros)
