"""A forgotten password: a token by mail, good once and for half an hour.

Whoever asks gets the same answer whether the account exists or not. The token leaves in an event, sealed;
notifier's outbox mails it to the address that the admin has. Only its hash is kept. The second factor stays.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from landline.chassis import outbox
from landline.chassis.postgres import Database, Scope
from landline.chassis.problems import FieldError, InvalidInput
from landline.chassis.resources import Actor
from landline.chassis.secrets import Keyring
from landline.chassis.settings import Settings
from landline.contracts import streams
from landline.contracts.envelope import seal
from landline.contracts.provisioning.events import PasswordResetRequested
from landline.kernel.ids import new_id
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.accounts import sessions, throttle
from provisioning.accounts.identities import admin_named, note, own_identity, principal_of
from provisioning.accounts.passwords import Passwords, password_faults
from provisioning.accounts.sessions import Origin
from provisioning.accounts.throttle import Subject

LIFE = timedelta(minutes=30)
PREFIX = "llp_"
MAX_TOKEN_CHARS = 200

_FORGET = text("delete from password_resets where admin_id = :admin")
_KEEP = text(
    "insert into password_resets (sha256, admin_id, expires_at)"
    " values (:sha256, :admin, now() + cast(:life as interval))"
)
_HOLDER = text(
    "select a.* from password_resets r join admins a on a.id = r.admin_id"
    " where r.sha256 = :sha256 and r.expires_at > now() and a.active"
)
_TAKE = text("delete from password_resets where sha256 = :sha256 and expires_at > now() returning admin_id")
_SET = text(
    "update admins set password_hash = :hash, version = version + 1, updated_at = now() where id = :id"
)
_PURGE = text("delete from password_resets where expires_at < now()")


class PasswordResets:
    """The two steps. Each opens its own transactions, in system scope."""

    def __init__(self, settings: Settings, db: Database, passwords: Passwords, keyring: Keyring) -> None:
        self._settings, self._db, self._passwords, self._keyring = settings, db, passwords, keyring

    async def request(self, username: str, origin: Origin) -> None:
        """Have a token mailed, if there is such an account with an address. TooManyRequests alike."""
        async with self._db.transaction(Scope.system()) as tx:
            await throttle.count_attempt(tx, self._subjects(username, origin))
        async with self._db.transaction(Scope.system()) as tx:
            admin = await admin_named(tx, username)
            if admin is not None and admin.active and admin.email:
                await self._send(tx, admin, origin)

    def _subjects(self, username: str, origin: Origin) -> list[Subject]:
        """Counted apart from logins: asking for a mail must not lock anybody out."""
        addresses = throttle.of_address(self._settings, origin.address)
        by_address = [Subject(f"reset {address.name}", 20) for address in addresses]
        return [Subject(f"reset {username.casefold()}", 3), *by_address]

    async def _send(self, tx: AsyncConnection, admin: Row[Any], origin: Origin) -> None:
        token, reset_id = PREFIX + secrets.token_urlsafe(32), new_id()
        await tx.execute(_FORGET, {"admin": admin.id})  # the newest mail's token is the only good one
        await tx.execute(_KEEP, {"sha256": _hash(token), "admin": admin.id, "life": LIFE})
        now_ms = time.time_ns() // 1_000_000
        event = PasswordResetRequested(
            reset_id=reset_id,
            admin_id=str(admin.id),
            username=admin.username,
            name=admin.name,
            address=admin.email,
            token_sealed=self._keyring.seal(token, f"password-reset:{reset_id}"),
            expires_at_ms=now_ms + round(LIFE.total_seconds() * 1000),
            origin=origin.address,
        )
        place = {"brand_id": _text(admin.brand_id), "client_id": _text(admin.client_id)}
        await outbox.add(tx, streams.CONFIG, seal(event, producer="provisioning", now_ms=now_ms, **place))
        await self._record(tx, admin, origin, "request_password_reset")

    async def confirm(self, token: str, new_password: str, origin: Origin) -> None:
        """Set the password. InvalidInput names `token` (unknown, used, too old) or what the policy minds."""
        async with self._db.transaction(Scope.system()) as tx:
            admin = (await tx.execute(_HOLDER, {"sha256": _hash(token)})).first()
        if admin is None:
            raise _bad_token()
        faults = password_faults(new_password, admin.username)
        if faults:
            raise InvalidInput([FieldError("new_password", code, message) for code, message in faults])
        new_hash = await self._passwords.hash(new_password)
        async with self._db.transaction(Scope.system()) as tx:
            if await tx.scalar(_TAKE, {"sha256": _hash(token)}) is None:
                raise _bad_token()  # of two confirmations at once, one takes it
            await tx.execute(_SET, {"id": admin.id, "hash": new_hash})
            await sessions.revoke_admin(tx, str(admin.id), "password reset")
            addresses = throttle.of_address(self._settings, origin.address)
            await throttle.forgive(tx, Subject.account(admin.username), addresses)
            await self._record(tx, admin, origin, "reset_password")

    async def _record(self, tx: AsyncConnection, admin: Row[Any], origin: Origin, action: str) -> None:
        actor = Actor(
            principal_of(own_identity(admin)),
            self._settings,
            self._settings.clock.now_ms(),
            request_id=origin.request_id,
            address=origin.address,
        )
        await note(tx, actor, "admins", str(admin.id), action)


async def purge(tx: AsyncConnection) -> None:
    """Forget tokens whose time is over."""
    await tx.execute(_PURGE)


def _bad_token() -> InvalidInput:
    message = "not a token of ours, used before, or older than half an hour"
    return InvalidInput([FieldError("token", "invalid_token", message)], code="invalid_token")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
