"""Secrets of devices: the policy of their passwords, a generator, and the HA1 pair that is kept of one.

SIP digest needs HA1 = H(user:realm:password) (RFC 7616 section 3.4.2); RFC 8760 adds SHA-256 beside MD5.
The password itself is shown once and never kept.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import NamedTuple

SPECIAL = "+*_-"
MIN_CHARS = 10
MAX_CHARS = 64
GENERATED_CHARS = 20
_ALPHABET = string.ascii_letters + string.digits + SPECIAL
_NEEDS = (
    ("upper", string.ascii_uppercase, 3, "at least 3 upper-case letters"),
    ("lower", string.ascii_lowercase, 3, "at least 3 lower-case letters"),
    ("digit", string.digits, 3, "at least 3 digits"),
    ("special", SPECIAL, 1, f"at least one of {' '.join(SPECIAL)}"),
)


class Ha1Pair(NamedTuple):
    """H(user:realm:password) as lower-case hex, by both digests that SIP devices speak."""

    md5_hex: str
    sha256_hex: str


class PasswordFault(NamedTuple):
    """One rule that a password breaks."""

    code: str
    message: str


def ha1_pair(user: str, realm: str, password: str) -> Ha1Pair:
    """The pair for a device. ValueError when user or realm hold a colon: it would be ambiguous."""
    if ":" in user or ":" in realm:
        raise ValueError("a colon can be part neither of a SIP user nor of a realm")
    text = f"{user}:{realm}:{password}".encode()
    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    return Ha1Pair(md5, hashlib.sha256(text).hexdigest())


def device_password_faults(password: str) -> list[PasswordFault]:
    """Every rule of model-system 1.2 that a device's password breaks; empty when it is good."""
    faults = []
    if len(password) < MIN_CHARS:
        faults.append(PasswordFault("too_short", f"at least {MIN_CHARS} characters"))
    if len(password) > MAX_CHARS:
        faults.append(PasswordFault("too_long", f"at most {MAX_CHARS} characters"))
    if any(character not in _ALPHABET for character in password):
        faults.append(PasswordFault("characters", f"only letters, digits and {' '.join(SPECIAL)}"))
    for code, alphabet, count, message in _NEEDS:
        if sum(character in alphabet for character in password) < count:
            faults.append(PasswordFault(code, message))
    return faults


def generate_device_password() -> str:
    """A random password of 20 characters (about 119 bits) that the policy accepts."""
    while True:
        password = "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_CHARS))
        if not device_password_faults(password):
            return password
