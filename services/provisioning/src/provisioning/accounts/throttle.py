"""Guessing is slowed per account and per address, with a growing back-off.

An attempt is counted before the password is looked at, so that a thousand parallel guesses are not all let
in; a right password takes its count back. The database decides by one upsert per subject, on its own clock.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass

from landline.chassis.problems import TooManyRequests
from landline.chassis.settings import Settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

LONGEST_PAUSE_S = 900
FORGET_AFTER_S = 3600


@dataclass(frozen=True, slots=True)
class Subject:
    """What is throttled: an account or an address, and how many attempts it has before it must wait."""

    name: str
    free: int

    @property
    def key(self) -> bytes:
        """Stored instead of the name: attempts at names that don't exist leave no readable trace."""
        return hashlib.sha256(self.name.encode("utf-8", "replace")).digest()

    @classmethod
    def account(cls, username: str) -> Subject:
        """By user name, existing or not, whatever its case: 8 attempts."""
        return cls(f"account {username.casefold()}", 8)

    @classmethod
    def address(cls, address: str) -> Subject:
        """By address; an IPv6 /64 is one subscriber. 40 attempts: a whole office may sit behind one."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return cls(f"address {address}", 40)
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
            return cls(f"address {ipaddress.ip_network((ip, 64), strict=False)}", 40)
        return cls(f"address {getattr(ip, 'ipv4_mapped', None) or ip}", 40)


def of_address(settings: Settings, address: str | None) -> list[Subject]:
    """The subject of an address; none for an own one (a portal's): behind it is everybody."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return [Subject.address(address or "unknown")]
    plain = getattr(ip, "ipv4_mapped", None) or ip
    is_own = any(plain in network for network in settings.own_networks if network.version == plain.version)
    return [] if is_own else [Subject.address(str(ip))]


# One statement: nothing is counted while blocked; after an hour of quiet the count starts anew. The pause
# doubles from 1 s with each attempt beyond the free ones, up to 15 minutes.
_ATTEMPT = text(
    "insert into login_throttle as t (subject, failures, last_at, blocked_until)"
    " values (:subject, 1, clock_timestamp(), clock_timestamp())"
    " on conflict (subject) do update set"
    "  failures = case when t.last_at < clock_timestamp() - make_interval(secs => :forget) then 1"
    "   else t.failures + 1 end,"
    "  last_at = clock_timestamp(),"
    "  blocked_until = case when t.last_at < clock_timestamp() - make_interval(secs => :forget)"
    "    or t.failures + 1 < :free then clock_timestamp()"
    "   else clock_timestamp()"
    "    + make_interval(secs => least(:longest, 2 ^ least(t.failures + 1 - :free, 20))) end"
    "  where t.blocked_until <= clock_timestamp()"
    " returning failures"
)
_WAIT = text(
    "select extract(epoch from blocked_until - clock_timestamp()) from login_throttle"
    " where subject = :subject"
)
_SUCCESS = text("delete from login_throttle where subject = :subject")
_LESS = text("update login_throttle set failures = greatest(failures - 1, 0) where subject = :subject")
_PURGE = text("delete from login_throttle where last_at < now() - make_interval(secs => :forget)")


async def count_attempt(tx: AsyncConnection, subjects: list[Subject]) -> None:
    """Count an attempt for each subject; TooManyRequests when one of them has to wait. Commit it at once."""
    for subject in subjects:
        numbers = {"forget": FORGET_AFTER_S, "longest": LONGEST_PAUSE_S, "free": subject.free}
        counted = (await tx.execute(_ATTEMPT, {"subject": subject.key, **numbers})).first()
        if counted is None:
            left_s = await tx.scalar(_WAIT, {"subject": subject.key})
            raise TooManyRequests(
                "too many attempts; wait a little", max(1, math.ceil(left_s or 1)), code="too_many_attempts"
            )


async def forgive(tx: AsyncConnection, account: Subject, addresses: list[Subject]) -> None:
    """The password was right: the account starts anew, the address gets its one attempt back.

    An address is not cleared: else one own account would let a guesser clear its way to all others.
    """
    await tx.execute(_SUCCESS, {"subject": account.key})
    for address in addresses:
        await tx.execute(_LESS, {"subject": address.key})


async def purge(tx: AsyncConnection) -> None:
    """Forget subjects that were quiet for an hour."""
    await tx.execute(_PURGE, {"forget": FORGET_AFTER_S})
