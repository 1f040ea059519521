"""The kinds of notification and the variables that a template of each may use.

A new kind is one entry here, its built-in files under `templates/<kind>/` and a function that makes its
variables out of its fact.
"""

from __future__ import annotations

from dataclasses import dataclass

Value = str | int | bool
Variables = dict[str, Value]


class UnknownKind(LookupError):
    """No notification kind has this name."""


@dataclass(frozen=True)
class Variable:
    """One documented variable of a kind; `sample` is what previews and validation show in its place."""

    name: str
    about: str
    sample: Value


@dataclass(frozen=True)
class Kind:
    """A kind of notification. `give_up_s`: how long after its first try a mail is still worth sending."""

    name: str
    about: str
    variables: tuple[Variable, ...]
    give_up_s: int

    @property
    def names(self) -> frozenset[str]:
        """The names that a template may use."""
        return frozenset(v.name for v in self.variables)

    def sample(self) -> Variables:
        """Every variable with its sample value."""
        return {v.name: v.sample for v in self.variables}


DAILY_USAGE = Kind(
    name="daily_usage",
    about="a client's spend reached a percentage of its daily limit (domain section 6)",
    variables=(
        Variable("client_name", "name of the client", "Casa García"),
        Variable("brand_name", "name of the brand", "Ejemplo Telecom"),
        Variable("threshold", "percentage of the daily limit that was reached, a whole number", 80),
        Variable("reached", "true when the whole limit is used: outgoing calls are refused", False),
        Variable("limit", "the daily limit, formatted with its currency", "10,00 €"),
        Variable("spend", "spent so far that day, formatted with its currency", "8,02 €"),
        Variable("currency", "ISO 4217 code of both amounts", "EUR"),
        Variable("day", "the client's local day, written out in its language", "22 de noviembre de 2026"),
    ),
    give_up_s=24 * 3600,
)

PASSWORD_RESET = Kind(
    name="password_reset",
    about="somebody asked for a new password of an account",
    variables=(
        Variable("username", "user name of the account", "garcia"),
        Variable("name", "name of the person, may be empty", "Ana García"),
        Variable("brand_name", "name of the brand, or of the platform", "Ejemplo Telecom"),
        Variable(
            "link", "where the new password is set, with the token", "https://example.net/reset#token=x"
        ),
        Variable("token", "the token alone, for programs", "llp_x"),
        Variable("minutes", "for how long it is good", 30),
        Variable("origin", "address from which it was asked for, may be empty", "203.0.113.7"),
    ),
    give_up_s=30 * 60,
)

KINDS = {kind.name: kind for kind in (DAILY_USAGE,)}
"""Those that brands and clients may word themselves."""
ALL_KINDS = {**KINDS, PASSWORD_RESET.name: PASSWORD_RESET}
SECRET_KINDS = frozenset({PASSWORD_RESET.name})
"""Their words open an account: shown to nobody, sent once, and forgotten when they are sent."""


def kind(name: str) -> Kind:
    """The kind of that name; UnknownKind otherwise."""
    if name not in ALL_KINDS:
        raise UnknownKind(name)
    return ALL_KINDS[name]
