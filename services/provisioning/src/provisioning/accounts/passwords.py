"""People's passwords: argon2id in a thread, a few at a time, and the policy for new ones."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

MIN_CHARS = 10
MAX_CHARS = 256
AT_ONCE = 2  # hashes side by side in one process: 19 MiB and a core each

# RFC 9106 argon2id with OWASP's second profile: 19 MiB, 2 passes. 64 MiB each would break the memory ceiling.
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))

# Verified when there is no such user, so that the answer takes as long as for a wrong password.
_NOBODY = _HASHER.hash("a password nobody has")

_COMMON = frozenset(
    {"password", "landline", "1234567890", "qwertyuiop", "administrator", "changeme", "letmein"}
)


class Checked(NamedTuple):
    """Whether the password is right, and a newer hash to store when the old one's cost is outdated."""

    right: bool
    new_hash: str | None = None


class Passwords:
    """Hashes and verifies off the event loop; at most two at a time, the rest wait their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hash(self, password: str) -> str:
        """An argon2id hash in PHC form."""
        async with self._turn:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def check(self, password: str, stored: str | None) -> Checked:
        """Compare with a stored hash; None (no such user, no password) takes as long and is never right."""
        async with self._turn:
            return await asyncio.to_thread(_check, password, stored)


def _check(password: str, stored: str | None) -> Checked:
    try:
        right, new_hash = _HASHER.verify_and_update(password, stored or _NOBODY)
    except UnknownHashError:
        return Checked(False)
    return Checked(right and bool(stored), new_hash if stored else None)


def password_faults(password: str, username: str) -> list[tuple[str, str]]:
    """What is wrong with a person's new password, as (code, message); length counts more than its letters."""
    faults = []
    if len(password) < MIN_CHARS:
        faults.append(("too_short", f"at least {MIN_CHARS} characters"))
    if len(password) > MAX_CHARS:
        faults.append(("too_long", f"at most {MAX_CHARS} characters"))
    plain = password.casefold()
    if username and username.casefold() in plain:
        faults.append(("contains_username", "must not contain the user name"))
    if len(set(plain)) < 5 or plain.rstrip("0123456789!.") in _COMMON:
        faults.append(("too_simple", "too easy to guess"))
    return faults
